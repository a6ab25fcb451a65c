#include "tools/redact/shapes.h"

#include <algorithm>
#include <array>

#include "tools/redact/redact.h"
#include "tools/redact/secret_names.h"
#include "tools/redact/yaml_place.h"

namespace sluice::redact {
namespace {

constexpr size_t kPortDigitsMax = 5;

template <size_t N>
bool IsOneOf(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

size_t CountBlanks(std::string_view text) { return IndentOf(text); }

size_t NameLength(std::string_view text) {
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), IsNameByte) - text.begin());
}

bool IsSecondWord(std::string_view letters) {
  constexpr std::array<std::string_view, 5> kSecond = {"key", "keys", "id", "phrase", "word"};
  return IsOneOf(kSecond, letters);
}

bool IsScheme(std::string_view word) {
  constexpr std::array<std::string_view, 6> kSchemes = {"bearer", "basic",     "digest",
                                                        "token",  "negotiate", "apikey"};
  return IsOneOf(kSchemes, LettersOf(word));
}

bool IsKindOfThing(std::string_view letters) {
  constexpr std::array<std::string_view, 4> kKinds = {"node", "upstream", "cluster", "route"};
  return IsOneOf(kKinds, letters);
}

bool IsPortOrLine(std::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), IsDigit);
  const auto digits = static_cast<size_t>(end - text.begin());
  return digits > 0 && digits <= kPortDigitsMax && (end == text.end() || !IsNameByte(*end));
}

bool IsHostOrFile(std::string_view name, bool behind_slash) {
  const size_t dash = name.rfind('-');
  const bool numbered =
      dash != std::string_view::npos && dash + 1 < name.size() &&
      std::all_of(name.begin() + static_cast<std::ptrdiff_t>(dash) + 1, name.end(), IsDigit);
  return behind_slash || numbered || name.find('.') != std::string_view::npos;
}

bool IsEntry(std::string_view text) {
  if (text.substr(0, kRedacted.size()) == kRedacted) return true;
  if (StartsWith(text, '-') || text.find(": ") != std::string_view::npos || text.ends_with(':')) {
    return true;
  }
  if (BackslashesBeforeQuote(text) == std::string_view::npos) return false;
  const size_t end = std::min(QuotedLength(text), text.size());
  return StartsWith(text.substr(end), ':');
}

bool IsMapping(std::string_view text) {
  if (!StartsWith(text, '{')) return false;
  text.remove_prefix(1);
  text.remove_prefix(CountBlanks(text));
  if (text.empty()) return true;
  const size_t backslashes = BackslashesBeforeQuote(text);
  if (backslashes != std::string_view::npos) text.remove_prefix(backslashes + 1);
  const size_t length = NameLength(text);
  if (length == 0) return false;
  text.remove_prefix(std::min(text.find_first_not_of("\\\"'", length), text.size()));
  return StartsWith(text, ':');
}

bool IsRedacted(std::string_view value, char separator) {
  if (value.substr(0, kRedacted.size()) != kRedacted) return false;
  value.remove_prefix(kRedacted.size());
  if (separator == '=' && (value.empty() || IsBlank(value[0]))) return true;
  value.remove_prefix(CountBlanks(value));
  return value.empty() || std::string_view("#,}]\"'&;\\").find(value[0]) != std::string_view::npos;
}

size_t PlainLength(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (IsBlank(c) || c == '&' || c == ';') return i;
    if (c != ',') continue;
    const size_t after = i + 1 + NameLength(text.substr(i + 1));
    if (after > i + 1 && after < text.size() && text[after] == '=') return i;
  }
  return text.size();
}

}  // namespace sluice::redact
