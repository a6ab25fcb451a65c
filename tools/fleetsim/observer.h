// What happens to the fleet, gathered from all nodes.
//
// Thread-safe; nodes are told apart by their index. Times are Unix microseconds of this machine's
// clock, so that they can be set against those of whoever applies.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "tools/fleetsim/options.h"

namespace sluice::fleetsim {

struct NodeFigures {
  // Silent and flapping nodes are never settled for long; nobody waits for them.
  bool counted = true;
  bool connected = false;  // Welcomed.
  bool busy = false;       // Between an offer or commit and its end.
  uint64_t revision = 0;   // Effective.
  uint64_t streams = 0, rejections = 0, resyncs = 0, commands = 0;
  uint64_t received_bytes = 0;         // Of all messages, on all streams.
  uint64_t snapshot_bytes = 0;         // Of them, offers and chunks.
  uint64_t stream_snapshot_bytes = 0;  // Likewise, on the present or last stream.

  bool settled() const { return connected && !busy; }
};

struct VersionFigures {
  int64_t first_offer_us = 0;         // When the first node saw it.
  std::vector<int64_t> effective_us;  // When each node said that it is, in that order.
  std::vector<int64_t> offered_us;    // When each node saw the offer, or the commit alone.
};

// From the first stream lost, or the start, until every counted node was settled.
struct Outage {
  int64_t began_us = 0, settled_us = 0;  // settled_us 0: not yet.
  int streams_lost = 0;
  int64_t last_welcome_us = 0;
};

struct FleetFigures {
  std::vector<NodeFigures> nodes;
  std::map<uint64_t, VersionFigures> versions;  // By revision; the newest ones.
  std::deque<Outage> outages;                   // Oldest first; the first one is the start.
};

class Observer {
 public:
  static constexpr size_t kVersionsMax = 256, kOutagesMax = 256;
  // So long must the fleet stay settled before an outage counts as over: an offer may follow on a
  // Welcome's heels.
  static constexpr int64_t kSettledForUs = 250'000;

  Observer(const std::vector<Conduct>& conduct, int64_t now_us);

  void OnStartWith(int node, uint64_t revision);  // It has a version before its first stream.
  void OnStream(int node);                        // A new one begins.
  void OnWelcome(int node, int64_t now_us);
  void OnLost(int node, int64_t now_us);
  void OnReceived(int node, size_t bytes, bool of_snapshot);
  void OnOffer(int node, uint64_t revision, int64_t now_us);  // Or a commit without one.
  void OnEffective(int node, uint64_t revision, int64_t now_us);
  void OnRejected(int node, int64_t now_us);
  void OnDiscard(int node, int64_t now_us);
  void OnResync(int node);
  void OnCommand(int node);

  // Ends an outage that is over; to be called now and then.
  void Poll(int64_t now_us);
  FleetFigures figures() const;

 private:
  void Change(int node, int64_t now_us, bool connected, bool busy);
  NodeFigures& At(int node) { return figures_.nodes[static_cast<size_t>(node)]; }

  mutable std::mutex mutex_;  // Guards what follows.
  FleetFigures figures_;
  int unsettled_ = 0;  // Of the counted nodes.
  int64_t settled_since_us_ = 0;
};

}  // namespace sluice::fleetsim
