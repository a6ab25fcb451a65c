// One node's half of the control protocol, without the wire: what a proxy says, and what it has.
//
// Belongs to one event loop. It outlives its streams, as a proxy's snapshot does.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "sluice/v1/control_service.pb.h"
#include "tools/fleetsim/observer.h"
#include "tools/fleetsim/offer_receiver.h"
#include "tools/fleetsim/options.h"

namespace sluice::fleetsim {

struct SimIdentity {
  int index = 0;
  std::string node_id, boot_id;
  std::map<std::string, std::string> labels;
};

// What a node says after `delay`. Those of one node leave in the order they were made.
struct Utterance {
  v1::ProxyMessage message;
  std::chrono::milliseconds delay{0};
};

class Protocol {
 public:
  // `options`, `pool` and `observer` must outlive it.
  Protocol(SimIdentity identity, Conduct conduct, const SimOptions& options, SnapshotPool& pool,
           Observer& observer);

  // As if it had been left on disk by an earlier run. Before the first stream.
  void StartWith(SnapshotPtr snapshot, const v1::Version& version);

  v1::ProxyMessage Hello();  // A stream begins: what the one before left half-done is forgotten.
  std::vector<Utterance> OnMessage(const v1::ControllerMessage& message, size_t bytes,
                                   int64_t now_us);
  void OnLeaving(const v1::ProxyMessage& message, int64_t now_us);  // Just before it is written.
  void OnLost(int64_t now_us);
  // A serialised v1::ProxyMessage. Empty: it says nothing.
  std::string Report();

  Conduct conduct() const { return conduct_; }
  bool welcomed() const { return welcomed_; }
  std::chrono::milliseconds report_interval() const { return report_interval_; }
  // Set by Backoff: the stream is to be closed and opened again not before this.
  std::optional<std::chrono::milliseconds> retry_after() const { return retry_after_; }
  const SnapshotPtr& snapshot() const { return current_; }
  const v1::Version& version() const { return version_; }

 private:
  using Utterances = std::vector<Utterance>;

  Utterances OnPrepare(const v1::Prepare& prepare);
  Utterances OnCommit(const v1::Version& version, int64_t now_us);
  Utterances Reject(const std::string& root, const std::string& why);
  Utterances Resync(const std::string& expected, const std::string& computed);
  Utterances Prepared(const std::string& root);
  void OnOffer(const v1::Offer& offer, int64_t now_us);
  void Begin(const v1::Version& version);
  std::chrono::milliseconds pace() const;

  const SimIdentity identity_;
  const Conduct conduct_;
  const SimOptions& options_;
  SnapshotPool& pool_;
  Observer& observer_;
  const SnapshotPtr nothing_;

  SnapshotPtr current_;
  v1::Version version_;
  uint64_t reports_ = 0;
  uint64_t requests_ = 0;                   // As last reported.
  uint64_t requests_before_ = 0;            // Of them under other versions than the present one.
  std::deque<v1::VersionTraffic> traffic_;  // Newest first; the first is the present version's.

  // Of the stream.
  bool welcomed_ = false;
  std::chrono::milliseconds report_interval_{2'000};
  std::optional<std::chrono::milliseconds> retry_after_;
  v1::Offer offer_;
  std::optional<OfferReceiver> receiver_;  // While chunks of offer_ are awaited.
  SnapshotPtr prepared_;
};

}  // namespace sluice::fleetsim
