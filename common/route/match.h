// What it means that a host or a path matches a route, for one pattern at a time. RouteTable must
// agree with these for every pattern at once.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::route {

// `pattern`: exact, "*.suffix" (one label or more before the suffix, never the suffix itself), "*"
// or empty for any. Both in lower case, without port.
bool HostMatches(std::string_view host, std::string_view pattern);

inline constexpr size_t kNoMatch = static_cast<size_t>(-1);

// Where in `path` the part matched by `prefix` ends, or kNoMatch. Whole segments are compared,
// without their parameters: "/admin" matches "/admin", "/admin/x", "/admin;x=1" and "/admin;x/y",
// not "/adminx";
// "/a/b" matches "/a;x/b". A prefix that ends in "/" wants the slash: "/api/" matches "/api/" and
// "/api/x", not "/api". Empty and "/" match every path. What follows the end is nothing, "/" or
// ";".
size_t PrefixEnd(std::string_view path, std::string_view prefix);

}  // namespace sluice::route
