#include "tools/sluicectl/table.h"

#include <algorithm>

#include "common/base/check.h"

namespace sluice::sluicectl {
namespace {

constexpr size_t kGap = 3;

std::string_view Shown(const Cell& cell) {
  return cell.text.empty() ? "-" : std::string_view(cell.text);
}

}  // namespace

Table::Table(std::vector<std::string> headers, Options options)
    : headers_(std::move(headers)), options_(options) {}

size_t Table::columns() const {
  return options_.wide ? headers_.size() : std::min(headers_.size(), options_.wide_from);
}

void Table::AddRow(std::vector<Cell> cells) {
  SLUICE_CHECK(cells.size() == headers_.size());
  rows_.push_back(std::move(cells));
}

Text Table::ToText() const {
  std::vector<size_t> widths(columns());
  for (size_t i = 0; i < widths.size(); ++i) {
    widths[i] = headers_[i].size();
    for (const auto& row : rows_) {
      widths[i] = std::max(widths[i], DisplayWidth(EscapeForTerminal(Shown(row[i]))));
    }
  }
  Text text;
  for (size_t i = 0; i < widths.size(); ++i) {
    text.AddPadded(headers_[i], i + 1 < widths.size() ? widths[i] + kGap : 0, Style::kBold);
  }
  text.EndLine();
  for (const auto& row : rows_) {
    for (size_t i = 0; i < widths.size(); ++i) {
      text.AddPadded(Shown(row[i]), i + 1 < widths.size() ? widths[i] + kGap : 0, row[i].style);
    }
    text.EndLine();
  }
  return text;
}

}  // namespace sluice::sluicectl
