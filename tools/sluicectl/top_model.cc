#include "tools/sluicectl/top_model.h"

#include <algorithm>
#include <cmath>

#include "tools/sluicectl/config_view.h"
#include "tools/sluicectl/node_table.h"

namespace sluice::sluicectl {
namespace {

std::string Lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return text;
}

bool Matches(const v1::NodeStatus& node, const std::string& lowered_filter) {
  if (lowered_filter.empty()) return true;
  const std::string text =
      node.node_id() + '\n' + StateName(node.state()) + '\n' +
      std::to_string(node.version().revision()) + '\n' +
      LabelsText({node.hello().labels().begin(), node.hello().labels().end()}) + '\n' +
      node.peer_address() + '\n' + node.hello().build_version() + '\n' + node.reason();
  return Lower(text).find(lowered_filter) != std::string::npos;
}

// What needs a look comes first.
int RankOf(v1::NodeStatus::State state) {
  switch (state) {
    case v1::NodeStatus::REJECTED:
      return 0;
    case v1::NodeStatus::UNREACHABLE:
      return 1;
    case v1::NodeStatus::LAGGING:
      return 2;
    case v1::NodeStatus::CORDONED:
      return 3;
    case v1::NodeStatus::DRAINING:
      return 4;
    case v1::NodeStatus::UPDATING:
      return 5;
    case v1::NodeStatus::SYNCED:
      return 6;
    default:
      return 7;
  }
}

int64_t UnhealthyOf(const v1::NodeStatus& node) {
  const auto& endpoints = node.report().endpoints();
  return std::count_if(endpoints.begin(), endpoints.end(),
                       [](const auto& endpoint) { return !endpoint.healthy(); });
}

template <typename Number>
int OrderOf(Number a, Number b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

// What is no number would have no place in the order.
double Figure(double value) { return std::isfinite(value) ? value : 0; }

// Negative: `a` comes first in ascending order.
int Compare(TopColumn column, const v1::NodeStatus& a, const v1::NodeStatus& b) {
  switch (column) {
    case TopColumn::kName:
      return 0;
    case TopColumn::kState:
      return OrderOf(RankOf(a.state()), RankOf(b.state()));
    case TopColumn::kVersion:
      return OrderOf(a.version().revision(), b.version().revision());
    case TopColumn::kRequests:
      return OrderOf(Figure(a.requests_per_second()), Figure(b.requests_per_second()));
    case TopColumn::kErrors:
      return OrderOf(Figure(a.error_ratio()), Figure(b.error_ratio()));
    case TopColumn::kP99:
      return OrderOf(Figure(a.p99_ms()), Figure(b.p99_ms()));
    case TopColumn::kConnections:
      return OrderOf(a.report().downstream_connections(), b.report().downstream_connections());
    case TopColumn::kUnhealthy:
      return OrderOf(UnhealthyOf(a), UnhealthyOf(b));
    case TopColumn::kUptime:
      return OrderOf(a.report().uptime_seconds(), b.report().uptime_seconds());
  }
  return 0;
}

TopTotals TotalsOf(const v1::FleetStatus& status) {
  TopTotals totals;
  double errors = 0;
  for (const v1::NodeStatus& node : status.nodes()) {
    if (node.state() == v1::NodeStatus::UNREACHABLE) continue;
    totals.requests_per_second += node.requests_per_second();
    errors += node.requests_per_second() * node.error_ratio();
    totals.p99_ms = std::max(totals.p99_ms, node.p99_ms());
    totals.connections += node.report().downstream_connections();
  }
  if (totals.requests_per_second > 0) totals.error_ratio = errors / totals.requests_per_second;
  for (const auto& [name, endpoint] : CollectHealth(status)) {
    if (endpoint.healthy < endpoint.nodes) ++totals.endpoints_unhealthy;
  }
  return totals;
}

// A whole character of UTF-8.
void DropLastCharacter(std::string* text) {
  while (!text->empty()) {
    const auto byte = static_cast<unsigned char>(text->back());
    text->pop_back();
    if ((byte & 0xC0) != 0x80) return;
  }
}

}  // namespace

void TopModel::OnStatus(v1::FleetStatus status, int64_t now_unix_ms) {
  nodes_.clear();  // They point into what goes.
  status_ = std::move(status);
  status_unix_ms_ = now_unix_ms;
  disconnected_.clear();
  findings_ = JudgeFleet(status_, now_unix_ms);
  totals_ = TotalsOf(status_);
  Arrange();
}

void TopModel::OnDisconnected(std::string reason) {
  disconnected_ = reason.empty() ? "the stream ended" : std::move(reason);
}

bool TopModel::descending() const {
  // Names and troubles from the first, figures from the largest.
  const bool ascends = column_ == TopColumn::kName || column_ == TopColumn::kState;
  return ascends == reversed_;
}

// The selection stays on its node; where that has gone, on its place.
void TopModel::Arrange() {
  const std::string filter = Lower(filter_);
  nodes_.clear();
  for (const v1::NodeStatus& node : status_.nodes()) {
    if (Matches(node, filter)) nodes_.push_back(&node);
  }
  const bool falling = descending();
  std::stable_sort(nodes_.begin(), nodes_.end(),
                   [&](const v1::NodeStatus* a, const v1::NodeStatus* b) {
                     const int order = Compare(column_, *a, *b);
                     if (order != 0) return falling ? order > 0 : order < 0;
                     // Equals by name, which only its own column turns around.
                     const bool turned = falling && column_ == TopColumn::kName;
                     return turned ? b->node_id() < a->node_id() : a->node_id() < b->node_id();
                   });
  const auto same = std::find_if(nodes_.begin(), nodes_.end(), [this](const auto* node) {
    return node->node_id() == selected_id_;
  });
  Select(same != nodes_.end() ? static_cast<size_t>(same - nodes_.begin()) : selected_);
}

void TopModel::Select(size_t index) {
  selected_ = nodes_.empty() ? 0 : std::min(index, nodes_.size() - 1);
  if (!nodes_.empty()) selected_id_ = nodes_[selected_]->node_id();
}

const v1::NodeStatus* TopModel::opened() const {
  for (const v1::NodeStatus& node : status_.nodes()) {
    if (node.node_id() == opened_id_) return &node;
  }
  return nullptr;
}

void TopModel::Fit(size_t lines, size_t rows) {
  lines_ = lines;
  rows_ = std::max<size_t>(rows, 1);
  const size_t last_first = lines_ > rows_ ? lines_ - rows_ : 0;
  size_t& first = page() == Page::kNodes ? first_node_ : first_detail_;
  first = std::min(first, last_first);
  if (page() != Page::kNodes) return;
  if (selected_ < first) first = selected_;
  if (selected_ >= first + rows_) first = selected_ - rows_ + 1;
}

bool TopModel::OnKey(const KeyPress& key) {
  if (typing_) {
    OnFilterKey(key);
    return true;
  }
  const char byte = key.code == KeyPress::Code::kText ? key.byte : '\0';
  if (byte == '?' || byte == 'h') {
    Open(Page::kHelp);
  } else if (byte == '!') {
    Open(Page::kFindings);
  } else if (page() == Page::kNodes) {
    return OnNodesKey(key);
  } else {
    OnDetailKey(key);
  }
  return true;
}

// The key of the page that is shown leads back; one that lies beneath it stays there.
void TopModel::Open(Page page) {
  if (page == this->page()) return Back();
  if (std::find(pages_.begin(), pages_.end(), page) != pages_.end()) return;
  pages_.push_back(page);
  first_detail_ = 0;
}

void TopModel::Back() {
  if (pages_.size() > 1) pages_.pop_back();
  first_detail_ = 0;
}

// True when `key` is one of those that move.
bool TopModel::Scroll(const KeyPress& key, size_t count, size_t* position) const {
  const size_t last = count == 0 ? 0 : count - 1;
  const size_t page = std::max<size_t>(rows_, 2) - 1;  // A line stays in sight.
  switch (key.code) {
    case KeyPress::Code::kUp:
      *position -= std::min<size_t>(*position, 1);
      return true;
    case KeyPress::Code::kDown:
      *position = std::min(*position + 1, last);
      return true;
    case KeyPress::Code::kPageUp:
      *position -= std::min(*position, page);
      return true;
    case KeyPress::Code::kPageDown:
      *position = std::min(*position + page, last);
      return true;
    case KeyPress::Code::kHome:
      *position = 0;
      return true;
    case KeyPress::Code::kEnd:
      *position = last;
      return true;
    case KeyPress::Code::kText:
      if (key.byte == 'j') return Scroll({KeyPress::Code::kDown}, count, position);
      if (key.byte == 'k') return Scroll({KeyPress::Code::kUp}, count, position);
      if (key.byte == ' ') return Scroll({KeyPress::Code::kPageDown}, count, position);
      if (key.byte == 'g') return Scroll({KeyPress::Code::kHome}, count, position);
      if (key.byte == 'G') return Scroll({KeyPress::Code::kEnd}, count, position);
      return false;
    default:
      return false;
  }
}

bool TopModel::OnNodesKey(const KeyPress& key) {
  size_t wanted = selected_;
  if (Scroll(key, nodes_.size(), &wanted)) {
    Select(wanted);
    return true;
  }
  switch (key.code) {
    case KeyPress::Code::kText:
      return OnNodesText(key.byte);
    case KeyPress::Code::kEnter:
      if (nodes_.empty()) return true;
      opened_id_ = nodes_[selected_]->node_id();
      Open(Page::kNode);
      return true;
    case KeyPress::Code::kEscape:
      if (filter_.empty()) return false;
      filter_.clear();
      Arrange();
      return true;
    default:
      return true;
  }
}

bool TopModel::OnNodesText(char byte) {
  switch (byte) {
    case 'q':
      return false;
    case 's':
    case '>':
      Turn(+1);
      break;
    case '<':
      Turn(-1);
      break;
    case 'r':
      reversed_ = !reversed_;
      Arrange();
      break;
    case '/':
      typing_ = true;
      break;
    default:
      break;
  }
  return true;
}

void TopModel::Turn(int columns) {
  const int next = (static_cast<int>(column_) + columns + kTopColumns) % kTopColumns;
  column_ = static_cast<TopColumn>(next);
  reversed_ = false;
  Arrange();
}

void TopModel::OnDetailKey(const KeyPress& key) {
  if (Scroll(key, lines_, &first_detail_)) return;
  const bool back = key.code == KeyPress::Code::kEscape || key.code == KeyPress::Code::kEnter ||
                    key.code == KeyPress::Code::kBackspace ||
                    (key.code == KeyPress::Code::kText && key.byte == 'q');
  if (back) Back();
}

void TopModel::OnFilterKey(const KeyPress& key) {
  switch (key.code) {
    case KeyPress::Code::kEnter:
      typing_ = false;
      return;
    case KeyPress::Code::kEscape:
      typing_ = false;
      filter_.clear();
      break;
    case KeyPress::Code::kBackspace:
      DropLastCharacter(&filter_);
      break;
    case KeyPress::Code::kText:
      if (filter_.size() < kFilterBytesMax) filter_ += key.byte;
      break;
    default:
      return;
  }
  Arrange();
}

}  // namespace sluice::sluicectl
