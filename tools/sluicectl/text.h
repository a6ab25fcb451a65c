// Lines for a person, with colours kept apart from the words.
//
// Whatever is added is escaped: names, messages and file content come from strangers and must not
// drive the terminal. The only escape sequences ever written are those that Render and LiveBlock
// make.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::sluicectl {

enum class Style { kPlain, kBold, kDim, kRed, kGreen, kYellow, kCyan };

// Control characters (C0, DEL, C1) and the marks that reorder bidirectional text become visible
// escapes; bytes that are not UTF-8 become \xHH.
std::string EscapeForTerminal(std::string_view text);

// Columns a terminal gives to escaped UTF-8 text: two for East Asian wide characters, none for
// combining ones.
size_t DisplayWidth(std::string_view text);

// The longest prefix that fits in `columns`.
std::string_view CutToWidth(std::string_view text, size_t columns);

class Text {
 public:
  struct Span {
    std::string text;  // Escaped.
    Style style;
  };
  using Spans = std::vector<Span>;

  // Adds to the last line.
  Text& Add(std::string_view text, Style style = Style::kPlain);
  Text& AddPadded(std::string_view text, size_t columns, Style style = Style::kPlain);
  Text& EndLine();
  // A whole line of its own.
  Text& Line(std::string_view text, Style style = Style::kPlain);
  Text& Append(const Text& other);

  bool empty() const { return lines_.empty(); }
  size_t line_count() const { return lines_.size(); }
  const Spans& line(size_t index) const { return lines_[index]; }

  std::string Render(bool color) const;
  // One line without its end, cut to `columns` (0: not cut).
  std::string RenderLine(size_t index, bool color, size_t columns) const;

 private:
  Spans& Last();

  std::vector<Spans> lines_;
  bool open_ = false;  // The last line may still grow.
};

}  // namespace sluice::sluicectl
