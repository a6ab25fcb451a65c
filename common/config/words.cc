#include "common/config/words.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/base/address.h"
#include "common/route/path.h"

namespace sluice::config {
namespace {

constexpr size_t kNameBytesMax = 128;
constexpr size_t kLabelBytesMax = 256;
constexpr size_t kHostBytesMax = 253;  // RFC 1035 section 2.3.4.
constexpr size_t kHostLabelBytesMax = 63;
constexpr uint32_t kDurationMaxMs = 24 * 60 * 60 * 1000;

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool ConsistsOf(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(), [others](char c) {
    return IsAlphanumeric(c) || others.find(c) != std::string_view::npos;
  });
}

bool IsBracketedIp(std::string_view host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' &&
         host.find(':') != std::string_view::npos &&
         base::IsIpAddress(host.substr(1, host.size() - 2));
}

}  // namespace

std::string NameProblem(std::string_view name) {
  if (name.empty()) return "the name is missing";
  if (name.size() > kNameBytesMax) {
    return fmt::format("the name has {} bytes; at most {} are allowed", name.size(), kNameBytesMax);
  }
  if (!IsAlphanumeric(name.front()) || !ConsistsOf(name, "._-:/")) {
    return fmt::format(
        "'{}' is no name; begin with a letter or digit and use letters, digits, '.', '_', '-', ':' "
        "and '/' only",
        name);
  }
  return {};
}

std::string LabelProblem(std::string_view label) {
  const size_t equals = label.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return fmt::format("'{}' is no label; write key=value", label);
  }
  if (label.size() > kLabelBytesMax) {
    return fmt::format("the label has {} bytes; at most {} are allowed", label.size(),
                       kLabelBytesMax);
  }
  const bool is_word = std::all_of(label.begin(), label.end(),
                                   [](char c) { return c > ' ' && c < 0x7f && c != ','; });
  if (!is_word) {
    return fmt::format("'{}' is no label; use printable ASCII without spaces and commas", label);
  }
  return {};
}

std::string HostNameProblem(std::string_view name) {
  if (name.empty()) return "the host name is empty";
  if (name.size() > kHostBytesMax) {
    return fmt::format("the host name has {} bytes; at most {} are allowed", name.size(),
                       kHostBytesMax);
  }
  for (std::string_view rest = name;;) {
    const std::string_view label = rest.substr(0, rest.find('.'));
    if (label.empty()) {
      return fmt::format("'{}' has an empty label; remove the dot too many", name);
    }
    if (label.size() > kHostLabelBytesMax) {
      return fmt::format("'{}' has a label of more than {} bytes", name, kHostLabelBytesMax);
    }
    if (!ConsistsOf(label, "-_")) {
      return fmt::format("'{}' is not a host name; use letters, digits, '-', '_' and '.'", name);
    }
    if (label.size() == rest.size()) return {};
    rest.remove_prefix(label.size() + 1);
  }
}

