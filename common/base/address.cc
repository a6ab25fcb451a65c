#include "common/base/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "absl/status/status.h"
#include "common/base/status_macros.h"

namespace sluice::base {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

// Decimal digits only, no sign, no blanks; nothing when it is not a number of [0, max].
std::optional<uint32_t> ParseNumber(std::string_view text, uint32_t max) {
  uint32_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stopped != end || value > max) return std::nullopt;
  return value;
}

// Filled by inet_pton, which wants a terminated string. False for another family or no address.
bool ParseFamily(int family, std::string_view text, void* bytes) {
  char terminated[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof terminated) return false;
  if (text.find('\0') != std::string_view::npos) return false;
  text.copy(terminated, text.size());
  terminated[text.size()] = '\0';
  return inet_pton(family, terminated, bytes) == 1;
}

}  // namespace

bool IsIpv4(const IpBytes& ip) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), ip.begin());
}

std::string FormatIp(const IpBytes& ip) {
  char text[INET6_ADDRSTRLEN];
  if (IsIpv4(ip)) {
    inet_ntop(AF_INET, ip.data() + kMappedPrefix.size(), text, sizeof text);
  } else {
    inet_ntop(AF_INET6, ip.data(), text, sizeof text);
  }
  return text;
}

uint16_t PortOf(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
  }
  if (address->sa_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(address)->sin6_port);
  }
  return 0;
}

absl::StatusOr<HostPort> ParseHostPort(std::string_view text) {
  const auto error = [text](std::string_view why) {
    return absl::InvalidArgumentError(fmt::format("'{}': {}", text, why));
  };
  HostPort result;
  std::string_view port;
  if (text.starts_with('[')) {
    const size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return error("the bracket is not closed");
    result.host = text.substr(1, bracket - 1);
    IpBytes ignored;
    if (!ParseFamily(AF_INET6, result.host, &ignored)) {
      return error("what stands in brackets is not an IPv6 address");
    }
    if (!text.substr(bracket + 1).starts_with(':')) {
      return error("the port is missing; write [address]:port");
    }
    port = text.substr(bracket + 2);
  } else {
    const size_t colon = text.find(':');
    if (colon == std::string_view::npos) return error("the port is missing; write host:port");
    if (text.find(':', colon + 1) != std::string_view::npos) {
      return error("an IPv6 address needs brackets; write [address]:port");
    }
    result.host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (result.host.empty()) {
      return error("the host is missing; write 0.0.0.0:port for every IPv4 address");
    }
  }
  const std::optional<uint32_t> number = ParseNumber(port, 65535);
  if (!number) return error(fmt::format("'{}' is not a port; give a number up to 65535", port));
  result.port = static_cast<uint16_t>(*number);
  return result;
}

std::string FormatHostPort(std::string_view host, uint16_t port) {
  if (host.find(':') != std::string_view::npos) return fmt::format("[{}]:{}", host, port);
  return fmt::format("{}:{}", host, port);
}

bool IsIpAddress(std::string_view host) { return ParseIp(host).has_value(); }

std::optional<IpBytes> ParseIp(std::string_view text) {
  IpBytes ip;
  if (ParseFamily(AF_INET6, text, ip.data())) return ip;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), ip.begin());
  if (ParseFamily(AF_INET, text, ip.data() + kMappedPrefix.size())) return ip;
  return std::nullopt;
}

std::optional<IpBytes> IpBytesOf(const sockaddr* address) {
  IpBytes ip;
  if (address->sa_family == AF_INET) {
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), ip.begin());
    std::memcpy(ip.data() + kMappedPrefix.size(),
                &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
    return ip;
  }
  if (address->sa_family == AF_INET6) {
    std::memcpy(ip.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, 16);
    return ip;
  }
  return std::nullopt;
}

uint16_t SocketAddress::port() const { return PortOf(get()); }

void SocketAddress::set_port(uint16_t port) {
  if (family() == AF_INET) reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
  if (family() == AF_INET6) reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port = htons(port);
}

