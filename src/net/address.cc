#include "src/net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "src/base/status.h"

namespace toolformer {
namespace {

constexpr int kMappedBits = 96;  // of ::ffff:0:0/96
constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

IpAddress Map(const in_addr& address) {
  IpAddress mapped{};
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), mapped.begin());
  std::memcpy(mapped.data() + kMappedPrefix.size(), &address, sizeof(address));
  return mapped;
}

bool IsMapped(const IpAddress& address) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
}

bool IsIn(const IpAddress& address, std::string_view network) {
  const absl::StatusOr<Network> parsed = ParseNetwork(network);
  return parsed.ok() && parsed->Contains(address);
}

// IPv4: all but these is public.
constexpr std::array<std::string_view, 14> kSpecialFour = {
    "0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"};

// IPv6: within 2000::/3 all but these is public, and nothing outside it.
constexpr std::array<std::string_view, 4> kSpecialSix = {"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"};

}  // namespace

absl::StatusOr<IpAddress> AddressOf(const sockaddr& address, size_t size) {
  if (address.sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in four;
    std::memcpy(&four, &address, sizeof(four));
    return Map(four.sin_addr);
  }
  if (address.sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 six;
    std::memcpy(&six, &address, sizeof(six));
    IpAddress out;
    std::memcpy(out.data(), &six.sin6_addr, out.size());
    return out;
  }
  return InvalidArgument("address family {} is neither IPv4 nor IPv6", address.sa_family);
}

absl::StatusOr<IpAddress> ParseAddress(std::string_view text) {
  const std::string terminated(text);
  in_addr four;
  in6_addr six;
  if (terminated.size() == text.size() && text.find('\0') == std::string_view::npos) {
    if (inet_pton(AF_INET, terminated.c_str(), &four) == 1) return Map(four);
    if (inet_pton(AF_INET6, terminated.c_str(), &six) == 1) {
      IpAddress out;
      std::memcpy(out.data(), &six, out.size());
      return out;
    }
  }
  return InvalidArgument("'{}' is not an IPv4 or IPv6 address", text.substr(0, 64));
}

std::string PrintAddress(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IsMapped(address)) {
    inet_ntop(AF_INET, address.data() + kMappedPrefix.size(), text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, address.data(), text.data(), text.size());
  }
  return text.data();
}

bool IsPublicAddress(const IpAddress& address) {
  if (IsMapped(address)) {
    return std::none_of(kSpecialFour.begin(), kSpecialFour.end(), [&](auto range) { return IsIn(address, range); });
  }
  if (IsIn(address, "64:ff9b::/96")) {  // NAT64: the IPv4 address stands in the last four bytes
    in_addr four;
    std::memcpy(&four, address.data() + kMappedPrefix.size(), sizeof(four));
    return IsPublicAddress(Map(four));
  }
  return IsIn(address, "2000::/3") &&
         std::none_of(kSpecialSix.begin(), kSpecialSix.end(), [&](auto range) { return IsIn(address, range); });
}

bool Network::Contains(const IpAddress& other) const {
  for (int bit = 0; bit < prefix_bits; bit += 8) {
    const int bits = std::min(8, prefix_bits - bit);
    const auto mask = static_cast<uint8_t>(0xff << (8 - bits));
    if (((address[bit / 8] ^ other[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

absl::StatusOr<Network> ParseNetwork(std::string_view text) {
  const size_t slash = text.find('/');
  TF_ASSIGN_OR_RETURN(const IpAddress address, ParseAddress(text.substr(0, slash)));
  // "::ffff:0:0/96" and shorter is of IPv6 as written.
  const bool is_four = IsMapped(address) && text.substr(0, slash).find(':') == std::string_view::npos;
  Network network{address, 128};
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    int bits = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    const int most = is_four ? 32 : 128;
    if (error != std::errc() || end != digits.data() + digits.size() || bits < 0 || bits > most) {
      return InvalidArgument("'{}': the prefix is not a number of bits from 0 to {}", text.substr(0, 64), most);
    }
    network.prefix_bits = is_four ? kMappedBits + bits : bits;
  }
  for (int bit = network.prefix_bits; bit < 128; ++bit) {
    if ((address[bit / 8] >> (7 - bit % 8) & 1) != 0) {
      return InvalidArgument("'{}': the address has bits set behind the prefix", text.substr(0, 64));
    }
  }
  return network;
}

}  // namespace toolformer
