#include "controlplane/publish/node.h"

#include <fmt/format.h>

#include <algorithm>

#include "controlplane/publish/capabilities.h"

namespace sluice::publish {
namespace {

constexpr size_t kNodeIdBytesMax = 128;
constexpr size_t kBootIdBytesMax = 128;
constexpr int kLabelsMax = 64;
constexpr size_t kLabelBytesMax = 256;
constexpr uint32_t kProtocolVersionMax = 2;  // Ours is 1; the next one's release talks to us.

constexpr int kEndpointsMax = 20'000;
constexpr int kCertificatesMax = 10'000;
constexpr int kLastErrorsMax = 32;
constexpr int kVersionsMax = 8;  // Of which traffic is told.
constexpr int kCountersMax = 64;

bool IsName(const std::string& text, size_t bytes_max) {
  return !text.empty() && text.size() <= bytes_max &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

void ProxyNode::SetHello(const v1::Hello& said) {
  hello = said;
  knows_everything = KnowsEverything(said);
  labels_claimed = {said.labels().begin(), said.labels().end()};
  SetLabels(std::move(labels_set));
}

v1::Hello ProxyNode::HelloAsSaid() const {
  v1::Hello said = hello;
  said.mutable_labels()->clear();
  said.mutable_labels()->insert(labels_claimed.begin(), labels_claimed.end());
  return said;
}

void ProxyNode::SetLabels(std::map<std::string, std::string> labels) {
  labels_set = std::move(labels);
  auto& effective = *hello.mutable_labels();
  effective.clear();
  for (const auto* one : {&labels_claimed, &labels_set}) {
    for (const auto& [key, value] : *one) effective[key] = value;
  }
}

const ProxyNode::Rejection* ProxyNode::FindRejection(const std::string& root) const {
  for (const Rejection& rejection : rejections) {
    if (rejection.root == root) return &rejection;
  }
  return nullptr;
}

void ProxyNode::RememberRejected(const std::string& root,
                                 const std::vector<v1::ResourceError>& why) {
  ForgetRejected(root);
  rejections.push_back({root, why});
  if (rejections.size() > kRejectionsMax) rejections.pop_front();
}

void ProxyNode::NoteRejected(const std::string& root, const std::string& version_root,
                             const std::vector<v1::ResourceError>& why) {
  RememberRejected(root, why);
  errors = why;
  errors_root = version_root;
}

void ProxyNode::ForgetRejected(const std::string& root) {
  std::erase_if(rejections, [&root](const Rejection& one) { return one.root == root; });
}

namespace {

void TrimReport(v1::Report* report) {
  const auto cut = [](auto* list, int most) {
    if (list->size() > most) list->DeleteSubrange(most, list->size() - most);
  };
  cut(report->mutable_endpoints(), kEndpointsMax);
  cut(report->mutable_certificates(), kCertificatesMax);
  cut(report->mutable_last_errors(), kLastErrorsMax);
  cut(report->mutable_traffic_by_version(), kVersionsMax);
  for (v1::VersionTraffic& traffic : *report->mutable_traffic_by_version()) {
    traffic.mutable_responses_by_class()->Truncate(
        std::min(traffic.responses_by_class_size(), kCountersMax));
    traffic.mutable_latency_buckets()->Truncate(
        std::min(traffic.latency_buckets_size(), kCountersMax));
  }
}

}  // namespace

void KeepReport(const v1::Report& report, ProxyNode* node) {
  v1::Report& kept = node->report;
  v1::Report& previous = node->previous_report;
  previous.Swap(&kept);
  // The long lists stay where the new ones are copied to: their memory is used again, and there is
  // one of each, not two.
  previous.mutable_endpoints()->Swap(kept.mutable_endpoints());
  previous.mutable_certificates()->Swap(kept.mutable_certificates());
  previous.mutable_last_errors()->Swap(kept.mutable_last_errors());
  previous.mutable_traffic_by_version()->Swap(kept.mutable_traffic_by_version());
  node->previous_report_ms = node->report_ms;
  kept = report;
  TrimReport(&kept);
}

void NoteHealth(const v1::EndpointHealth& health, v1::Report* report) {
  for (v1::EndpointHealth& endpoint : *report->mutable_endpoints()) {
    if (endpoint.cluster() != health.cluster() || endpoint.address() != health.address()) continue;
    endpoint = health;
    return;
  }
  if (report->endpoints_size() < kEndpointsMax) *report->add_endpoints() = health;
}

absl::Status CheckHello(const v1::Hello& hello) {
  if (!IsName(hello.node_id(), kNodeIdBytesMax)) {
    return absl::InvalidArgumentError(fmt::format(
        "the node id must have 1 to {} printable ASCII characters without spaces: set --node-id",
        kNodeIdBytesMax));
  }
  if (hello.boot_id().size() > kBootIdBytesMax) {
    return absl::InvalidArgumentError("the boot id is too long");
  }
  if (hello.protocol_version() > kProtocolVersionMax) {
    return absl::FailedPreconditionError(fmt::format(
        "this controller speaks protocol version 1, the proxy {}: upgrade the controller",
        hello.protocol_version()));
  }
  if (hello.labels_size() > kLabelsMax) {
    return absl::InvalidArgumentError(
        fmt::format("{} labels; at most {} are taken", hello.labels_size(), kLabelsMax));
  }
  for (const auto& [key, value] : hello.labels()) {
    if (key.size() + value.size() > kLabelBytesMax) {
      return absl::InvalidArgumentError(
          fmt::format("a label is longer than {} bytes", kLabelBytesMax));
    }
  }
  return absl::OkStatus();
}

}  // namespace sluice::publish
