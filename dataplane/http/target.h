// The parts of a request target (RFC 9112 section 3.2) and of an authority (RFC 3986 section 3.2).
#pragma once

#include <string_view>

#include "dataplane/http/message.h"

namespace sluice::http {

enum class TargetForm : uint8_t { kOrigin, kAbsolute, kAuthority, kAsterisk };

struct Target {
  TargetForm form = TargetForm::kOrigin;
  std::string_view authority;  // Absolute-form and authority-form only; wins over Host (3.2.2).
  std::string_view path;       // Begins with "/", or is "*"; empty in authority-form.
  std::string_view query;      // With its "?"; empty if there is none.
};

// `target` has passed IsValidTarget.
Target SplitTarget(std::string_view target, Method method);

// Origin-form, absolute-form (http, https), asterisk-form for OPTIONS, authority-form for CONNECT;
// printable ASCII without "#" and with well-formed percent-triplets in the path.
bool IsValidTarget(std::string_view target, Method method);

// The same, except that every byte is known to be printable ASCII without "#".
bool HasTargetForm(std::string_view target, Method method);

// reg-name, IPv4 or [IPv6], and a port from 0 to 65535 if any; no userinfo. No percent-encoding: a
// name that is another once decoded gets past rules made for that other.
bool IsValidAuthority(std::string_view authority);

}  // namespace sluice::http
