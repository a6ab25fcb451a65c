// Takes endpoints out of a cluster for how they treat requests: too many failures in a row, or in
// an interval far more failures or far slower answers than the others.
//
// What the workers tell is on the request path, from any worker; they write to what workers
// share only where something failed lately or figures are asked for. Tick is the control thread's.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "dataplane/upstream/endpoint_health.h"

namespace sluice::upstream {

struct OutlierSettings {
  uint32_t consecutive_failures = 5;  // 0: they do not count.
  std::chrono::milliseconds interval{10'000};
  // The first time; each further time lately adds as much, up to the maximum.
  std::chrono::milliseconds base_ejection{30'000}, max_ejection{300'000};
  uint32_t max_ejected_percent = 50;
  // The cluster's. No ejection leaves fewer usable endpoints: those that are worse would be used.
  uint32_t panic_threshold_percent = 0;
  // Ejected below the mean success rate by so many hundredths of a standard deviation. 0: off.
  uint32_t success_deviations_percent = 0;
  // Ejected above this share of the median of the others' times to the response head. 0: off.
  uint32_t latency_percent = 0;
  // Endpoints with fewer requests in an interval are not judged by it; with fewer such endpoints
  // nobody is.
  uint32_t requests_min = 100;
  uint32_t endpoints_min = 3;
};

enum class OutlierReason : uint8_t { kConsecutiveFailures, kSuccessRate, kLatency, kCount };
std::string_view NameOf(OutlierReason reason);

class OutlierDetector {
 public:
  OutlierDetector(const OutlierSettings& settings,
                  std::vector<std::shared_ptr<EndpointHealth>> endpoints);
  OutlierDetector(const OutlierDetector&) = delete;
  OutlierDetector& operator=(const OutlierDetector&) = delete;

  // `head_micros`: from the request's end to the response head.
  void Succeeded(size_t endpoint, int64_t head_micros);
  void Failed(size_t endpoint, int64_t now_unix_ms);
  // Without a response after so long, when it was given up in favour of a faster one.
  void Outrun(size_t endpoint, int64_t waited_micros);

  // Of a connection that stands for no request of its own, as in tcp services: only those in a row
  // count.
  void Connected(size_t endpoint);
  void ConnectFailed(size_t endpoint, int64_t now_unix_ms);

  // Takes back whose time is over, and judges an interval that is.
  void Tick(int64_t now_unix_ms);

  size_t size() const { return endpoints_.size(); }
  const EndpointHealth& health(size_t endpoint) const { return *endpoints_[endpoint]; }
  uint64_t ejections_total(OutlierReason reason) const {
    return ejections_total_[static_cast<size_t>(reason)].load(std::memory_order_relaxed);
  }

 private:
  static constexpr size_t kCacheLine = 64;
  struct alignas(kCacheLine) Counts {
    std::atomic<uint32_t> failures_in_a_row{0};
    std::atomic<uint64_t> requests{0}, failures{0}, head_micros{0};
  };
  struct Interval {
    size_t endpoint;
    uint64_t requests, failures;
    double head_micros;  // Mean.
  };

  bool counts_intervals() const {
    return settings_.success_deviations_percent != 0 || settings_.latency_percent != 0;
  }
  void CountAnswer(size_t endpoint, int64_t head_micros);
  std::vector<Interval> TakeIntervals();
  void JudgeSuccess(const std::vector<Interval>& intervals, int64_t now_unix_ms);
  void JudgeLatency(const std::vector<Interval>& intervals, int64_t now_unix_ms);
  bool MayEject(const EndpointHealth& health) const;
  void Eject(size_t endpoint, OutlierReason reason, const std::string& text, int64_t now_unix_ms);

  const OutlierSettings settings_;
  const std::vector<std::shared_ptr<EndpointHealth>> endpoints_;
  std::vector<Counts> counts_;
  int64_t interval_end_unix_ms_ = 0;  // Control thread.
  std::atomic<uint64_t> ejections_total_[static_cast<size_t>(OutlierReason::kCount)] = {};
  std::mutex mutex_;  // Of ejecting: the cap must hold.
};

}  // namespace sluice::upstream
