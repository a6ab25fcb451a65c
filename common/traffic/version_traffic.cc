#include "common/traffic/version_traffic.h"

#include <algorithm>

namespace sluice::traffic {
namespace {

using Counters = google::protobuf::RepeatedField<uint64_t>;

void AddCounters(const Counters& from, Counters* to) {
  while (to->size() < from.size()) to->Add(0);
  for (int i = 0; i < from.size(); ++i) to->Set(i, to->Get(i) + from.Get(i));
}

double BoundMs(size_t bucket) {
  return kLatencyBoundsMicros[std::min(bucket, kLatencyBoundsMicros.size() - 1)] / 1000.0;
}

}  // namespace

double LatencyQuantileMs(std::span<const uint64_t> cumulative, double quantile) {
  if (cumulative.empty() || cumulative.back() == 0) return 0;
  const double wanted = quantile * static_cast<double>(cumulative.back());
  uint64_t below = 0;
  const size_t bounded = std::min(cumulative.size(), kLatencyBoundsMicros.size());
  for (size_t i = 0; i < bounded; ++i) {
    const uint64_t reached = cumulative[i];
    if (static_cast<double>(reached) < wanted) {
      below = reached;
      continue;
    }
    const double low = i == 0 ? 0 : BoundMs(i - 1);
    const double share = reached <= below ? 1
                                          : (wanted - static_cast<double>(below)) /
                                                static_cast<double>(reached - below);
    return low + (BoundMs(i) - low) * share;
  }
  return BoundMs(bounded);
}

void AddTraffic(const v1::VersionTraffic& traffic, v1::VersionTraffic* sum) {
  const bool first = sum->effective_unix_ms() == 0;
  const bool goes_on =
      traffic.superseded_unix_ms() == 0 || (!first && sum->superseded_unix_ms() == 0);
  sum->set_superseded_unix_ms(
      goes_on ? 0 : std::max(sum->superseded_unix_ms(), traffic.superseded_unix_ms()));
  sum->set_effective_unix_ms(first
                                 ? traffic.effective_unix_ms()
                                 : std::min(sum->effective_unix_ms(), traffic.effective_unix_ms()));
  sum->set_requests(sum->requests() + traffic.requests());
  AddCounters(traffic.responses_by_class(), sum->mutable_responses_by_class());
  AddCounters(traffic.latency_buckets(), sum->mutable_latency_buckets());
}

v1::VersionTrafficFigures FiguresOf(const v1::VersionTraffic& traffic, int64_t now_unix_ms) {
  v1::VersionTrafficFigures figures;
  if (traffic.has_version()) *figures.mutable_version() = traffic.version();
  const auto end = traffic.superseded_unix_ms() == 0
                       ? now_unix_ms
                       : static_cast<int64_t>(traffic.superseded_unix_ms());
  // Node and controller need not agree on the time: never negative.
  const int64_t lasted = end - static_cast<int64_t>(traffic.effective_unix_ms());
  figures.set_seconds(static_cast<double>(std::max<int64_t>(lasted, 0)) / 1000);
  figures.set_requests(traffic.requests());
  if (traffic.responses_by_class_size() == static_cast<int>(kStatusClasses)) {
    figures.set_errors(traffic.responses_by_class(kStatusClasses - 1));
  }
  const auto requests = static_cast<double>(traffic.requests());
  if (figures.seconds() > 0) figures.set_requests_per_second(requests / figures.seconds());
  if (traffic.requests() > 0) {
    figures.set_error_ratio(static_cast<double>(figures.errors()) / requests);
  }
  const auto& buckets = traffic.latency_buckets();
  figures.set_p99_ms(
      LatencyQuantileMs({buckets.data(), static_cast<size_t>(buckets.size())}, 0.99));
  return figures;
}

}  // namespace sluice::traffic
