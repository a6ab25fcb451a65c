// What the controller knows of one proxy.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/v1/admin_service.pb.h"
#include "sluice/v1/control_service.pb.h"

namespace sluice::publish {

enum class Stage : uint8_t {
  kIdle,      // Nothing on its way.
  kOffered,   // Waiting for Prepared or Rejected.
  kPrepared,  // Waiting for the others, then for Commit.
  kCommitted, // Waiting for Effective.
};

struct Node {
  std::string id;
  v1::Hello hello;
  std::string peer;
  uint64_t stream = 0;       // 0: not connected.
  int64_t connected_ms = 0;  // Times are monotonic; unix_ms says so in its name.
  int64_t last_seen_ms = 0;
  int64_t last_seen_unix_ms = 0;

  v1::Version version;       // What it serves, as it last said.
  std::string base_root;     // What the next delta builds on: what it serves or will once it has read all.
  int64_t version_since_unix_ms = 0;

  Stage stage = Stage::kIdle;
  v1::Version offered;
  bool dry_run = false;
  int64_t prepare_deadline_ms = 0;
  bool lagging = false;      // Missed the prepare timeout and has not caught up since.
  bool resynced = false;     // A second Resync for the same offer ends in a rejection.

  std::string rejected_root;  // Never offered again to this boot.
  std::vector<v1::ResourceError> errors;

  v1::Report report, previous_report;
  int64_t report_ms = 0, previous_report_ms = 0;
  uint64_t bytes_sent = 0;    // Of snapshots, on this stream.
  std::string note;           // Such as: replaced by a newer process.

  bool connected() const { return stream != 0; }
};

// Reports missed before a node counts as unreachable.
inline constexpr int kReportsMissed = 3;

// Computed from what is known at `now_ms`, never stored.
v1::NodeStatus StatusOf(const Node& node, const v1::Version& released, int64_t now_ms,
                        int64_t report_interval_ms);

}  // namespace sluice::publish
