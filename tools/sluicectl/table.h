// Rows under headers, columns aligned by what the terminal shows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/sluicectl/text.h"

namespace sluice::sluicectl {

struct Cell {
  Cell(std::string text_in, Style style_in = Style::kPlain)  // NOLINT: rows read as lists of words.
      : text(std::move(text_in)), style(style_in) {}
  Cell(const char* text_in) : text(text_in) {}  // NOLINT

  std::string text;
  Style style = Style::kPlain;
};

class Table {
 public:
  // Columns from `wide_from` on are shown only when `wide`.
  struct Options {
    bool wide = false;
    size_t wide_from = SIZE_MAX;
  };
  explicit Table(std::vector<std::string> headers) : Table(std::move(headers), Options{}) {}
  Table(std::vector<std::string> headers, Options options);

  // As many cells as headers. An empty cell is shown as "-".
  void AddRow(std::vector<Cell> cells);
  bool empty() const { return rows_.empty(); }
  Text ToText() const;

 private:
  size_t columns() const;

  std::vector<std::string> headers_;
  Options options_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace sluice::sluicectl
