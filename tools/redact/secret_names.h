// Which names say that their values are secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::redact {

enum class Secrecy : uint8_t {
  kNone,
  kScalar,  // Of parameters and header fields (auth, session); as a key it may also hold a block.
  kAll,     // Whatever is under it.
};

// password, token, api_key, Authorization, X-Auth-Token, Cookie, "API key", ...
Secrecy SecrecyOf(std::string_view name);
inline bool IsSecretName(std::string_view name) { return SecrecyOf(name) != Secrecy::kNone; }

// Nothing but a secret's name: "api-key" is, "token-service" is not.
bool IsBareSecretName(std::string_view name);

// Things that hold a name and a value side by side: `{name: Cookie, value: x}`.
bool IsKeyOfName(std::string_view key);
bool IsKeyOfValue(std::string_view key);

// Letters alone, in lower case.
std::string LettersOf(std::string_view name);

inline bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }
inline bool IsBlank(char c) { return c == ' ' || c == '\t'; }
inline bool IsNameByte(char c) {
  return IsLetter(c) || IsDigit(c) || c == '_' || c == '-' || c == '.';
}

}  // namespace sluice::redact
