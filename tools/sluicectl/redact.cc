#include "tools/sluicectl/redact.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

namespace sluice::sluicectl {
namespace {

constexpr std::array<std::string_view, 13> kSecretParts = {
    "password",   "passwd",     "passphrase",    "secret",     "token",  "apikey", "accesskey",
    "privatekey", "signingkey", "authorization", "credential", "keypem", "sealkey"};
constexpr std::array<std::string_view, 4> kSecretNames = {"cookie", "setcookie", "pwd", "sig"};
// Names of things that hold a name and a value side by side.
constexpr std::array<std::string_view, 3> kNameKeys = {"name", "key", "header"};
constexpr std::array<std::string_view, 2> kValueKeys = {"value", "values"};
constexpr size_t kCredentialBytesMin = 6;  // After "Bearer "; shorter words are prose.

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameByte(char c) { return IsLetter(c) || IsDigit(c) || c == '_' || c == '-' || c == '.'; }
// RFC 6750's b68token, which Basic's base64 is part of; JWTs too.
bool IsTokenByte(char c) {
  return IsLetter(c) || IsDigit(c) || std::string_view("-._~+/=").find(c) != std::string_view::npos;
}
bool IsBlank(char c) { return c == ' ' || c == '\t'; }

std::string LettersOf(std::string_view name) {
  std::string letters;
  for (const char c : name) {
    if (IsLetter(c)) letters += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  return letters;
}

template <size_t N>
bool IsOneOf(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

void KeepLineEnds(std::string_view dropped, std::string* out) {
  out->append(static_cast<size_t>(std::count(dropped.begin(), dropped.end(), '\n')), '\n');
}

// ---- Private keys in PEM, in files, quoted strings and block scalars alike.

std::string WithoutPrivateKeys(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kEnd = "-----END ";
  constexpr std::string_view kDashes = "-----";
  std::string out;
  for (;;) {
    const size_t begin = text.find(kBegin);
    if (begin == std::string_view::npos) return out.append(text);
    const size_t label = begin + kBegin.size();
    const size_t label_end = std::min(text.find(kDashes, label), text.size());
    if (text.substr(label, label_end - label).find("PRIVATE KEY") == std::string_view::npos) {
      out.append(text.substr(0, label));
      text.remove_prefix(label);
      continue;
    }
    // A key that does not end takes the rest with it.
    size_t end = text.find(kEnd, label_end);
    if (end != std::string_view::npos) end = text.find(kDashes, end + kEnd.size());
    end = end == std::string_view::npos ? text.size() : end + kDashes.size();
    out.append(text.substr(0, begin)).append("[private key redacted]");
    KeepLineEnds(text.substr(begin, end - begin), &out);
    text.remove_prefix(end);
  }
}

// ---- What common/trust/seal.h has sealed. It does not say where it ends.

std::string WithoutSealed(std::string text) {
  const size_t begin = text.find("sluice sealed ");
  if (begin == std::string::npos) return text;
  std::string ends;
  KeepLineEnds(std::string_view(text).substr(begin), &ends);
  text.resize(begin);
  return text.append("[sealed, redacted]").append(ends);
}

// ---- Credentials by their form.

bool StartsWithWord(std::string_view text, std::string_view lower_word) {
  if (text.size() < lower_word.size()) return false;
  for (size_t i = 0; i < lower_word.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != lower_word[i]) return false;
  }
  return true;
}

size_t TokenLength(std::string_view text) {
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), IsTokenByte) -
                             text.begin());
}

// How many bytes of a credential follow "Bearer " or "Basic " at the start of `text`; 0: none.
size_t SchemeLength(std::string_view text, size_t* credential) {
  for (const std::string_view scheme : {"bearer ", "basic "}) {
    if (!StartsWithWord(text, scheme)) continue;
    *credential = TokenLength(text.substr(scheme.size()));
    if (*credential >= kCredentialBytesMin) return scheme.size();
  }
  return 0;
}

// "eyJ....": the base64 of {" and two dots.
bool IsWebToken(std::string_view token) {
  return token.size() > 20 && token.substr(0, 3) == "eyJ" &&
         std::count(token.begin(), token.end(), '.') >= 2;
}

