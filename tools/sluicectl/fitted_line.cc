#include "tools/sluicectl/fitted_line.h"

#include <algorithm>
#include <string>

namespace sluice::sluicectl {

void FittedLine::Add(std::string_view text, Style style) {
  const std::string escaped = EscapeForTerminal(text);
  const std::string_view cut = CutToWidth(escaped, left_);
  left_ -= DisplayWidth(cut);
  if (!cut.empty()) text_.Add(cut, style);
}

void FittedLine::AddCell(std::string_view text, size_t width, bool to_the_right, Style style) {
  std::string escaped = EscapeForTerminal(text);
  if (DisplayWidth(escaped) > width) {
    escaped = std::string(CutToWidth(escaped, width == 0 ? 0 : width - 1)) + "~";
  }
  const std::string padding(width - std::min(width, DisplayWidth(escaped)), ' ');
  if (to_the_right) Add(padding);
  Add(escaped, style);
  if (!to_the_right) Add(padding);
}

void AddFitted(Text* out, size_t columns, std::string_view text, Style style) {
  FittedLine line(columns);
  line.Add(text, style);
  line.EndIn(out);
}

}  // namespace sluice::sluicectl