std::string HostPatternProblem(std::string_view pattern) {
  if (pattern.empty() || pattern == "*" || IsBracketedIp(pattern)) return {};
  const bool has_upper =
      std::any_of(pattern.begin(), pattern.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (has_upper) return fmt::format("'{}' must be in lower case", pattern);
  if (pattern.find(':') != std::string_view::npos) {
    return fmt::format("'{}' must not name a port; every port matches", pattern);
  }
  const std::string_view name = pattern.starts_with("*.") ? pattern.substr(2) : pattern;
  if (name.find('*') != std::string_view::npos) {
    return fmt::format("'{}': a star may only stand for the first labels, as in '*.example.com'",
                       pattern);
  }
  return HostNameProblem(name);
}

std::string AuthorityProblem(std::string_view authority) {
  if (IsBracketedIp(authority)) return {};
  if (authority.find(':') == std::string_view::npos) return HostNameProblem(authority);
  const auto parsed = base::ParseHostPort(authority);
  if (!parsed.ok()) return std::string(parsed.status().message());
  return base::IsIpAddress(parsed->host) ? std::string() : HostNameProblem(parsed->host);
}

std::string SniProblem(std::string_view sni) {
  if (base::IsIpAddress(sni)) {
    return fmt::format("'{}' is an address; TLS server names are DNS names", sni);
  }
  return HostNameProblem(sni);
}

std::string AddressProblem(std::string_view address) {
  const auto resolved = base::ResolveNumeric(address);
  if (!resolved.ok()) return std::string(resolved.status().message());
  if (resolved->port() == 0) return fmt::format("'{}': port 0 cannot be used", address);
  return {};
}

std::string PathPatternProblem(std::string_view path, bool keep_encoded_slashes) {
  if (!path.starts_with('/')) return fmt::format("'{}' must begin with '/'", path);
  if (path.find(';') != std::string_view::npos) {
    return fmt::format("'{}' has a parameter (';'); parameters take no part in matching, remove it",
                       path);
  }
  std::string scratch;
  std::string_view normal;
  const route::NormalizedPath result = route::NormalizePath(path, &scratch, &normal);
  if (result.error != route::PathError::kNone) {
    return fmt::format("'{}' can never match: {}", path, route::Describe(result.error));
  }
  if (normal != path) {
    return fmt::format("'{}' can never match, for paths are normalised first; write '{}'", path,
                       normal);
  }
  if (result.has_encoded_slash && !keep_encoded_slashes) {
    return fmt::format("'{}' can never match: the route refuses %2F; set keep_encoded_slashes",
                       path);
  }
  return {};
}

std::string GrpcServiceProblem(std::string_view service) {
  constexpr size_t kBytesMax = 256;
  const bool named = std::all_of(service.begin(), service.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-' ||
           c == '/';
  });
  if (named && service.size() <= kBytesMax) return {};
  return fmt::format("'{}' is no gRPC service; give a name like shop.v1.Orders", service);
}

std::string TargetProblem(std::string_view target) {
  const bool printable =
      std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  if (target.starts_with('/') && printable && target.find('#') == std::string_view::npos) return {};
  return fmt::format("'{}' must begin with '/' and have no blanks, controls or '#'", target);
}

std::string UpgradeProblem(std::string_view protocol) {
  const std::string_view name = protocol.substr(0, protocol.find('/'));
  if (name == "h2c" || name == "http" || name == "tls") {
    return fmt::format(
        "'{}' cannot be switched to: its requests would get past the routes; remove it", protocol);
  }
  const size_t slash = name.size();
  const bool good =
      IsToken(name) && (slash == protocol.size() || IsToken(protocol.substr(slash + 1)));
  const bool lower =
      std::none_of(protocol.begin(), protocol.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (good && lower) return {};
  return fmt::format("'{}' is no protocol in lower case; write one like 'websocket'", protocol);
}

std::string RetryConditionProblem(std::string_view condition) {
  for (const std::string_view word :
       {"connect_failure", "reset", "timeout", "gateway_error", "5xx"}) {
    if (condition == word) return {};
  }
  const bool status =
      condition.size() == 3 && condition[0] >= '3' && condition[0] <= '5' &&
      std::all_of(condition.begin(), condition.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (status) return {};
  return fmt::format(
      "'{}' is nothing to retry on; give connect_failure, reset, timeout, gateway_error, 5xx or a "
      "status from 300 to 599",
      condition);
}

std::string FieldValueProblem(std::string_view value) {
  const bool clean = std::all_of(value.begin(), value.end(), [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
  });
  if (!clean) return "the value has control characters, which a header field must not";
  if (!value.empty() && (value.front() == ' ' || value.back() == ' ')) {
    return fmt::format("'{}' begins or ends with a blank; remove it", value);
  }
  return {};
}

bool IsToken(std::string_view text) { return !text.empty() && ConsistsOf(text, "!#$%&'*+-.^_`|~"); }

std::string DurationProblem(uint32_t milliseconds) {
  if (milliseconds <= kDurationMaxMs) return {};
  return fmt::format(
      "{} ms is more than a day; give at most {} ms, or 0 for the default or no limit",
      milliseconds, kDurationMaxMs);
}

}  // namespace sluice::config