// The length of "user:password" when an '@' and a host follow; 0: none.
size_t UserInfoLength(std::string_view text) {
  size_t colon = std::string_view::npos;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ':' && colon == std::string_view::npos) colon = i;
    if (c == '@') {
      const bool has_password = colon != std::string_view::npos && colon > 0 && colon + 1 < i;
      return has_password && i + 1 < text.size() && !IsBlank(text[i + 1]) ? i : 0;
    }
    if (IsBlank(c) || c == '/' || c == '"' || c == '\'' || c == '\n' || c == ',') return 0;
  }
  return 0;
}

std::string WithoutCredentials(std::string_view text) {
  std::string out;
  char before = '\n';
  for (size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    if (!IsNameByte(before)) {
      size_t credential = 0;
      if (const size_t scheme = SchemeLength(rest, &credential); scheme != 0) {
        out.append(rest.substr(0, scheme)).append(kRedacted);
        i += scheme + credential;
        before = ']';
        continue;
      }
      const size_t token = TokenLength(rest);
      const size_t info = UserInfoLength(rest);
      if (IsWebToken(rest.substr(0, token)) || info != 0) {
        out.append(kRedacted);
        i += info != 0 ? info : token;
        before = ']';
        continue;
      }
    }
    before = text[i];
    out += text[i++];
  }
  return out;
}

// ---- Tokens as common/trust/token_text.h writes them, of whatever version, whole or cut short.

std::string WithoutOurTokens(std::string text) {
  for (const std::string_view kind : {"sluice-join-", "sluice-operator-"}) {
    for (size_t at = text.find(kind); at != std::string::npos; at = text.find(kind, at)) {
      const size_t length = TokenLength(std::string_view(text).substr(at));
      const bool has_parts =
          std::string_view(text).substr(at, length).find('.') != std::string::npos;
      if (has_parts) text.replace(at, length, kRedacted);
      at += has_parts ? kRedacted.size() : length;
    }
  }
  return text;
}

// ---- Values of secret names, line by line.

size_t IndentOf(std::string_view line) {
  return static_cast<size_t>(std::find_if_not(line.begin(), line.end(), IsBlank) - line.begin());
}

// Length of the quoted string that `text` begins with, quotes included; up to the end if it has
// none on this line.
size_t QuotedLength(std::string_view text) {
  const char quote = text[0];
  for (size_t i = 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '\'' && i + 1 < text.size() && text[i + 1] == '\'') {
        ++i;
        continue;
      }
      return i + 1;
    }
  }
  return text.size();
}

class LineRedactor {
 public:
  std::string Run(std::string_view text) {
    while (!text.empty()) {
      const size_t end = text.find('\n');
      Line(text.substr(0, end));
      if (end == std::string_view::npos) break;
      out_ += '\n';
      text.remove_prefix(end + 1);
    }
    return std::move(out_);
  }

 private:
  void Line(std::string_view line) {
    if (in_block_) {
      const size_t indent = IndentOf(line);
      const bool item = indent == block_indent_ && line.substr(indent, 1) == "-" && block_is_list_;
      if (indent == line.size() || indent > block_indent_ || item) {
        if (indent < line.size()) out_.append(line.substr(0, indent)).append(kRedacted);
        return;
      }
      in_block_ = false;
    }
    for (size_t i = 0; i < line.size();) {
      if (!IsNameByte(line[i])) {
        out_ += line[i++];
        continue;
      }
      const size_t length = static_cast<size_t>(
          std::find_if_not(line.begin() + static_cast<std::ptrdiff_t>(i), line.end(), IsNameByte) -
          (line.begin() + static_cast<std::ptrdiff_t>(i)));
      const std::string_view name = line.substr(i, length);
      out_.append(name);
      i += length;
      i += Value(line, i, name);
    }
  }

