#include "dataplane/upstream/outlier_detector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "dataplane/upstream/panic.h"

namespace sluice::upstream {

using std::chrono::milliseconds;

std::string_view NameOf(OutlierReason reason) {
  switch (reason) {
    case OutlierReason::kConsecutiveFailures:
      return "consecutive_failures";
    case OutlierReason::kSuccessRate:
      return "success_rate";
    case OutlierReason::kLatency:
      return "latency";
    case OutlierReason::kCount:
      break;
  }
  __builtin_unreachable();
}

OutlierDetector::OutlierDetector(const OutlierSettings& settings,
                                 std::vector<std::shared_ptr<EndpointHealth>> endpoints)
    : settings_(settings), endpoints_(std::move(endpoints)), counts_(endpoints_.size()) {}

void OutlierDetector::Succeeded(size_t endpoint, int64_t head_micros) {
  Connected(endpoint);
  CountAnswer(endpoint, head_micros);
}

void OutlierDetector::Connected(size_t endpoint) {
  std::atomic<uint32_t>& in_a_row = counts_[endpoint].failures_in_a_row;
  if (in_a_row.load(std::memory_order_relaxed) != 0) in_a_row.store(0, std::memory_order_relaxed);
}

void OutlierDetector::Outrun(size_t endpoint, int64_t waited_micros) {
  CountAnswer(endpoint, waited_micros);
}

void OutlierDetector::CountAnswer(size_t endpoint, int64_t head_micros) {
  if (!counts_intervals()) return;
  Counts& counts = counts_[endpoint];
  counts.requests.fetch_add(1, std::memory_order_relaxed);
  const uint64_t took = head_micros > 0 ? static_cast<uint64_t>(head_micros) : 0;
  counts.head_micros.fetch_add(took, std::memory_order_relaxed);
}

void OutlierDetector::Failed(size_t endpoint, int64_t now_unix_ms) {
  Counts& counts = counts_[endpoint];
  if (counts_intervals()) {
    counts.requests.fetch_add(1, std::memory_order_relaxed);
    counts.failures.fetch_add(1, std::memory_order_relaxed);
  }
  ConnectFailed(endpoint, now_unix_ms);
}

void OutlierDetector::ConnectFailed(size_t endpoint, int64_t now_unix_ms) {
  std::atomic<uint32_t>& failures = counts_[endpoint].failures_in_a_row;
  const uint32_t in_a_row = failures.fetch_add(1, std::memory_order_relaxed) + 1;
  // Where the cap keeps it in, not every further failure asks again.
  if (settings_.consecutive_failures == 0 || in_a_row % settings_.consecutive_failures != 0) return;
  Eject(endpoint, OutlierReason::kConsecutiveFailures,
        fmt::format("{} failures in a row", in_a_row), now_unix_ms);
}

void OutlierDetector::Tick(int64_t now_unix_ms) {
  for (size_t i = 0; i < endpoints_.size(); ++i) {
    if (!endpoints_[i]->ejected()) continue;
    endpoints_[i]->Readmit(now_unix_ms);
    // It begins anew.
    if (!endpoints_[i]->ejected()) counts_[i].failures_in_a_row = 0;
  }
  if (interval_end_unix_ms_ == 0) interval_end_unix_ms_ = now_unix_ms + settings_.interval.count();
  if (now_unix_ms < interval_end_unix_ms_) return;
  interval_end_unix_ms_ = now_unix_ms + settings_.interval.count();
  for (const auto& endpoint : endpoints_) {
    // An interval without an ejection makes the next one shorter.
    std::atomic<uint32_t>& times = endpoint->ejections();
    if (!endpoint->ejected() && times > 0) --times;
  }
  if (!counts_intervals()) return;
  const std::vector<Interval> intervals = TakeIntervals();
  if (intervals.size() < settings_.endpoints_min) return;
  if (settings_.success_deviations_percent != 0) JudgeSuccess(intervals, now_unix_ms);
  if (settings_.latency_percent != 0) JudgeLatency(intervals, now_unix_ms);
}

std::vector<OutlierDetector::Interval> OutlierDetector::TakeIntervals() {
  std::vector<Interval> intervals;
  for (size_t i = 0; i < counts_.size(); ++i) {
    const uint64_t requests = counts_[i].requests.exchange(0);
    const uint64_t failures = counts_[i].failures.exchange(0);
    const uint64_t micros = counts_[i].head_micros.exchange(0);
    if (requests < std::max(settings_.requests_min, 1u) || endpoints_[i]->ejected()) continue;
    const uint64_t answered = requests > failures ? requests - failures : 1;
    intervals.push_back(
        {.endpoint = i,
         .requests = requests,
         .failures = failures,
         .head_micros = static_cast<double>(micros) / static_cast<double>(answered)});
  }
  return intervals;
}

void OutlierDetector::JudgeSuccess(const std::vector<Interval>& intervals, int64_t now_unix_ms) {
  const auto rate = [](const Interval& interval) {
    return 1.0 - static_cast<double>(interval.failures) / static_cast<double>(interval.requests);
  };
  const auto count = static_cast<double>(intervals.size());
  double sum = 0, squares = 0;
  for (const Interval& interval : intervals) sum += rate(interval);
  const double mean = sum / count;
  for (const Interval& interval : intervals) squares += std::pow(rate(interval) - mean, 2);
  const double deviation = std::sqrt(squares / count);
  const double least = mean - deviation * settings_.success_deviations_percent / 100.0;
  for (const Interval& interval : intervals) {
    if (rate(interval) >= least || interval.failures == 0) continue;
    Eject(interval.endpoint, OutlierReason::kSuccessRate,
          fmt::format("{:.1f} % of its requests succeeded, {:.1f} % of all", 100 * rate(interval),
                      100 * mean),
          now_unix_ms);
  }
}

void OutlierDetector::JudgeLatency(const std::vector<Interval>& intervals, int64_t now_unix_ms) {
  for (const Interval& interval : intervals) {
    std::vector<double> others;
    for (const Interval& other : intervals) {
      if (other.endpoint != interval.endpoint) others.push_back(other.head_micros);
    }
    if (others.empty()) continue;
    const auto middle = others.begin() + static_cast<ptrdiff_t>(others.size() / 2);
    std::nth_element(others.begin(), middle, others.end());
    if (interval.head_micros * 100 <= *middle * settings_.latency_percent) continue;
    Eject(interval.endpoint, OutlierReason::kLatency,
          fmt::format("{:.1f} ms to its responses, the others' median is {:.1f} ms",
                      interval.head_micros / 1000, *middle / 1000),
          now_unix_ms);
  }
}

bool OutlierDetector::MayEject(const EndpointHealth& health) const {
  if (health.ejected()) return false;
  size_t ejected = 1, usable = 0;
  for (const auto& other : endpoints_) {
    if (other.get() == &health) continue;
    ejected += other->ejected();
    usable += other->usable();
  }
  return ejected * 100 <= size_t{settings_.max_ejected_percent} * endpoints_.size() && usable > 0 &&
         !IsPanic(usable, endpoints_.size(), settings_.panic_threshold_percent);
}

void OutlierDetector::Eject(size_t endpoint, OutlierReason reason, const std::string& text,
                            int64_t now_unix_ms) {
  const std::lock_guard lock(mutex_);
  EndpointHealth& health = *endpoints_[endpoint];
  if (!MayEject(health)) return;
  const milliseconds time =
      std::min(settings_.base_ejection * (++health.ejections()), settings_.max_ejection);
  health.Eject(fmt::format("ejected for {} s: {}",
                           std::chrono::duration_cast<std::chrono::seconds>(time).count(), text),
               now_unix_ms, now_unix_ms + time.count());
  ejections_total_[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace sluice::upstream
