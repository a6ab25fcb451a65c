#include "dataplane/control/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/clock.h"
#include "common/base/process.h"
#include "common/base/version.h"
#include "common/config/features.h"

namespace sluice::control {
namespace {

std::string Text(const absl::Status& status) { return std::string(status.message()); }

// Too many endpoints for one message: those that are well go first, they are the least news.
void FitReport(v1::Report* report) {
  if (report->ByteSizeLong() <= Session::kMessageBytesMax) return;
  auto* endpoints = report->mutable_endpoints();
  std::stable_partition(endpoints->pointer_begin(), endpoints->pointer_end(),
                        [](const v1::EndpointHealth* endpoint) { return !endpoint->healthy(); });
  while (endpoints->size() > 0 && report->ByteSizeLong() > Session::kMessageBytesMax) {
    const int kept = endpoints->size() / 2;
    endpoints->DeleteSubrange(kept, endpoints->size() - kept);
  }
}

}  // namespace

Session::Session(const NodeIdentity& identity, Activator& activator, Dataplane& dataplane,
                 CommandHandler on_command, Send send)
    : identity_(identity),
      activator_(activator),
      dataplane_(dataplane),
      on_command_(std::move(on_command)),
      send_(std::move(send)) {}

Session::~Session() {
  *alive_ = false;
  activator_.Discard();
}

void Session::Start() {
  v1::ProxyMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_node_id(identity_.node_id);
  hello.set_boot_id(identity_.boot_id);
  for (const auto& [key, value] : identity_.labels) (*hello.mutable_labels())[key] = value;
  hello.set_build_version(std::string(base::Version()));
  hello.set_protocol_version(kProtocolVersion);
  for (const std::string_view feature : config::KnownFeatures()) {
    hello.add_features(std::string(feature));
  }
  hello.set_snapshot_bytes_max(kSnapshotBytesMax);
  hello.set_bind_host(identity_.bind_host);
  hello.set_draining(dataplane_.draining());
  for (const v1::Rejected& refused : identity_.refuses) *hello.add_refuses() = refused;
  if (activator_.has_active()) *hello.mutable_current() = activator_.active_version();
  send_(std::move(message));
}

void Session::OnMessage(const v1::ControllerMessage& message) {
  switch (message.message_case()) {
    case v1::ControllerMessage::kWelcome:
      return OnWelcome(message.welcome());
    case v1::ControllerMessage::kOffer:
      return OnOffer(message.offer());
    case v1::ControllerMessage::kChunk:
      return OnChunk(message.chunk());
    case v1::ControllerMessage::kPrepare:
      return OnPrepare(message.prepare());
    case v1::ControllerMessage::kCommit:
      return OnCommit(message.commit().version());
    case v1::ControllerMessage::kDiscard:
      return OnDiscard(message.discard());
    case v1::ControllerMessage::kPreflight:
      return OnPreflight(message.preflight());
    case v1::ControllerMessage::kCommand:
      return OnCommand(message.command());
    case v1::ControllerMessage::kBackoff:
      retry_after_ms_ = std::min(message.backoff().retry_after_ms(), kRetryAfterMsMax);
      return;
    case v1::ControllerMessage::MESSAGE_NOT_SET:
      return;  // Of a newer controller.
  }
}

void Session::OnWelcome(const v1::Welcome& welcome) {
  welcomed_ = true;
  term_ = welcome.term();
  term_log_ = welcome.log();
  if (welcome.report_interval_ms() == 0) return;
  report_interval_ms_ =
      std::clamp(welcome.report_interval_ms(), kReportIntervalMsMin, kReportIntervalMsMax);
}

// A newer offer takes the place of one that is still on its way or prepared.
void Session::OnOffer(const v1::Offer& offer) {
  activator_.Discard();
  decoder_.reset();
  rejected_.reset();
  offer_ = offer;
  snapshot::Resources base;
  if (!offer.base_root().empty()) {
    // Prepare will find no decoder and ask for everything.
    if (offer.base_root() != activator_.active_version().root()) return;
    base = activator_.active();
  }
  decoder_.emplace(offer, std::move(base), kSnapshotBytesMax);
}

// Errors are kept by the decoder until Prepare asks for the result.
void Session::OnChunk(const v1::Chunk& chunk) {
  if (!decoder_.has_value() || chunk.root() != offer_.version().root()) return;  // Superseded.
  decoder_->Add(chunk).IgnoreError();
}

void Session::OnPrepare(const v1::Prepare& prepare) {
  const std::string& root = prepare.root();
  if (root != offer_.version().root()) {
    if (offer_.version().root().empty()) SendResync(root, activator_.active_version().root());
    return;  // A newer offer has taken its place and will be asked for.
  }
  if (!decoder_.has_value()) {  // Asked again, or the offer's base is not what is served here.
    if (rejected_.has_value()) {
      SendRejected(root, {rejected_->errors().begin(), rejected_->errors().end()});
    } else if (activator_.prepared_root() == root) {
      if (warming_root_ != root) SendPrepared(root);
    } else {
      SendResync(root, activator_.active_version().root());
    }
    return;
  }
  // Hello has said so; a controller of an earlier release does not hear it.
  for (const v1::Rejected& refused : identity_.refuses) {
    if (refused.root() != root) continue;
    decoder_.reset();
    return SendRejected(root, {refused.errors().begin(), refused.errors().end()});
  }
  snapshot::DeltaDecoder decoder = *std::move(decoder_);
  decoder_.reset();
  absl::StatusOr<snapshot::Resources> resources = std::move(decoder).Finish();
  if (!resources.ok()) return RefuseOffer(resources.status(), decoder.computed_root());

  std::vector<v1::ResourceError> errors =
      activator_.Prepare(*std::move(resources), offer_.version());
  if (!errors.empty()) return SendRejected(root, std::move(errors));
  if (prepare.dry_run() && !prepare.keep()) {
    SendPrepared(root);
    activator_.Discard();
    return;
  }
  warming_root_ = root;
  dataplane_.WarmUp([this, root] {
    warming_root_.clear();
    SendPrepared(root);
  });
}

// Resync helps only against a delta that did not fit what is here. When everything was sent, or the
// bytes are malformed or too many, the same would come again, for ever.
void Session::RefuseOffer(const absl::Status& status, const std::string& computed_root) {
  const std::string& root = offer_.version().root();
  activator_.NoteError(
      fmt::format("offered version {}: {}", offer_.version().revision(), Text(status)));
  if (absl::IsDataLoss(status) && !offer_.base_root().empty()) {
    return SendResync(root, computed_root);
  }
  v1::ResourceError error;
  error.set_message(Text(status));
  SendRejected(root, {error});
}

void Session::OnCommit(const v1::Version& version) {
  if (version.root().empty()) return;
  if (activator_.active_version().root() == version.root()) {
    SendApplied(version);  // What is served already, under a new number.
    activator_.Renumber(version, [this, alive = alive_, version] {
      if (*alive) SendEffective(version);
    });
    return;
  }
  // Effective must not overtake Applied, even if the workers are that fast.
  struct Progress {
    bool applied_sent = false, effective = false;
  };
  const auto progress = std::make_shared<Progress>();
  const bool committed = activator_.Commit(version, [this, alive = alive_, version, progress] {
    progress->effective = true;
    if (*alive && progress->applied_sent) SendEffective(version);
  });
  if (!committed) return SendResync(version.root(), activator_.prepared_root());
  SendApplied(version);
  progress->applied_sent = true;
  if (progress->effective) SendEffective(version);
}

void Session::OnDiscard(const v1::Discard& discard) {
  if (discard.root() == offer_.version().root()) decoder_.reset();
  if (discard.root() == activator_.prepared_root()) activator_.Discard();
}

// Of something that is not prepared any more: whoever asked will have heard why.
void Session::OnPreflight(const v1::Preflight& preflight) {
  if (preflight.root().empty() || preflight.root() != activator_.prepared_root()) return;
  preflight_root_ = preflight.root();
  activator_.BeginPreflight(std::clamp(preflight.sample_percent(), 1u, 100u));
}

void Session::OnCommand(const v1::Command& command) {
  v1::ProxyMessage message;
  v1::CommandResult& result = *message.mutable_command_result();
  result.set_id(command.id());
  absl::StatusOr<std::string> answer = on_command_(command);
  if (answer.ok() && answer->size() > kMessageBytesMax) {
    answer = absl::ResourceExhaustedError(
        fmt::format("the answer has {} bytes, more than a message may: ask the proxy's admin "
                    "address for it",
                    answer->size()));
  }
  result.set_ok(answer.ok());
  if (answer.ok()) {
    result.set_json(*std::move(answer));
  } else {
    result.set_error(Text(answer.status()));
  }
  send_(std::move(message));
}

void Session::SendReport() {
  v1::ProxyMessage message;
  v1::Report& report = *message.mutable_report();
  dataplane_.FillReport(&report);
  report.clear_current();
  if (activator_.has_active()) *report.mutable_current() = activator_.active_version();
  const base::ProcessFigures figures = base::ReadProcessFigures();
  report.set_rss_bytes(figures.resident_bytes);
  report.set_open_files(static_cast<uint32_t>(figures.open_files));
  const double now = static_cast<double>(base::UnixMillis()) / 1000;
  report.set_uptime_seconds(static_cast<uint64_t>(std::max(0.0, now - figures.start_unix_seconds)));
  report.set_draining(dataplane_.draining());
  for (const std::string& error : activator_.last_errors()) report.add_last_errors(error);
  FitReport(&report);
  send_(std::move(message));
  SendPreflightReport();
}

void Session::SendPreflightReport() {
  if (preflight_root_.empty()) return;
  if (preflight_root_ != activator_.prepared_root()) {
    preflight_root_.clear();
    return;
  }
  v1::ProxyMessage message;
  *message.mutable_preflight_report() = dataplane_.ReadPreflight();
  message.mutable_preflight_report()->set_root(preflight_root_);
  send_(std::move(message));
}

void Session::SendHealthChange(const v1::EndpointHealth& health) {
  v1::ProxyMessage message;
  *message.mutable_health_change()->mutable_endpoint() = health;
  send_(std::move(message));
}

void Session::SendPrepared(const std::string& root) {
  v1::ProxyMessage message;
  message.mutable_prepared()->set_root(root);
  message.mutable_prepared()->set_compile_micros(
      static_cast<uint32_t>(activator_.compile_micros()));
  send_(std::move(message));
}

void Session::SendRejected(const std::string& root, std::vector<v1::ResourceError> errors) {
  v1::ProxyMessage message;
  v1::Rejected& rejected = *message.mutable_rejected();
  rejected.set_root(root);
  size_t bytes = 0;
  for (v1::ResourceError& error : errors) {
    bytes += error.ByteSizeLong();
    if (bytes > kMessageBytesMax) break;  // The first ones are enough to act on.
    *rejected.add_errors() = std::move(error);
  }
  rejected_ = rejected;
  send_(std::move(message));
}

void Session::SendResync(const std::string& expected, const std::string& computed) {
  v1::ProxyMessage message;
  message.mutable_resync()->set_expected_root(expected);
  message.mutable_resync()->set_computed_root(computed);
  send_(std::move(message));
}

void Session::SendApplied(const v1::Version& version) {
  v1::ProxyMessage message;
  *message.mutable_applied()->mutable_version() = version;
  send_(std::move(message));
}

void Session::SendEffective(const v1::Version& version) {
  v1::ProxyMessage message;
  *message.mutable_effective()->mutable_version() = version;
  message.mutable_effective()->set_swap_micros(static_cast<uint32_t>(activator_.swap_micros()));
  send_(std::move(message));
}

}  // namespace sluice::control