bool SocketAddress::is_loopback() const {
  const std::optional<IpBytes> ip = IpBytesOf(get());
  if (!ip) return false;
  if (IsIpv4(*ip)) return (*ip)[12] == 127;
  return ip->back() == 1 &&
         std::all_of(ip->begin(), ip->end() - 1, [](uint8_t b) { return b == 0; });
}

bool SocketAddress::is_unspecified() const {
  const std::optional<IpBytes> ip = IpBytesOf(get());
  if (!ip) return false;
  const auto begin = IsIpv4(*ip) ? ip->begin() + kMappedPrefix.size() : ip->begin();
  return std::all_of(begin, ip->end(), [](uint8_t b) { return b == 0; });
}

std::string SocketAddress::ToString() const { return FormatAddress(get()); }

std::string SocketAddress::Ip() const { return FormatIp(get()); }

absl::StatusOr<SocketAddress> ResolveNumeric(std::string_view address) {
  ASSIGN_OR_RETURN(const HostPort parsed, ParseHostPort(address));
  SocketAddress result;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (ParseFamily(AF_INET, parsed.host, &v4->sin_addr)) {
    v4->sin_family = AF_INET;
    result.length = sizeof *v4;
  } else if (ParseFamily(AF_INET6, parsed.host, &v6->sin6_addr)) {
    v6->sin6_family = AF_INET6;
    result.length = sizeof *v6;
  } else if (parsed.host.find_first_not_of("0123456789.") == std::string::npos) {
    return absl::InvalidArgumentError(fmt::format("'{}' is not an IP address", parsed.host));
  } else {
    return absl::InvalidArgumentError(
        fmt::format("'{}': a name is not supported yet; give an IP address", parsed.host));
  }
  result.set_port(parsed.port);
  return result;
}

std::string FormatAddress(const sockaddr* address) {
  const std::optional<IpBytes> ip = IpBytesOf(address);
  return ip ? FormatHostPort(FormatIp(*ip), PortOf(address)) : "unknown";
}

std::string FormatIp(const sockaddr* address) {
  const std::optional<IpBytes> ip = IpBytesOf(address);
  return ip ? FormatIp(*ip) : "unknown";
}

absl::StatusOr<Cidr> Cidr::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const std::optional<IpBytes> ip = ParseIp(host);
  if (!ip) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not an IP address or block; write it like 10.0.0.0/8", text));
  }
  Cidr block;
  block.base_ = *ip;
  block.bits_ = 128;
  if (slash == std::string_view::npos) return block;

  const bool written_as_v4 = host.find(':') == std::string_view::npos;
  const uint32_t bits_max = written_as_v4 ? 32 : 128;
  const std::optional<uint32_t> bits = ParseNumber(text.substr(slash + 1), bits_max);
  if (!bits) {
    return absl::InvalidArgumentError(
        fmt::format("'{}': the length after '/' must be 0 to {}", text, bits_max));
  }
  block.bits_ = static_cast<int>(*bits + (128 - bits_max));
  Cidr masked = block;
  for (int bit = block.bits_; bit < 128; ++bit) {
    masked.base_[static_cast<size_t>(bit / 8)] &= static_cast<uint8_t>(~(0x80 >> (bit % 8)));
  }
  if (masked.base_ != block.base_) {
    return absl::InvalidArgumentError(fmt::format("'{}' has bits set after its mask; write {}/{}",
                                                  text, FormatIp(masked.base_), *bits));
  }
  return block;
}

bool Cidr::Contains(const IpBytes& ip) const {
  const auto whole = static_cast<size_t>(bits_ / 8);
  if (std::memcmp(ip.data(), base_.data(), whole) != 0) return false;
  const int rest = bits_ % 8;
  if (rest == 0) return true;
  return ((ip[whole] ^ base_[whole]) >> (8 - rest)) == 0;
}

bool Cidr::Contains(const sockaddr* address) const {
  const std::optional<IpBytes> ip = IpBytesOf(address);
  return ip && Contains(*ip);
}

bool Cidr::Contains(std::string_view ip) const {
  const std::optional<IpBytes> bytes = ParseIp(ip);
  return bytes && Contains(*bytes);
}

}  // namespace sluice::base
