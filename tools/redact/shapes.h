// What names, values and lines look like, as redact_lines.cc asks.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::redact {

inline bool StartsWith(std::string_view text, char c) { return !text.empty() && text[0] == c; }

// At the begin of `text`.
size_t CountBlanks(std::string_view text);
size_t NameLength(std::string_view text);
// In `name=value`. A comma ends it only before another such.
size_t PlainLength(std::string_view text);

// Of a name's letters (secret_names.h): "key" of "API key".
bool IsSecondWord(std::string_view letters);
// The same: what our messages name before a colon: "node token-1: connection refused".
bool IsKindOfThing(std::string_view letters);
// In `authorization=SCHEME CREDENTIAL`.
bool IsScheme(std::string_view word);

// Behind a colon: `8443` behind a host, `12:3` behind a file.
bool IsPortOrLine(std::string_view text);
bool IsHostOrFile(std::string_view name, bool behind_slash);

// `name: ...`, `- ...`, `---`; also what we have been at.
bool IsEntry(std::string_view text);
// `{user: x`, or a brace and nothing.
bool IsMapping(std::string_view text);
// Our own mark, and behind it nothing of a value.
bool IsRedacted(std::string_view value, char separator);

}  // namespace sluice::redact
