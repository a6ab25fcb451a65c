// The proxy's half of the control protocol, without the wire: messages in, messages out, calls on
// the activator. One per stream.
//
// Control thread. The controller is trusted with what is served, not with our memory or our place
// in the protocol: sizes are bounded, what comes out of order is answered or ignored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/snapshot/delta.h"
#include "dataplane/control/activator.h"
#include "sluice/v1/control_service.pb.h"

namespace sluice::control {

struct NodeIdentity {
  std::string node_id;
  std::string boot_id;  // New at every start.
  std::map<std::string, std::string> labels;
  std::string bind_host;
  std::vector<v1::Rejected> refuses;  // Versions that killed the processes before.
};

// What a Command asks for; answers JSON or an error.
using CommandHandler = std::function<absl::StatusOr<std::string>(const v1::Command& command)>;

class Session {
 public:
  static constexpr uint32_t kProtocolVersion = 1;
  static constexpr uint64_t kSnapshotBytesMax = uint64_t{512} << 20;
  // gRPC refuses messages above 4 MiB and ends the stream for it.
  static constexpr size_t kMessageBytesMax = size_t{3} << 20;
  static constexpr uint32_t kReportIntervalMsMin = 50, kReportIntervalMsMax = 60'000;
  static constexpr uint32_t kRetryAfterMsMax = 600'000;

  using Send = std::function<void(v1::ProxyMessage message)>;

  // All must outlive the session. `send` must not destroy it.
  Session(const NodeIdentity& identity, Activator& activator, Dataplane& dataplane,
          CommandHandler on_command, Send send);
  // What was prepared for this stream is given up: a new one begins with a new offer. A commit that
  // is under way goes on, and the next Hello tells of it.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void Start();  // Sends Hello.
  void OnMessage(const v1::ControllerMessage& message);
  void SendReport();
  void SendHealthChange(const v1::EndpointHealth& health);

  bool welcomed() const { return welcomed_; }
  // Of the controller, as Welcome says; 0: it is the only one.
  uint64_t term() const { return term_; }
  const std::string& term_log() const { return term_log_; }
  uint32_t report_interval_ms() const { return report_interval_ms_; }
  // Set by Backoff: the stream is to be closed and opened again not before this.
  std::optional<uint32_t> retry_after_ms() const { return retry_after_ms_; }

 private:
  void OnWelcome(const v1::Welcome& welcome);
  void OnOffer(const v1::Offer& offer);
  void OnChunk(const v1::Chunk& chunk);
  void OnPrepare(const v1::Prepare& prepare);
  void OnCommit(const v1::Version& version);
  void OnDiscard(const v1::Discard& discard);
  void OnPreflight(const v1::Preflight& preflight);
  void OnCommand(const v1::Command& command);
  // The offer cannot become a snapshot: `status` decides whether sending everything may help.
  void RefuseOffer(const absl::Status& status, const std::string& computed_root);
  void SendPreflightReport();
  void SendPrepared(const std::string& root);
  void SendRejected(const std::string& root, std::vector<v1::ResourceError> errors);
  void SendResync(const std::string& expected, const std::string& computed);
  void SendApplied(const v1::Version& version);
  void SendEffective(const v1::Version& version);

  const NodeIdentity& identity_;
  Activator& activator_;
  Dataplane& dataplane_;
  const CommandHandler on_command_;
  const Send send_;
  v1::Offer offer_;                                // The newest.
  std::optional<snapshot::DeltaDecoder> decoder_;  // While chunks of offer_ are awaited.
  std::string warming_root_;                       // What is prepared and not yet answered for.
  std::string preflight_root_;                     // What a preflight was begun for; may be over.
  std::optional<v1::Rejected> rejected_;  // The answer to offer_, should it be asked again.
  uint32_t report_interval_ms_ = 2000;
  bool welcomed_ = false;
  uint64_t term_ = 0;
  std::string term_log_;
  std::optional<uint32_t> retry_after_ms_;
  // False when the session is gone; commits that are under way then have nobody to tell.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sluice::control
