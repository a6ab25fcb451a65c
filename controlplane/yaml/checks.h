// What a text must be to stand for a name, a host, an address...: those of common/config/words.h in
// the terms of the document, and the few that only the document needs.
//
// Each returns what is wrong, with the remedy, or nothing.
#pragma once

#include <string>
#include <string_view>

namespace sluice::yaml {

std::string CheckNotEmpty(std::string_view text);
std::string CheckNodeAddress(std::string_view text);
std::string CheckCidr(std::string_view text);
std::string CheckHostPattern(std::string_view text);  // Exact, *.suffix or *; any case.
std::string CheckPathPrefix(std::string_view text);
std::string CheckRedirectPath(std::string_view text);
std::string CheckHashOn(std::string_view text);
std::string CheckFile(std::string_view text);
std::string CheckLogPath(std::string_view text);
std::string CheckMethod(std::string_view text);
std::string CheckUrl(std::string_view text);

// Host names do not care for case; they are kept in lower case.
std::string LowerCase(std::string_view text);

}  // namespace sluice::yaml
