#include "tools/redact/forms.h"

#include <algorithm>

#include "tools/redact/redact.h"
#include "tools/redact/secret_names.h"

namespace sluice::redact {
namespace {

constexpr size_t kCredentialBytesMin = 6;  // After "Bearer "; shorter words are prose.
constexpr size_t kUserInfoBytesMax = 512;  // Nobody's is longer; it is looked for at every word.

// RFC 6750's b68token, which Basic's base64 is part of; JWTs too.
bool IsTokenByte(char c) {
  return IsLetter(c) || IsDigit(c) || std::string_view("-._~+/=").find(c) != std::string_view::npos;
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

// Does a word begin at `at`? Also right behind an escape: \n, \x0a, \u000a.
bool BeginsWord(std::string_view text, size_t at) {
  if (at == 0 || !IsNameByte(text[at - 1])) return true;
  if (at >= 2 && text[at - 2] == '\\') return true;
  if (at >= 4 && text[at - 4] == '\\' && text[at - 3] == 'x') return true;
  return at >= 6 && text[at - 6] == '\\' && text[at - 5] == 'u';
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

// Of "eyJ....", the base64 of {" and two dots; 0: it is none.
size_t WebTokenLength(std::string_view text) {
  if (text.substr(0, 3) != "eyJ") return 0;
  const size_t length = TokenLength(text);
  const std::string_view token = text.substr(0, length);
  return length > 20 && std::count(token.begin(), token.end(), '.') >= 2 ? length : 0;
}

// The length of "user:password" at `at` when an '@' and a host follow; 0: none. Behind "//" a name
// alone is taken, too: it may be a token.
size_t UserInfoLength(std::string_view text, size_t at) {
  const bool in_url = at >= 2 && text.substr(at - 2, 2) == "//";
  bool has_colon = false;
  size_t length = 0;
  for (size_t i = at; i < std::min(text.size(), at + kUserInfoBytesMax); ++i) {
    const char c = text[i];
    if (IsBlank(c) || c == '/' || c == '"' || c == '\'' || c == '\n' || c == '\r') break;
    if (c == ',' && !in_url) break;
    if (c == ':' && i + 1 < text.size() && text[i + 1] != '@') has_colon |= in_url || i > at;
    // The last one: a password may have some, too.
    const bool host = i + 1 < text.size() && (IsNameByte(text[i + 1]) || text[i + 1] == '[');
    if (c == '@' && host && i > at && (has_colon || in_url)) length = i - at;
  }
  return length;
}

std::string WithoutCredentials(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (BeginsWord(text, i)) {
      const std::string_view rest = text.substr(i);
      size_t credential = 0;
      if (const size_t scheme = SchemeLength(rest, &credential); scheme != 0) {
        out.append(rest.substr(0, scheme)).append(kRedacted);
        i += scheme + credential;
        continue;
      }
      const size_t length = std::max(WebTokenLength(rest), UserInfoLength(text, i));
      if (length != 0) {
        out.append(kRedacted);
        i += length;
        continue;
      }
    }
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

}  // namespace

std::string WithoutLongForms(std::string_view text) {
  return WithoutOurTokens(WithoutSealed(WithoutPrivateKeys(text)));
}

std::string WithoutCredentialForms(std::string_view text) { return WithoutCredentials(text); }

}  // namespace sluice::redact
