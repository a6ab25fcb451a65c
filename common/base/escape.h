// Text from strangers made fit for one line of a log.
#pragma once

#include <string>
#include <string_view>

namespace sluice::base {

// Appends `text` as the inside of a JSON string (RFC 8259 section 7), without the quotes. Bytes
// that are not UTF-8 become U+FFFD, so the result always parses.
void AppendJsonEscaped(std::string* out, std::string_view text);

// Appends `text` with control characters as \n, \r, \t or \xHH and bytes that are not UTF-8 as
// \xHH: it cannot end the line nor drive a terminal.
void AppendPlainEscaped(std::string* out, std::string_view text);

}  // namespace sluice::base
