#include "dataplane/upstream/warm_up.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/base/clock.h"

namespace sluice::upstream {
namespace {

constexpr std::chrono::milliseconds kLook{10};

}  // namespace

bool WarmUp::IsWaiting(const std::vector<Awaited>& awaited, int64_t now_micros) {
  return std::any_of(awaited.begin(), awaited.end(), [now_micros](const Awaited& one) {
    return !one.health->checked() && now_micros < one.until_micros;
  });
}

void WarmUp::Begin(std::vector<Awaited> awaited, std::function<void()> warm) {
  Cancel();
  awaited_ = std::move(awaited);
  warm_ = std::move(warm);
  Look();
}

void WarmUp::Cancel() {
  timer_.cancel();
  awaited_.clear();
  warm_ = nullptr;
}

void WarmUp::Look() {
  if (!IsWaiting(awaited_, base::MonotonicMicros())) {
    const std::function<void()> warm = std::move(warm_);
    Cancel();
    warm();
    return;
  }
  timer_.expires_after(kLook);
  timer_.async_wait([this](const boost::system::error_code& error) {
    // A wait that ended before it was cancelled comes here without an error.
    if (!error && warm_ != nullptr) Look();
  });
}

}  // namespace sluice::upstream
