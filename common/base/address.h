// IP addresses, ports and CIDR blocks as text and as sockaddr.
//
// An IPv4 address and its v4-mapped IPv6 form (::ffff:a.b.c.d) are the same address here.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::base {

// The two halves of "host:port" or "[v6]:port". The host may be a name; brackets are removed.
struct HostPort {
  std::string host;
  uint16_t port = 0;
  bool operator==(const HostPort&) const = default;
};

// Port 0 is accepted (bind to any free one). A bare IPv6 address without brackets is refused.
absl::StatusOr<HostPort> ParseHostPort(std::string_view text);

// "host:port", with brackets around IPv6.
std::string FormatHostPort(std::string_view host, uint16_t port);

bool IsIpAddress(std::string_view host);

// Ready for bind or connect.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  uint16_t port() const;
  void set_port(uint16_t port);
  bool is_loopback() const;
  bool is_unspecified() const;   // 0.0.0.0 or ::.
  std::string ToString() const;  // ip:port
  std::string Ip() const;
};

// "ip:port" or "[v6]:port" without asking any name service; a name is an error that says so.
absl::StatusOr<SocketAddress> ResolveNumeric(std::string_view address);

// "ip:port", "[v6]:port"; v4-mapped addresses appear as IPv4. "unknown" for other families.
std::string FormatAddress(const sockaddr* address);
// The same without the port and without brackets.
std::string FormatIp(const sockaddr* address);
// 0 for other families.
uint16_t PortOf(const sockaddr* address);

// Sixteen bytes in network order, IPv4 in its v4-mapped form.
using IpBytes = std::array<uint8_t, 16>;
std::optional<IpBytes> ParseIp(std::string_view text);
std::optional<IpBytes> IpBytesOf(const sockaddr* address);
bool IsIpv4(const IpBytes& ip);
std::string FormatIp(const IpBytes& ip);

// A block such as 10.0.0.0/8, or a single address. Contains allocates nothing.
class Cidr {
 public:
  // Bits set to the right of the mask are refused: more likely a slip than intended.
  static absl::StatusOr<Cidr> Parse(std::string_view text);

  bool Contains(const IpBytes& ip) const;
  bool Contains(const sockaddr* address) const;
  bool Contains(std::string_view ip) const;  // False for what is no address.

 private:
  IpBytes base_{};
  int bits_ = 0;  // Of the mapped form: an IPv4 /8 is 104.
};

}  // namespace sluice::base
