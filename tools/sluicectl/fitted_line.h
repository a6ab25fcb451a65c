// A line under construction that is never wider than it may be.
#pragma once

#include <cstddef>
#include <string_view>

#include "tools/sluicectl/text.h"

namespace sluice::sluicectl {

class FittedLine {
 public:
  explicit FittedLine(size_t columns) : left_(columns) {}

  // What has no room is left out.
  void Add(std::string_view text, Style style = Style::kPlain);
  // In exactly `width` columns; what is cut ends in '~'.
  void AddCell(std::string_view text, size_t width, bool to_the_right, Style style);

  size_t left() const { return left_; }
  // It is of no use afterwards.
  void EndIn(Text* out) { out->Append(text_.EndLine()); }

 private:
  size_t left_;
  Text text_;
};

// A line of its own.
void AddFitted(Text* out, size_t columns, std::string_view text, Style style = Style::kPlain);

}  // namespace sluice::sluicectl
