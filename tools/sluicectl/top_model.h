// What `sluicectl top` shows, and how keys change it. No terminal, no clock, no connection.
//
// One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sluice/v1/admin_service.pb.h"
#include "tools/sluicectl/verdict.h"

namespace sluice::sluicectl {

struct KeyPress {
  enum class Code {
    kText,  // `byte` of UTF-8.
    kUp,
    kDown,
    kPageUp,
    kPageDown,
    kHome,
    kEnd,
    kEnter,
    kEscape,
    kBackspace,
    kOther,  // Means nothing here.
  };
  Code code = Code::kText;
  char byte = 0;
};

// In the order in which `s` goes through them.
enum class TopColumn {
  kName,
  kState,
  kVersion,
  kRequests,
  kErrors,
  kP99,
  kConnections,
  kUnhealthy,
  kUptime,
};
inline constexpr int kTopColumns = static_cast<int>(TopColumn::kUptime) + 1;

// Over the nodes that can be reached.
struct TopTotals {
  double requests_per_second = 0;
  double error_ratio = 0;  // Weighted by requests.
  double p99_ms = 0;       // Of the worst node.
  uint64_t connections = 0;
  size_t endpoints_unhealthy = 0;  // Each counted once, however many nodes see it.
};

class TopModel {
 public:
  enum class Page { kNodes, kNode, kFindings, kHelp };
  static constexpr size_t kFilterBytesMax = 64;

  void OnStatus(v1::FleetStatus status, int64_t now_unix_ms);
  // What is shown stays; the next status ends it.
  void OnDisconnected(std::string reason);

  // False: the user leaves.
  bool OnKey(const KeyPress& key);

  // Before drawing: how many lines of the page exist and fit. Keeps the selection in sight and the
  // scrolling within bounds; OnKey pages by it.
  void Fit(size_t lines, size_t rows);

  Page page() const { return pages_.back(); }
  bool has_status() const { return status_unix_ms_ != 0; }
  const v1::FleetStatus& status() const { return status_; }
  int64_t status_unix_ms() const { return status_unix_ms_; }
  const std::string& disconnected() const { return disconnected_; }  // Empty: connected.
  const std::vector<Finding>& findings() const { return findings_; }
  const TopTotals& totals() const { return totals_; }

  // Those that the filter lets through, in order. Pointers into status().
  const std::vector<const v1::NodeStatus*>& nodes() const { return nodes_; }
  size_t selected() const { return selected_; }  // Index in nodes(); 0 when there are none.
  size_t first_line() const { return page() == Page::kNodes ? first_node_ : first_detail_; }
  // On Page::kNode; null when the node has gone.
  const v1::NodeStatus* opened() const;
  const std::string& opened_id() const { return opened_id_; }

  TopColumn sorted_by() const { return column_; }
  bool descending() const;
  const std::string& filter() const { return filter_; }
  bool typing() const { return typing_; }  // The filter is being typed.

 private:
  void Arrange();
  bool OnNodesKey(const KeyPress& key);
  bool OnNodesText(char byte);
  void OnDetailKey(const KeyPress& key);
  void OnFilterKey(const KeyPress& key);
  void Open(Page page);
  void Back();
  void Select(size_t index);
  void Turn(int columns);
  bool Scroll(const KeyPress& key, size_t count, size_t* position) const;

  v1::FleetStatus status_;
  int64_t status_unix_ms_ = 0;
  std::string disconnected_;
  std::vector<Finding> findings_;
  TopTotals totals_;
  std::vector<const v1::NodeStatus*> nodes_;

  std::vector<Page> pages_ = {Page::kNodes};  // The last is shown; none is there twice.
  std::string selected_id_;
  std::string opened_id_;
  size_t selected_ = 0;
  size_t first_node_ = 0, first_detail_ = 0;
  size_t lines_ = 0, rows_ = 1;  // As last told to Fit.
  TopColumn column_ = TopColumn::kName;
  bool reversed_ = false;
  std::string filter_;
  bool typing_ = false;
};

}  // namespace sluice::sluicectl
