#include "common/base/nearest.h"

#include <algorithm>
#include <string>
#include <vector>

namespace sluice::base {
namespace {

// Longer words are no slips of the pen, and the comparison is quadratic.
constexpr size_t kWordLettersMax = 64;

std::string Folded(std::string_view word) {
  std::string folded(word);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '-') c = '_';
  }
  return folded;
}

}  // namespace

int EditDistance(std::string_view a, std::string_view b) {
  // Three rows of the table: row i tells the distance of a's first i letters to every start of b.
  std::vector<int> before_last(b.size() + 1);
  std::vector<int> last(b.size() + 1);
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string_view NearestWord(std::string_view word, std::span<const std::string_view> known) {
  if (word.empty() || word.size() > kWordLettersMax) return {};
  const std::string folded = Folded(word);
  const int allowed = std::clamp(static_cast<int>(word.size()) / 3, 1, 3);
  std::string_view nearest;
  int nearest_distance = allowed + 1;
  for (const std::string_view candidate : known) {
    if (candidate.size() > kWordLettersMax) continue;
    const int distance = EditDistance(folded, Folded(candidate));
    if (distance < nearest_distance) {
      nearest_distance = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace sluice::base
