#include "tools/fleetsim/protocol.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>

#include <array>

#include "common/base/clock.h"
#include "common/base/version.h"
#include "common/config/features.h"
#include "common/preflight/tally.h"

namespace sluice::fleetsim {
namespace {

constexpr uint32_t kReportIntervalMsMin = 50, kReportIntervalMsMax = 60'000;  // As the proxy.
constexpr uint32_t kRetryAfterMsMax = 600'000;
constexpr int kLatencyBuckets = 17;  // Of observe/metrics.h: sixteen bounds and what lies beyond.
constexpr size_t kVersionsMax = 4;   // Of which traffic is told, as observe/traffic_by_version.h.
constexpr size_t kVarintBytesMax = 10;

// Of a v1::Report or v1::VersionTraffic: all answered well, and in time.
template <typename Message>
void SetServed(uint64_t requests, Message* served) {
  served->clear_responses_by_class();
  for (const uint64_t count : {uint64_t{0}, requests, uint64_t{0}, uint64_t{0}, uint64_t{0}}) {
    served->add_responses_by_class(count);
  }
  served->clear_latency_buckets();
  for (int i = 0; i < kLatencyBuckets; ++i) served->add_latency_buckets(i < 3 ? 0 : requests);
}

// A v1::ProxyMessage whose report is these two pieces: serialised messages one after the other are
// their union.
std::string ReportMessage(const std::string& figures, const std::string& endpoints) {
  using google::protobuf::io::CodedOutputStream;
  constexpr uint8_t kTag = (v1::ProxyMessage::kReportFieldNumber << 3) | 2;  // Length-delimited.
  std::array<uint8_t, kVarintBytesMax> length;
  const uint8_t* const end =
      CodedOutputStream::WriteVarint64ToArray(figures.size() + endpoints.size(), length.data());
  std::string message(1, static_cast<char>(kTag));
  message.append(reinterpret_cast<const char*>(length.data()),
                 static_cast<size_t>(end - length.data()));
  message += figures;
  message += endpoints;
  return message;
}

}  // namespace

Protocol::Protocol(SimIdentity identity, Conduct conduct, const SimOptions& options,
                   SnapshotPool& pool, Observer& observer)
    : identity_(std::move(identity)),
      conduct_(conduct),
      options_(options),
      pool_(pool),
      observer_(observer),
      nothing_(pool.Intern("", {})),
      current_(nothing_) {}

void Protocol::StartWith(SnapshotPtr snapshot, const v1::Version& version) {
  current_ = std::move(snapshot);
  Begin(version);
  observer_.OnStartWith(identity_.index, version.revision());
}

v1::ProxyMessage Protocol::Hello() {
  welcomed_ = false;
  retry_after_.reset();
  offer_.Clear();
  receiver_.reset();
  prepared_.reset();
  observer_.OnStream(identity_.index);
  v1::ProxyMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_node_id(identity_.node_id);
  hello.set_boot_id(identity_.boot_id);
  for (const auto& [name, value] : identity_.labels) (*hello.mutable_labels())[name] = value;
  hello.set_build_version(std::string(base::Version()));
  hello.set_protocol_version(1);
  // It takes whatever a snapshot asks for; it routes nothing, so it has nothing to look ahead with.
  for (const std::string_view feature : config::KnownFeatures()) {
    if (feature != preflight::kFeature) hello.add_features(std::string(feature));
  }
  hello.set_snapshot_bytes_max(SnapshotPool::kSnapshotBytesMax);
  if (!current_->root.empty()) *hello.mutable_current() = version_;
  return message;
}

std::vector<Utterance> Protocol::OnMessage(const v1::ControllerMessage& message, size_t bytes,
                                           int64_t now_us) {
  observer_.OnReceived(identity_.index, bytes, message.has_offer() || message.has_chunk());
  switch (message.message_case()) {
    case v1::ControllerMessage::kWelcome:
      welcomed_ = true;
      observer_.OnWelcome(identity_.index, now_us);
      if (message.welcome().report_interval_ms() != 0) {
        report_interval_ = std::chrono::milliseconds(std::clamp(
            message.welcome().report_interval_ms(), kReportIntervalMsMin, kReportIntervalMsMax));
      }
      return {};
    case v1::ControllerMessage::kOffer:
      OnOffer(message.offer(), now_us);
      return {};
    case v1::ControllerMessage::kChunk:
      if (receiver_.has_value() && message.chunk().root() == offer_.version().root()) {
        receiver_->Add(message.chunk());
      }
      return {};
    case v1::ControllerMessage::kPrepare:
      return OnPrepare(message.prepare());
    case v1::ControllerMessage::kCommit:
      return OnCommit(message.commit().version(), now_us);
    case v1::ControllerMessage::kDiscard:
      if (message.discard().root() == offer_.version().root()) receiver_.reset();
      if (prepared_ != nullptr && message.discard().root() == prepared_->root) prepared_.reset();
      observer_.OnDiscard(identity_.index, now_us);
      return {};
    case v1::ControllerMessage::kPreflight:
      return {};  // Its Hello does not offer it: there are no requests to look at.
    case v1::ControllerMessage::kCommand: {
      observer_.OnCommand(identity_.index);
      Utterance answer;
      answer.message.mutable_command_result()->set_id(message.command().id());
      answer.message.mutable_command_result()->set_ok(true);
      answer.message.mutable_command_result()->set_json("{}");
      return {answer};
    }
    case v1::ControllerMessage::kBackoff:
      retry_after_ =
          std::chrono::milliseconds(std::min(message.backoff().retry_after_ms(), kRetryAfterMsMax));
      return {};
    case v1::ControllerMessage::MESSAGE_NOT_SET:
      return {};  // Of a newer controller.
  }
  return {};
}

void Protocol::OnOffer(const v1::Offer& offer, int64_t now_us) {
  observer_.OnOffer(identity_.index, offer.version().revision(), now_us);
  offer_ = offer;
  prepared_.reset();
  receiver_.reset();
  // Prepare will find no receiver and ask for everything.
  if (!offer.base_root().empty() && offer.base_root() != current_->root) return;
  receiver_.emplace(offer, offer.base_root().empty() ? nothing_ : current_, options_.decode_each,
                    pool_);
}

Protocol::Utterances Protocol::OnPrepare(const v1::Prepare& prepare) {
  if (conduct_ == Conduct::kSilent) return {};
  const std::string& root = prepare.root();
  if (root != offer_.version().root()) return {};
  if (!receiver_.has_value()) {
    if (prepared_ != nullptr && prepared_->root == root) return Prepared(root);
    return Resync(root, current_->root);
  }
  absl::StatusOr<SnapshotPtr> snapshot = receiver_->Finish();
  receiver_.reset();
  if (!snapshot.ok()) {
    if (absl::IsDataLoss(snapshot.status()) && !offer_.base_root().empty()) {
      return Resync(root, "");
    }
    return Reject(root, std::string(snapshot.status().message()));
  }
  if (conduct_ == Conduct::kRejecting) return Reject(root, "fleetsim was told to refuse it");
  if (!prepare.dry_run()) prepared_ = *std::move(snapshot);
  return Prepared(root);
}

Protocol::Utterances Protocol::OnCommit(const v1::Version& version, int64_t now_us) {
  if (conduct_ == Conduct::kSilent) return {};
  if (version.root() != current_->root) {
    if (prepared_ == nullptr || prepared_->root != version.root()) {
      return Resync(version.root(), prepared_ == nullptr ? "" : prepared_->root);
    }
    current_ = std::exchange(prepared_, nullptr);
  } else if (version.revision() != version_.revision()) {
    // The same content under a new number: no offer came before.
    observer_.OnOffer(identity_.index, version.revision(), now_us);
  }
  Begin(version);
  Utterances said(2);
  *said[0].message.mutable_applied()->mutable_version() = version;
  *said[1].message.mutable_effective()->mutable_version() = version;
  said[1].delay = pace();
  return said;
}

void Protocol::Begin(const v1::Version& version) {
  version_ = version;
  const auto now_unix_ms = static_cast<uint64_t>(base::UnixMillis());
  if (!traffic_.empty()) traffic_.front().set_superseded_unix_ms(now_unix_ms);
  v1::VersionTraffic& traffic = traffic_.emplace_front();
  *traffic.mutable_version() = version;
  traffic.set_effective_unix_ms(now_unix_ms);
  requests_before_ = requests_;
  if (traffic_.size() > kVersionsMax) traffic_.pop_back();
}

Protocol::Utterances Protocol::Prepared(const std::string& root) {
  Utterances said(1);
  said[0].message.mutable_prepared()->set_root(root);
  said[0].delay = pace();
  return said;
}

Protocol::Utterances Protocol::Reject(const std::string& root, const std::string& why) {
  Utterances said(1);
  v1::Rejected& rejected = *said[0].message.mutable_rejected();
  rejected.set_root(root);
  rejected.add_errors()->set_message(why);
  return said;
}

Protocol::Utterances Protocol::Resync(const std::string& expected, const std::string& computed) {
  Utterances said(1);
  said[0].message.mutable_resync()->set_expected_root(expected);
  said[0].message.mutable_resync()->set_computed_root(computed);
  return said;
}

std::chrono::milliseconds Protocol::pace() const {
  return conduct_ == Conduct::kSlow ? options_.slow_delay : std::chrono::milliseconds(0);
}

void Protocol::OnLeaving(const v1::ProxyMessage& message, int64_t now_us) {
  if (message.has_effective()) {
    observer_.OnEffective(identity_.index, message.effective().version().revision(), now_us);
  } else if (message.has_rejected()) {
    observer_.OnRejected(identity_.index, now_us);
  } else if (message.has_resync()) {
    observer_.OnResync(identity_.index);
  }
}

void Protocol::OnLost(int64_t now_us) {
  welcomed_ = false;
  observer_.OnLost(identity_.index, now_us);
}

std::string Protocol::Report() {
  if (conduct_ == Conduct::kSilent) return "";
  ++reports_;
  const auto interval_ms = static_cast<uint64_t>(report_interval_.count());
  requests_ = reports_ * static_cast<uint64_t>(options_.requests_per_second) * interval_ms / 1000;
  v1::Report report;
  if (!current_->root.empty()) *report.mutable_current() = version_;
  report.set_uptime_seconds(reports_ * interval_ms / 1000);
  report.set_rss_bytes(uint64_t{64} << 20);
  report.set_open_files(100);
  report.set_downstream_connections(50);
  report.set_requests_total(requests_);
  SetServed(requests_, &report);
  report.set_bytes_received_total(requests_ * 500);
  report.set_bytes_sent_total(requests_ * 2'000);
  if (!traffic_.empty()) {
    traffic_.front().set_requests(requests_ - requests_before_);
    SetServed(requests_ - requests_before_, &traffic_.front());
  }
  report.mutable_traffic_by_version()->Assign(traffic_.begin(), traffic_.end());
  return ReportMessage(report.SerializeAsString(), current_->endpoints);
}

}  // namespace sluice::fleetsim
