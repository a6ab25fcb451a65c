#include "dataplane/http/target.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "dataplane/http/char_class.h"

namespace sluice::http {
namespace {

// Length of "http://" or "https://", 0 for anything else. Schemes are case-insensitive.
size_t SchemeBytes(std::string_view target) {
  for (const std::string_view scheme :
       {std::string_view("http://"), std::string_view("https://")}) {
    if (EqualsLower(target.substr(0, scheme.size()), scheme)) return scheme.size();
  }
  return 0;
}

size_t AuthorityEnd(std::string_view target, size_t begin) {
  return std::min(target.find_first_of("/?", begin), target.size());
}

// In the path; nobody decodes a query to route by it.
bool HasValidTriplets(std::string_view path_and_query) {
  const auto* at =
      static_cast<const char*>(std::memchr(path_and_query.data(), '%', path_and_query.size()));
  if (at == nullptr) [[likely]]
    return true;
  const std::string_view path = path_and_query.substr(0, path_and_query.find('?'));
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') continue;
    if (path.size() - i < 3 || HexValue(path[i + 1]) < 0 || HexValue(path[i + 2]) < 0) return false;
  }
  return true;
}

bool IsValidPort(std::string_view port) {
  uint32_t value = 0;
  if (port.size() > 5) return false;
  for (const char c : port) {
    if (!IsDigit(c)) return false;
    value = value * 10 + static_cast<uint32_t>(c - '0');
  }
  return value <= 65535;
}

bool IsIpv6(std::string_view text) {
  char address[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof address) return false;
  for (const char c : text) {
    if (HexValue(c) < 0 && c != ':' && c != '.') return false;
  }
  text.copy(address, text.size());
  address[text.size()] = '\0';
  in6_addr parsed;
  return inet_pton(AF_INET6, address, &parsed) == 1;
}

// Where the host ends; 0 if it is malformed.
size_t HostEnd(std::string_view authority) {
  if (authority.front() == '[') {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos || !IsIpv6(authority.substr(1, close - 1))) return 0;
    return close + 1;
  }
  size_t end = 0;
  while (end < authority.size() && IsRegNameChar(authority[end])) ++end;
  return end;
}

}  // namespace

bool IsValidAuthority(std::string_view authority) {
  if (authority.empty()) return false;
  const size_t host_end = HostEnd(authority);
  if (host_end == 0) return false;
  if (host_end == authority.size()) return true;
  return authority[host_end] == ':' && IsValidPort(authority.substr(host_end + 1));
}

bool IsValidTarget(std::string_view target, Method method) {
  const char* const end = target.data() + target.size();
  return FindTargetEnd(target.data(), end) == end && HasTargetForm(target, method);
}

bool HasTargetForm(std::string_view target, Method method) {
  if (target.empty()) return false;
  if (method == Method::kConnect) {
    // The port is not optional here (RFC 9112 section 3.2.3).
    const size_t host_end = HostEnd(target);
    return host_end != 0 && host_end + 1 < target.size() && target[host_end] == ':' &&
           IsValidPort(target.substr(host_end + 1));
  }
  if (target.front() == '/') return HasValidTriplets(target);
  if (target == "*") return method == Method::kOptions;
  const size_t scheme = SchemeBytes(target);
  if (scheme == 0) return false;
  const size_t end = AuthorityEnd(target, scheme);
  return IsValidAuthority(target.substr(scheme, end - scheme)) &&
         (end == target.size() || HasValidTriplets(target.substr(end)));
}

Target SplitTarget(std::string_view target, Method method) {
  Target parts;
  if (method == Method::kConnect) {
    parts.form = TargetForm::kAuthority;
    parts.authority = target;
    return parts;
  }
  if (target.front() == '*') {
    parts.form = TargetForm::kAsterisk;
    parts.path = target;
    return parts;
  }
  if (target.front() != '/') {
    parts.form = TargetForm::kAbsolute;
    const size_t scheme = SchemeBytes(target);
    const size_t end = AuthorityEnd(target, scheme);
    parts.authority = target.substr(scheme, end - scheme);
    target.remove_prefix(end);
  }
  const size_t query = std::min(target.find('?'), target.size());
  parts.path = target.substr(0, query);
  parts.query = target.substr(query);
  if (parts.path.empty()) {
    // RFC 9112 section 3.2.4: OPTIONS without a path asks about the server itself.
    parts.path = method == Method::kOptions && parts.query.empty() ? "*" : "/";
  }
  return parts;
}

}  // namespace sluice::http