  // After a name: what separates it from its value is passed on, and the value if it is secret is
  // not. Returns how many bytes that took.
  size_t Value(std::string_view line, size_t start, std::string_view name) {
    size_t i = start;
    if (i < line.size() && (line[i] == '"' || line[i] == '\'')) ++i;
    while (i < line.size() && IsBlank(line[i])) ++i;
    if (i >= line.size() || (line[i] != ':' && line[i] != '=')) return 0;
    const char separator = line[i++];
    const size_t blanks = i;
    while (i < line.size() && IsBlank(line[i])) ++i;
    const std::string letters = LettersOf(name);
    const std::string_view value = line.substr(i);
    // `hash_on: cookie:sid` names a cookie, `Cookie: sid=1` holds one.
    const bool names_only =
        separator == ':' && i == blanks && !value.empty() && value[0] != '"' && value[0] != '\'';
    const bool secret = IsSecretName(name) && !(names_only && IsOneOf(kSecretNames, letters));
    const bool named = IsOneOf(kValueKeys, letters) && name_was_secret_;
    if (IsOneOf(kNameKeys, letters)) NoteName(value);
    if (!secret && !named) return 0;
    name_was_secret_ = false;
    out_.append(line.substr(start, i - start));
    return i - start + Drop(line, i, separator);
  }

  // `name: Authorization`, of which the value follows.
  void NoteName(std::string_view value) {
    if (!value.empty() && (value[0] == '"' || value[0] == '\'')) value.remove_prefix(1);
    const auto end = std::find_if_not(value.begin(), value.end(), IsNameByte);
    name_was_secret_ = IsSecretName(value.substr(0, static_cast<size_t>(end - value.begin())));
  }

  size_t Drop(std::string_view line, size_t at, char separator) {
    const std::string_view value = line.substr(at);
    if (value.substr(0, kRedacted.size()) == kRedacted) return 0;
    const bool opens_block =
        separator == ':' &&
        (value.empty() || std::string_view("|>&#[{").find(value[0]) != std::string_view::npos);
    if (opens_block) {
      // What is deeper belongs to it; brackets that go on over lines are taken the same way.
      in_block_ = true;
      block_indent_ = IndentOf(line);
      block_is_list_ = value.empty();
      if (line.substr(block_indent_, 2) == "- ") block_indent_ += 2;
      if (!value.empty()) out_.append(kRedacted);
      return value.size();
    }
    out_.append(kRedacted);
    if (value.empty()) return 0;
    if (value[0] == '"' || value[0] == '\'') return QuotedLength(value);
    // Inside a quoted string ("Authorization: x") its end is kept.
    const std::string_view ends = separator == '=' ? "&;, \t\"'}" : OpenQuote(line.substr(0, at));
    return std::min(value.find_first_of(ends), value.size());
  }

  // The quote that is open at the end of `line`, as what ends a value there; empty: none.
  static std::string_view OpenQuote(std::string_view line) {
    char open = 0;
    for (size_t i = 0; i < line.size(); ++i) {
      if (open == '"' && line[i] == '\\') {
        ++i;
      } else if (open == 0 && (line[i] == '"' || line[i] == '\'')) {
        open = line[i];
      } else if (line[i] == open) {
        open = 0;
      }
    }
    if (open == '"') return "\"";
    return open == '\'' ? "'" : "";
  }

  std::string out_;
  bool in_block_ = false;
  bool block_is_list_ = false;  // Items may stand at the indent of their key.
  size_t block_indent_ = 0;
  bool name_was_secret_ = false;
};

}  // namespace

bool IsSecretName(std::string_view name) {
  const std::string letters = LettersOf(name);
  if (IsOneOf(kSecretNames, letters)) return true;
  return std::any_of(kSecretParts.begin(), kSecretParts.end(), [&](std::string_view part) {
    return letters.find(part) != std::string::npos;
  });
}

std::string RedactText(std::string_view text) {
  const std::string without_forms = WithoutOurTokens(WithoutSealed(WithoutPrivateKeys(text)));
  return WithoutCredentials(LineRedactor().Run(without_forms));
}

void RedactJson(Json* value) {
  if (value->is_string()) {
    *value = RedactText(value->get_ref<const std::string&>());
    return;
  }
  bool name_was_secret = false;
  if (value->is_object()) {
    for (const auto& [key, member] : value->items()) {
      name_was_secret |= IsOneOf(kNameKeys, LettersOf(key)) && member.is_string() &&
                         IsSecretName(member.get_ref<const std::string&>());
    }
  }
  if (!value->is_structured()) return;
  for (const auto& [key, member] : value->items()) {
    const bool named = value->is_object();
    const bool secret =
        named && (IsSecretName(key) || (name_was_secret && IsOneOf(kValueKeys, LettersOf(key))));
    if (secret) {
      member = std::string(kRedacted);
    } else {
      RedactJson(&member);
    }
  }
}

}  // namespace sluice::sluicectl
