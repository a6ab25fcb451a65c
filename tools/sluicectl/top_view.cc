#include "tools/sluicectl/top_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/base/utf8.h"
#include "tools/sluicectl/fitted_line.h"
#include "tools/sluicectl/format.h"
#include "tools/sluicectl/node_table.h"
#include "tools/sluicectl/node_text.h"
#include "tools/sluicectl/top_header.h"

namespace sluice::sluicectl {
namespace {

constexpr size_t kNameColumnsMin = 12;
constexpr size_t kNameColumnsMax = 40;
constexpr size_t kExtraColumnsMin = 12;

struct Column {
  std::string_view title;
  size_t width;
  bool is_figure;                // Aligned to the right.
  std::optional<TopColumn> key;  // By which it can be sorted.
};

// The name comes before them and has what they leave. On a narrow terminal the last ones go.
constexpr std::array<Column, 8> kColumns = {{
    {"STATE", 11, false, TopColumn::kState},
    {"VERSION", 7, true, TopColumn::kVersion},
    {"REQ/S", 6, true, TopColumn::kRequests},
    {"5XX", 6, true, TopColumn::kErrors},
    {"P99", 7, true, TopColumn::kP99},
    {"CONNS", 6, true, TopColumn::kConnections},
    {"DOWN", 6, true, TopColumn::kUnhealthy},
    {"UPTIME", 6, true, TopColumn::kUptime},
}};

struct Layout {
  size_t name = 0;
  size_t shown = kColumns.size();  // Of kColumns.
  size_t labels = 0;               // 0: no such column.
  size_t address = 0;
};

size_t WidthOf(size_t columns_shown) {
  size_t width = 0;
  for (size_t i = 0; i < columns_shown; ++i) width += 1 + kColumns[i].width;
  return width;
}

Layout LayOut(const TopModel& model, size_t columns) {
  Layout layout;
  while (layout.shown > 0 && WidthOf(layout.shown) + kNameColumnsMin > columns) --layout.shown;
  const size_t left = columns - WidthOf(layout.shown);
  size_t longest = kNameColumnsMin;
  size_t labels = 0;
  size_t address = 0;
  for (const v1::NodeStatus* node : model.nodes()) {
    longest = std::max(longest, DisplayWidth(EscapeForTerminal(node->node_id())));
    labels = std::max(
        labels, DisplayWidth(EscapeForTerminal(
                    LabelsText({node->hello().labels().begin(), node->hello().labels().end()}))));
    address = std::max(address, DisplayWidth(EscapeForTerminal(node->peer_address())));
  }
  layout.name = std::min({longest, kNameColumnsMax, left});
  size_t spare = left - layout.name;
  const auto take = [&spare](size_t wanted) {
    if (wanted == 0 || spare <= kExtraColumnsMin) return size_t{0};
    const size_t width = std::min(std::max(wanted, kExtraColumnsMin), spare - 1);
    spare -= width + 1;
    return width;
  };
  layout.address = take(address);
  layout.labels = take(labels);
  return layout;
}

void AddTitles(const TopModel& model, const Layout& layout, size_t columns, Text* out) {
  const auto style = [&model](std::optional<TopColumn> key) {
    return key == model.sorted_by() ? Style::kCyan : Style::kBold;
  };
  FittedLine line(columns);
  line.AddCell("NAME", layout.name, false, style(TopColumn::kName));
  for (size_t i = 0; i < layout.shown; ++i) {
    line.Add(" ");
    line.AddCell(kColumns[i].title, kColumns[i].width, kColumns[i].is_figure,
                 style(kColumns[i].key));
  }
  for (const auto& [width, title] :
       {std::pair(layout.address, "ADDRESS"), std::pair(layout.labels, "LABELS")}) {
    if (width == 0) continue;
    line.Add(" ");
    line.AddCell(title, width, false, Style::kBold);
  }
  line.EndIn(out);
}

struct CellText {
  std::string text;
  Style style = Style::kPlain;
};

// As kColumns lists them.
std::array<CellText, kColumns.size()> CellsOf(const v1::NodeStatus& node) {
  const v1::Report& report = node.report();
  const uint64_t revision = node.version().revision();
  std::array<CellText, kColumns.size()> cells = {
      {{StateName(node.state()), StateStyle(node.state())},
       {revision == 0 ? "-" : fmt::format("{}", revision)}}};
  if (!node.has_report()) {
    std::fill(cells.begin() + 2, cells.end(), CellText{"-"});
    return cells;
  }
  const auto unhealthy = std::count_if(report.endpoints().begin(), report.endpoints().end(),
                                       [](const auto& endpoint) { return !endpoint.healthy(); });
  cells[2] = {FormatRate(node.requests_per_second())};
  cells[3] = {FormatRatio(node.error_ratio()), ErrorStyle(node.error_ratio())};
  cells[4] = {FormatLatency(node.p99_ms())};
  cells[5] = {fmt::format("{}", report.downstream_connections())};
  cells[6] = {fmt::format("{}/{}", unhealthy, report.endpoints_size()),
              unhealthy > 0 ? Style::kYellow : Style::kPlain};
  cells[7] = {FormatAge(static_cast<int64_t>(report.uptime_seconds()))};
  return cells;
}

void AddNode(const v1::NodeStatus& node, const Layout& layout, size_t columns, Text* out) {
  FittedLine line(columns);
  line.AddCell(node.node_id(), layout.name, false, Style::kPlain);
  const auto cells = CellsOf(node);
  for (size_t i = 0; i < layout.shown; ++i) {
    line.Add(" ");
    line.AddCell(cells[i].text, kColumns[i].width, kColumns[i].is_figure, cells[i].style);
  }
  for (const auto& [width, text] :
       {std::pair(layout.address, node.peer_address()),
        std::pair(layout.labels,
                  LabelsText({node.hello().labels().begin(), node.hello().labels().end()}))}) {
    if (width == 0) continue;
    line.Add(" ");
    line.AddCell(text, width, false, Style::kPlain);
  }
  line.EndIn(out);
}

std::string_view NameOf(TopColumn column) {
  if (column == TopColumn::kName) return "NAME";
  for (const Column& known : kColumns) {
    if (known.key == column) return known.title;
  }
  return "";
}

std::string FootOfNodes(const TopModel& model) {
  const std::string filter = model.filter().empty()
                                 ? ""
                                 : fmt::format("'{}': {} of {}  ", model.filter(),
                                               model.nodes().size(), model.status().nodes_size());
  return fmt::format("{}q quit  ? help  Enter open  ! problems  / filter  s sort ({} {})  r turn",
                     filter, NameOf(model.sorted_by()), model.descending() ? "down" : "up");
}

void AddNodesPage(TopModel* model, const TerminalSize& size, size_t rows, TopFrame* frame) {
  const Layout layout = LayOut(*model, size.columns);
  AddTitles(*model, layout, size.columns, &frame->text);
  rows -= std::min<size_t>(rows, 1);
  model->Fit(model->nodes().size(), rows);
  size_t used = 0;
  for (size_t i = model->first_line(); i < model->nodes().size() && used < rows; ++i, ++used) {
    if (i == model->selected()) frame->marked_line = frame->text.line_count();
    AddNode(*model->nodes()[i], layout, size.columns, &frame->text);
  }
  if (model->nodes().empty() && rows > 0) {
    const bool hidden = model->has_status() && model->status().nodes_size() > 0;
    AddFitted(&frame->text, size.columns, hidden ? "No node matches the filter." : "No nodes.",
              Style::kDim);
    ++used;
  }
  for (; used < rows; ++used) frame->text.EndLine();
}

Text HelpText() {
  Text text;
  for (const auto& [keys, meaning] : {
           std::pair("Up, Down, k, j", "move"),
           std::pair("PgUp, PgDn, Space", "move by a page"),
           std::pair("Home, End, g, G", "first, last"),
           std::pair("Enter", "open the node: traffic by version, endpoints and why, errors"),
           std::pair("!", "all that is wrong with the fleet, and what to do about it"),
           std::pair("s, >, <", "sort by the next or previous column"),
           std::pair("r", "reverse the order"),
           std::pair("/", "show only nodes with this text in name, state, version, labels,"),
           std::pair("", "address, build or reason; Esc shows all again"),
           std::pair("q, Esc", "back; on the first page: quit"),
       }) {
    text.AddPadded(keys, 20, Style::kBold).Add(meaning).EndLine();
  }
  text.EndLine();
  for (const auto& [column, meaning] : {
           std::pair("REQ/S, 5XX, P99", "since the report before, two seconds ago"),
           std::pair("DOWN", "endpoints the node finds unhealthy, of all it knows"),
           std::pair("UPTIME", "of the proxy's process"),
       }) {
    text.AddPadded(column, 20, Style::kBold).Add(meaning).EndLine();
  }
  return text;
}

Text FindingsText(const TopModel& model) {
  Text text;
  for (const Finding& finding : model.findings()) {
    text.Line(finding.what, finding.urgent ? Style::kRed : Style::kYellow);
    text.AddPadded("", 4).Add("next: ").Add(finding.next).EndLine();
  }
  if (text.empty()) text.Line(model.has_status() ? "All is well." : "Nothing is known yet.");
  return text;
}

// What is longer than a line goes on in the next one, indented.
Text Wrapped(const Text& text, size_t columns) {
  const std::string_view indent = columns < 20 ? "" : "    ";
  Text out;
  for (size_t i = 0; i < text.line_count(); ++i) {
    FittedLine line(columns);
    for (const Text::Span& span : text.line(i)) {
      for (std::string_view rest = span.text; !rest.empty();) {
        const std::string_view part = CutToWidth(rest, line.left());
        line.Add(part, span.style);
        rest.remove_prefix(part.size());
        if (rest.empty()) break;
        if (part.empty() && line.left() + indent.size() >= columns) break;  // It fits nowhere.
        line.EndIn(&out);
        line = FittedLine(columns);
        line.Add(indent);
      }
    }
    line.EndIn(&out);
  }
  return out;
}

// `text` from the model's first line on.
void AddScrolled(TopModel* model, const Text& text, const TerminalSize& size, size_t rows,
                 Text* out) {
  model->Fit(text.line_count(), rows);
  for (size_t i = 0; i < rows; ++i) {
    const size_t index = model->first_line() + i;
    FittedLine line(size.columns);
    if (index < text.line_count()) {
      for (const Text::Span& span : text.line(index)) line.Add(span.text, span.style);
    }
    line.EndIn(out);
  }
}

std::string FootOfScrolled(const TopModel& model, size_t lines, size_t rows) {
  if (lines <= rows) return "Esc back";
  return fmt::format("Esc back  Up/Down/PgUp/PgDn move  lines {}-{} of {}", model.first_line() + 1,
                     std::min(model.first_line() + rows, lines), lines);
}

void AddFoot(const TopModel& model, const TerminalSize& size, const std::string& hint,
             TopFrame* frame) {
  FittedLine line(size.columns);
  if (model.typing()) {
    // The end of what is typed stays in sight.
    std::string typed = EscapeForTerminal(model.filter());
    while (!typed.empty() && DisplayWidth(typed) + 2 > size.columns) {
      typed.erase(0, std::max<size_t>(base::Utf8Length(typed), 1));
    }
    line.Add("/");
    line.Add(typed);
    frame->cursor_column = std::min(size.columns - line.left(), size.columns - 1);
  } else {
    line.Add(hint, Style::kDim);
  }
  line.EndIn(&frame->text);
}

// Of every page but the first.
Text PageText(const TopModel& model, int64_t now) {
  switch (model.page()) {
    case TopModel::Page::kHelp:
      return HelpText();
    case TopModel::Page::kFindings:
      return FindingsText(model);
    default:
      break;
  }
  if (const v1::NodeStatus* node = model.opened(); node != nullptr) return NodeText(*node, now);
  return Text().Line(fmt::format("The controller knows no node {} any more.", model.opened_id()));
}

}  // namespace

TopFrame DrawTop(TopModel* model, const std::string& controller, const TerminalSize& size,
                 int64_t now_unix_ms) {
  constexpr size_t kRowsMin = 4;  // What is the matter, titles, a node, keys.
  TopFrame frame;
  if (size.columns == 0 || size.rows < kRowsMin) {
    AddFitted(&frame.text, size.columns, "too small");
    return frame;
  }
  const size_t header = AddTopHeader(*model, controller, size, now_unix_ms, &frame.text);
  const size_t rows = size.rows - header - 1;
  if (model->page() == TopModel::Page::kNodes) {
    AddNodesPage(model, size, rows, &frame);
    AddFoot(*model, size, FootOfNodes(*model), &frame);
    return frame;
  }
  const Text text = Wrapped(PageText(*model, now_unix_ms), size.columns);
  AddScrolled(model, text, size, rows, &frame.text);
  AddFoot(*model, size, FootOfScrolled(*model, text.line_count(), rows), &frame);
  return frame;
}

}  // namespace sluice::sluicectl
