#include "controlplane/publish/traffic_history.h"

namespace sluice::publish {

void TrafficHistory::Add(const Traffic& counters, int64_t now_ms) {
  newest_ = {now_ms, counters};
  if (!samples_.empty() &&
      now_ms - samples_.back().at_ms < kSpanMs / static_cast<int64_t>(kSamplesMax)) {
    return;
  }
  samples_.push_back(newest_);
  if (samples_.size() > kSamplesMax) samples_.pop_front();
}

Traffic TrafficHistory::Lately(int64_t now_ms) const {
  for (const Sample& sample : samples_) {
    if (now_ms - sample.at_ms <= kSpanMs) return Since(sample.counters, newest_.counters);
  }
  return {};
}

}  // namespace sluice::publish
