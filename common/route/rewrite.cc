// HostOf, StripPrefix and PickWeighted of route_table.h.
#include <algorithm>

#include "common/base/check.h"
#include "common/route/match.h"
#include "common/route/route_table.h"

namespace sluice::route {
namespace {

bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }

std::string_view WithoutPort(std::string_view authority) {
  if (authority.starts_with('[')) {  // An IPv6 address keeps its brackets.
    const size_t bracket = authority.find(']');
    return bracket == std::string_view::npos ? authority : authority.substr(0, bracket + 1);
  }
  return authority.substr(0, authority.find(':'));
}

}  // namespace

std::string_view HostOf(std::string_view authority, std::string* scratch) {
  std::string_view host = WithoutPort(authority);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (std::none_of(host.begin(), host.end(), IsUpper)) return host;
  scratch->assign(host);
  for (char& c : *scratch) {
    if (IsUpper(c)) c = static_cast<char>(c - 'A' + 'a');
  }
  return *scratch;
}

Stripped StripPrefix(std::string_view path, std::string_view strip_prefix, std::string*) {
  if (strip_prefix.empty() || strip_prefix == "/") return {path, {}};
  size_t end = PrefixEnd(path, strip_prefix);
  if (end == kNoMatch) return {path, {}};
  end = std::min(path.find('/', end), path.size());  // Past the parameters.
  std::string_view rest = path.substr(end);
  while (rest.starts_with("//")) rest.remove_prefix(1);  // Only where the path was not normalised.
  return {rest.empty() ? std::string_view("/") : rest, path.substr(0, end)};
}

int PickWeighted(std::span<const uint32_t> cumulative_weights, uint64_t random) {
  SLUICE_CHECK(!cumulative_weights.empty() && cumulative_weights.back() > 0);
  __extension__ using Wide = unsigned __int128;
  const auto ticket = static_cast<uint32_t>((Wide{random} * cumulative_weights.back()) >> 64);
  size_t chosen = 0;  // A walk: routes have a handful of clusters.
  while (cumulative_weights[chosen] <= ticket) ++chosen;
  return static_cast<int>(chosen);
}

}  // namespace sluice::route
