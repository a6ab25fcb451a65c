#include "common/route/match.h"

#include <algorithm>

namespace sluice::route {
namespace {

size_t FindOrEnd(std::string_view text, std::string_view any_of, size_t from) {
  return std::min(text.find_first_of(any_of, from), text.size());
}

}  // namespace

bool HostMatches(std::string_view host, std::string_view pattern) {
  if (pattern.empty() || pattern == "*") return true;
  if (!pattern.starts_with("*.")) return host == pattern;
  const std::string_view dotted_suffix = pattern.substr(1);
  return host.size() > dotted_suffix.size() && host.ends_with(dotted_suffix);
}

size_t PrefixEnd(std::string_view path, std::string_view prefix) {
  if (prefix.empty() || prefix == "/") return 0;
  size_t at = 0;       // In `path`; at the "/" before the next segment.
  size_t wanted = 0;   // The same in `prefix`.
  size_t matched = 0;  // End of the last segment's name in `path`.
  while (wanted < prefix.size()) {
    if (at >= path.size() || path[at] != '/' || prefix[wanted] != '/') return kNoMatch;
    if (wanted + 1 == prefix.size()) return at;  // It ends in "/", and so far does the path.
    const size_t name_end = FindOrEnd(path, "/;", at + 1);
    const size_t wanted_end = FindOrEnd(prefix, "/", wanted + 1);
    if (path.substr(at, name_end - at) != prefix.substr(wanted, wanted_end - wanted))
      return kNoMatch;
    matched = name_end;
    at = FindOrEnd(path, "/", name_end);
    wanted = wanted_end;
  }
  return matched;
}

}  // namespace sluice::route
