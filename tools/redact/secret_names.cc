#include "tools/redact/secret_names.h"

#include <algorithm>
#include <array>

namespace sluice::redact {
namespace {

// Anywhere in the letters of a name.
constexpr std::array<std::string_view, 14> kParts = {
    "password",   "passwd",     "passphrase",    "secret",     "token",  "apikey",  "accesskey",
    "privatekey", "signingkey", "authorization", "credential", "keypem", "sealkey", "sessionid"};
constexpr std::array<std::string_view, 3> kWhole = {"cookie", "setcookie", "pwd"};
constexpr std::array<std::string_view, 11> kScalars = {"auth",       "xauth", "pass", "session",
                                                       "xsession",   "sid",   "sig",  "signature",
                                                       "xsignature", "jwt",   "xjwt"};
constexpr std::array<std::string_view, 3> kKeysOfNames = {"name", "key", "header"};
constexpr std::array<std::string_view, 2> kKeysOfValues = {"value", "values"};

template <size_t N>
bool IsOneOf(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

std::string LettersOf(std::string_view name) {
  std::string letters;
  for (const char c : name) {
    if (IsLetter(c)) letters += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  return letters;
}

Secrecy SecrecyOf(std::string_view name) {
  const std::string letters = LettersOf(name);
  const bool has_part = std::any_of(kParts.begin(), kParts.end(), [&](std::string_view part) {
    return letters.find(part) != std::string::npos;
  });
  if (has_part || IsOneOf(kWhole, letters)) return Secrecy::kAll;
  return IsOneOf(kScalars, letters) ? Secrecy::kScalar : Secrecy::kNone;
}

bool IsBareSecretName(std::string_view name) {
  if (std::any_of(name.begin(), name.end(), IsDigit)) return false;
  const std::string letters = LettersOf(name);
  return IsOneOf(kParts, letters) || IsOneOf(kWhole, letters) || IsOneOf(kScalars, letters);
}

bool IsKeyOfName(std::string_view key) { return IsOneOf(kKeysOfNames, LettersOf(key)); }
bool IsKeyOfValue(std::string_view key) { return IsOneOf(kKeysOfValues, LettersOf(key)); }

}  // namespace sluice::redact
