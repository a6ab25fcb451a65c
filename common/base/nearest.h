// "Did you mean ...?" for keys, flags and names.
#pragma once

#include <span>
#include <string_view>

namespace sluice::base {

// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (no part
// edited twice).
int EditDistance(std::string_view a, std::string_view b);

// The known word nearest to `word`, or empty when none is near enough to be meant: at most one edit
// for every three letters (at least one, at most three). Case and '-' against '_' do not count. The
// first of equals wins.
std::string_view NearestWord(std::string_view word, std::span<const std::string_view> known);

}  // namespace sluice::base
