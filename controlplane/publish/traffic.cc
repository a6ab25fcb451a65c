#include "controlplane/publish/traffic.h"

#include <algorithm>

namespace sluice::publish {
namespace {

template <typename List>
void ReadBuckets(const List& list, Traffic* traffic) {
  const size_t count = std::min(static_cast<size_t>(list.size()), traffic->buckets.size());
  uint64_t reached = 0;
  for (size_t i = 0; i < traffic->buckets.size(); ++i) {
    if (i < count) reached = list.Get(static_cast<int>(i));
    traffic->buckets[i] = reached;
  }
}

}  // namespace

Traffic& Traffic::operator+=(const Traffic& other) {
  requests += other.requests;
  errors += other.errors;
  for (size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
  return *this;
}

double Traffic::error_ratio() const {
  return requests == 0 ? 0 : static_cast<double>(errors) / static_cast<double>(requests);
}

double Traffic::P99Ms() const { return traffic::LatencyQuantileMs(buckets, 0.99); }

Traffic Since(const Traffic& before, const Traffic& now) {
  if (now.requests < before.requests || now.errors < before.errors) return now;
  Traffic span;
  span.requests = now.requests - before.requests;
  span.errors = now.errors - before.errors;
  for (size_t i = 0; i < span.buckets.size(); ++i) {
    if (now.buckets[i] < before.buckets[i]) return now;
    span.buckets[i] = now.buckets[i] - before.buckets[i];
  }
  return span;
}

Traffic TrafficOf(const v1::Report& report) {
  Traffic traffic;
  traffic.requests = report.requests_total();
  if (report.responses_by_class_size() == 5) traffic.errors = report.responses_by_class(4);
  ReadBuckets(report.latency_buckets(), &traffic);
  return traffic;
}

Traffic TrafficOf(const v1::TrafficFigures& figures) {
  Traffic traffic;
  traffic.requests = figures.requests();
  traffic.errors = figures.errors();
  ReadBuckets(figures.latency_buckets(), &traffic);
  return traffic;
}

v1::TrafficFigures FiguresOf(const Traffic& traffic) {
  v1::TrafficFigures figures;
  figures.set_requests(traffic.requests);
  figures.set_errors(traffic.errors);
  for (const uint64_t count : traffic.buckets) figures.add_latency_buckets(count);
  return figures;
}

}  // namespace sluice::publish
