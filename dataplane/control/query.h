// Query strings of the admin pages.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace sluice::control {

using QueryValues = std::multimap<std::string, std::string, std::less<>>;

// "a=1&b=x%20y+z": escapes and "+" are decoded, malformed escapes stay as they are.
QueryValues ParseQuery(std::string_view query);

// The first value under `key`; `otherwise` when there is none or it is empty.
std::string ValueOf(const QueryValues& values, std::string_view key, std::string_view otherwise);

}  // namespace sluice::control
