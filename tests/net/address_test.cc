#include "src/net/address.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace toolformer::address_test {
namespace {

bool IsPublic(const char* text) {
  CAPTURE(text);
  const absl::StatusOr<IpAddress> address = ParseAddress(text);
  REQUIRE(address.ok());
  return IsPublicAddress(*address);
}

// The first and the last address of every range, and the neighbours outside it. Expected values: Python's
// ipaddress.ip_address(x).is_global.
TEST_CASE("public addresses, and those that are not") {
  for (const char* text : {"1.0.0.0",     "9.255.255.255",        "11.0.0.0",       "100.63.255.255",
                           "100.128.0.0", "126.255.255.255",      "128.0.0.0",      "169.253.255.255",
                           "169.255.0.0", "172.15.255.255",       "172.32.0.0",     "192.0.1.0",
                           "192.0.3.0",   "192.167.255.255",      "192.169.0.0",    "198.17.255.255",
                           "198.20.0.0",  "198.51.99.255",        "198.51.101.0",   "203.0.112.255",
                           "203.0.114.0", "223.255.255.255",      "8.8.8.8",        "2606:4700:4700::1111",
                           "2a00::1",     "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"}) {
    CHECK(IsPublic(text));
  }
  for (const char* text : {"0.0.0.0",
                           "0.255.255.255",
                           "10.0.0.0",
                           "10.255.255.255",
                           "100.64.0.0",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.255.255",
                           "169.254.0.0",
                           "169.254.169.254",
                           "172.16.0.0",
                           "172.31.255.255",
                           "192.0.0.1",
                           "192.0.2.1",
                           "192.168.0.0",
                           "192.168.255.255",
                           "198.18.0.0",
                           "198.19.255.255",
                           "198.51.100.1",
                           "203.0.113.1",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "::127.0.0.1",
                           "fc00::1",
                           "fd12:3456::1",
                           "fe80::1",
                           "febf::1",
                           "fec0::1",
                           "ff02::1",
                           "2001:db8::1",
                           "2001::1",
                           "2002:7f00:1::",
                           "2002:a00:1::",
                           "3fff::1",
                           "64:ff9b::7f00:1",
                           "64:ff9b::a9fe:a9fe",
                           "64:ff9b:1::1",
                           "100::1",
                           "5f00::1"}) {
    CHECK_FALSE(IsPublic(text));
  }
}

TEST_CASE("networks") {
  const auto contains = [](const char* network, const char* address) {
    return ParseNetwork(network).value().Contains(ParseAddress(address).value());
  };
  CHECK(contains("127.0.0.0/8", "127.255.0.1"));
  CHECK_FALSE(contains("127.0.0.0/8", "128.0.0.1"));
  CHECK(contains("127.0.0.1", "127.0.0.1"));
  CHECK_FALSE(contains("127.0.0.1", "127.0.0.2"));
  CHECK(contains("0.0.0.0/0", "10.1.2.3"));
  CHECK_FALSE(contains("0.0.0.0/0", "::1"));
  CHECK(contains("::/0", "10.1.2.3"));
  CHECK(contains("192.168.128.0/17", "192.168.255.255"));
  CHECK_FALSE(contains("192.168.128.0/17", "192.168.127.255"));
  CHECK(contains("127.0.0.1", "::ffff:127.0.0.1"));
  CHECK(contains("fe80::/10", "febf::1"));
  for (const char* bad : {"", "/8", "localhost", "127.0.0.0/", "127.0.0.0/33", "127.0.0.0/-1", "127.0.0.0/8x", "::/129",
                          "127.0.0.1/8", "127.1", "2130706433", "0x7f.0.0.1", "fe80::1%lo"}) {
    CAPTURE(bad);
    CHECK(ParseNetwork(bad).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("addresses of sockets") {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_addr.s_addr = htonl(0x7f000001);
  CHECK(PrintAddress(AddressOf(reinterpret_cast<sockaddr&>(four), sizeof(four)).value()) == "127.0.0.1");
  CHECK_FALSE(AddressOf(reinterpret_cast<sockaddr&>(four), 4).ok());
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_addr = in6addr_loopback;
  CHECK(PrintAddress(AddressOf(reinterpret_cast<sockaddr&>(six), sizeof(six)).value()) == "::1");
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  CHECK_FALSE(AddressOf(reinterpret_cast<sockaddr&>(local), sizeof(local)).ok());
}

}  // namespace
}  // namespace toolformer::address_test
