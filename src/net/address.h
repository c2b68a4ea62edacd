// Which addresses of the network anyone may be asked to connect to.
#ifndef TOOLFORMER_SRC_NET_ADDRESS_H_
#define TOOLFORMER_SRC_NET_ADDRESS_H_

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace toolformer {

// An IPv6 address in network order; an IPv4 address is its mapped form, ::ffff:a.b.c.d.
using IpAddress = std::array<uint8_t, 16>;

// kInvalidArgument for an address of another family.
absl::StatusOr<IpAddress> AddressOf(const sockaddr& address, size_t size);

// "192.0.2.1", "2001:db8::1"; kInvalidArgument for anything else, names and shortened forms among them.
absl::StatusOr<IpAddress> ParseAddress(std::string_view text);
std::string PrintAddress(const IpAddress& address);

// True for addresses of the public internet: not loopback, private, link-local, shared, multicast, reserved, of
// documentation or of a tunnel (IANA's special-purpose registries). What is embedded in a NAT64 address counts as
// itself.
bool IsPublicAddress(const IpAddress& address);

// A range of addresses.
struct Network {
  IpAddress address{};
  int prefix_bits = 0;  // of 128
  bool Contains(const IpAddress& other) const;
};

// "10.0.0.0/8", "::1/128", or one address. kInvalidArgument where it is none, or has bits set behind its prefix.
absl::StatusOr<Network> ParseNetwork(std::string_view text);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_NET_ADDRESS_H_
