// Takes secrets out of what leaves the house.
//
// Errs on the side of taking too much: what looks like a secret, by its name or by its form, goes.
// Lines stay where they are, so that the places problems name are still right.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace sluice::redact {

using Json = nlohmann::ordered_json;

inline constexpr std::string_view kRedacted = "[redacted]";

// Configuration, logs, messages: private keys in PEM, values of secret names (`name: value`,
// `name=value`, blocks, and `value:` beside `name: SECRET`; see secret_names.h), Bearer and Basic
// credentials, JSON web tokens, user:password@ of addresses, and of our own: tokens of proxies and
// operators, seal keys, sealed bytes.
std::string RedactText(std::string_view text);

// The same for every string in it, and whole values of members with secret names.
void RedactJson(Json* value);

}  // namespace sluice::redact
