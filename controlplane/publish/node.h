// What the controller knows of one proxy.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "controlplane/publish/node_view.h"
#include "controlplane/publish/traffic_history.h"
#include "sluice/v1/admin_service.pb.h"
#include "sluice/v1/control_service.pb.h"

namespace sluice::publish {

enum class Stage : uint8_t {
  kIdle,       // Nothing on its way.
  kOffered,    // Waiting for Prepared or Rejected.
  kPrepared,   // Waiting for the others, then for Commit.
  kCommitted,  // Waiting for Effective.
};

// A version, and the root of what a node gets of it (placement.h): another one where services are
// placed on other nodes.
struct Meant {
  v1::Version version;
  std::string root;
};

struct ProxyNode {
  // Of the newest entries of the lists below.
  static constexpr size_t kRejectionsMax = 16;
  static constexpr size_t kBootsMax = 8;

  std::string id;
  v1::Hello hello;                // With the labels that count: operators' win over the node's own.
  bool knows_everything = false;  // By its Hello; see capabilities.h.
  // What operators said of it.
  bool cordoned = false;  // It is offered nothing and keeps what it has.
  std::map<std::string, std::string> labels_set;
  std::map<std::string, std::string> labels_claimed;  // What it says of itself.
  std::string peer;
  uint64_t stream = 0;       // 0: not connected.
  int64_t last_seen_ms = 0;  // Times are monotonic; unix_ms says so in its name.
  int64_t last_seen_unix_ms = 0;

  v1::Version version;  // What it serves, as it last said.
  std::string
      placed_root;  // The root of what it has of `version`: another where services are placed.
  std::string base_root;  // What the next delta builds on: what it has once it has read all.
  int64_t version_since_unix_ms = 0;

  Stage stage = Stage::kIdle;
  v1::Version offered;       // Of the offer, or commit, that `stage` speaks of.
  std::string offered_root;  // The root of what it gets of that.
  bool dry_run = false;
  bool resynced = false;  // A second Resync for the same offer ends in a rejection.
  int64_t deadline_ms = 0;
  bool lagging = false;  // Missed its deadline and has not caught up since.

  // Never offered again to this boot, unless a dry run shows that it has been mended. What it
  // refuses is what it would have got: with other labels it gets something else.
  struct Rejection {
    std::string root;
    std::vector<v1::ResourceError> errors;
  };
  std::deque<Rejection> rejections;  // Oldest first.
  // The last one's, until a version is effective.
  std::vector<v1::ResourceError> errors;
  std::string errors_root;  // Of the whole version.
  int commits_failed = 0;   // In a row.

  v1::Report report;
  v1::Report previous_report;  // Counters only.
  int64_t report_ms = 0, previous_report_ms = 0;
  TrafficHistory history;
  uint64_t bytes_sent = 0;  // Of snapshots, on this stream.
  std::string note;         // Such as: took over from another process.
  // Processes whose stream a newer process of the same name has taken over.
  std::deque<std::string> replaced_boots;

  bool connected() const { return stream != 0; }
  // Whether versions are meant for it at all; who asks this decides who takes part in a rollout.
  bool takes_versions() const { return connected() && !cordoned; }
  void SetHello(const v1::Hello& said);
  // As it said it, without what operators set.
  v1::Hello HelloAsSaid() const;
  void SetLabels(std::map<std::string, std::string> labels);
  const Rejection* FindRejection(const std::string& root) const;
  // `version_root`: of the version that it was to be.
  void NoteRejected(const std::string& root, const std::string& version_root,
                    const std::vector<v1::ResourceError>& why);
  // The same, but its errors are not what people are shown.
  void RememberRejected(const std::string& root, const std::vector<v1::ResourceError>& why);
  void ForgetRejected(const std::string& root);
};

// Reports missed before a node counts as unreachable.
inline constexpr int kReportsMissed = 3;

// Computed from what is known at `now_ms`, never stored. `target`: what the node is to have.
v1::NodeStatus StatusOf(const ProxyNode& node, const Meant& target, int64_t now_ms,
                        int64_t report_interval_ms);

// What a rollout of `asked` judges it by.
NodeView ViewOf(const ProxyNode& node, const Meant& asked, const std::string& order_by,
                int64_t now_ms, int64_t report_interval_ms);

// Only the state of it.
v1::NodeStatus::State StateOf(const ProxyNode& node, const Meant& target, int64_t now_ms,
                              int64_t report_interval_ms);

// Takes the place of the node's report, the counters of which become its previous one's. One node's
// words do not fill our memory.
void KeepReport(const v1::Report& report, ProxyNode* node);
// A change between two reports.
void NoteHealth(const v1::EndpointHealth& health, v1::Report* report);

// A stranger's first words: names and labels must be short and printable, the protocol one we
// speak.
absl::Status CheckHello(const v1::Hello& hello);

}  // namespace sluice::publish
