#include "dataplane/observe/traffic_by_version.h"

#include "common/traffic/version_traffic.h"

namespace sluice::observe {

// Who reads the reports knows the buckets by these.
static_assert(traffic::kLatencyBoundsMicros == kLatencyBoundsMicros);
static_assert(traffic::kStatusClasses == kClassCount);

void TrafficByVersion::Begin(const v1::Version& version, const Totals& totals,
                             int64_t now_unix_ms) {
  if (!version_.root().empty()) {
    past_.push_front(Current(totals));
    past_.front().set_superseded_unix_ms(static_cast<uint64_t>(now_unix_ms));
    if (past_.size() >= kVersionsMax) past_.pop_back();
  }
  version_ = version;
  effective_unix_ms_ = now_unix_ms;
  baseline_ = totals;
}

v1::VersionTraffic TrafficByVersion::Current(const Totals& totals) const {
  v1::VersionTraffic traffic;
  *traffic.mutable_version() = version_;
  traffic.set_effective_unix_ms(static_cast<uint64_t>(effective_unix_ms_));
  traffic.set_requests(totals.requests - baseline_.requests);
  for (size_t i = 0; i < kClassCount; ++i) {
    traffic.add_responses_by_class(totals.responses_by_class[i] - baseline_.responses_by_class[i]);
  }
  for (size_t i = 0; i < kLatencyBucketCount; ++i) {
    traffic.add_latency_buckets(totals.latency_cumulative[i] - baseline_.latency_cumulative[i]);
  }
  return traffic;
}

void TrafficByVersion::Fill(const Totals& totals,
                            google::protobuf::RepeatedPtrField<v1::VersionTraffic>* out) const {
  if (version_.root().empty()) return;
  *out->Add() = Current(totals);
  for (const v1::VersionTraffic& traffic : past_) *out->Add() = traffic;
}

}  // namespace sluice::observe
