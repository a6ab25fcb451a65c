// Secrets that are known by their names, in YAML, JSON, headers, queries and prose.
#pragma once

#include <string>
#include <string_view>

namespace sluice::redact {

// Values of secret names (secret_names.h), line by line, with the lines on which they go on; lines
// stay where they are.
std::string WithoutSecretValues(std::string_view text);

// hash_on: what follows it names a cookie or a header field.
bool IsKeyOfNamesOnly(std::string_view key);

}  // namespace sluice::redact
