#include "dataplane/http/target.h"

#include <arpa/inet.h>

#include <string>

#include "dataplane/http/char_class.h"

namespace sluice::http {
namespace {

// Length of "http://" or "https://", 0 for anything else. Schemes are case-insensitive.
size_t SchemeLength(std::string_view target) {
  if (target.size() > 7 && EqualsLower(target.substr(0, 7), "http://")) return 7;
  if (target.size() > 8 && EqualsLower(target.substr(0, 8), "https://")) return 8;
  return 0;
}

bool IsValidPathAndQuery(std::string_view text) {
  bool in_query = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c <= 0x20 || c >= 0x7f || c == '#') return false;
    if (c == '?') in_query = true;
    if (c == '%' && !in_query) {
      if (i + 2 >= text.size() || HexValue(text[i + 1]) < 0 || HexValue(text[i + 2]) < 0) {
        return false;
      }
    }
  }
  return true;
}

bool IsValidPort(std::string_view port) {
  if (port.size() > 5) return false;
  int value = 0;
  for (const char c : port) {
    if (!IsDigit(c)) return false;
    value = value * 10 + (c - '0');
  }
  return value <= 65535;
}

bool IsIpv6(std::string_view text) {
  char address[64];
  if (text.size() >= sizeof address) return false;
  text.copy(address, text.size());
  address[text.size()] = '\0';
  in6_addr parsed;
  return inet_pton(AF_INET6, address, &parsed) == 1;
}

}  // namespace

bool IsValidAuthority(std::string_view authority) {
  if (authority.empty()) return false;
  size_t host_end = 0;
  if (authority.front() == '[') {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos || !IsIpv6(authority.substr(1, close - 1))) return false;
    host_end = close + 1;
  } else {
    while (host_end < authority.size() && IsRegNameChar(authority[host_end])) ++host_end;
    if (host_end == 0) return false;
  }
  if (host_end == authority.size()) return true;
  return authority[host_end] == ':' && IsValidPort(authority.substr(host_end + 1));
}

bool IsValidTarget(std::string_view target, Method method) {
  if (target.empty()) return false;
  if (method == Method::kConnect) {
    return IsValidAuthority(target) && target.find_last_of(':') != std::string_view::npos;
  }
  if (target.front() == '/') return IsValidPathAndQuery(target);
  if (target == "*") return method == Method::kOptions;
  const size_t scheme = SchemeLength(target);
  if (scheme == 0) return false;
  const size_t end = std::min(target.find_first_of("/?", scheme), target.size());
  return IsValidAuthority(target.substr(scheme, end - scheme)) &&
         IsValidPathAndQuery(target.substr(end));
}

Target SplitTarget(std::string_view target, Method method) {
  Target parts;
  if (method == Method::kConnect) {
    parts.authority = target;
    return parts;
  }
  const size_t scheme = target.front() == '/' ? 0 : SchemeLength(target);
  if (scheme != 0) {
    const size_t end = std::min(target.find_first_of("/?", scheme), target.size());
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
