#include "dataplane/runtime/retry_policy.h"

#include <algorithm>

namespace sluice::runtime {

RetryPolicy::RetryPolicy(const v1::Forward& forward) {
  if (!forward.has_retry()) return;
  const v1::RetryPolicy& source = forward.retry();
  if (source.attempts() != 0) attempts_max = source.attempts();
  non_idempotent = source.non_idempotent();
  backoff = io::Millis(source.backoff_ms());
  backoff_max = io::Millis(source.backoff_max_ms());
  hedge_after = io::Millis(source.hedge_after_ms());
  conditions = 0;
  for (const std::string& word : source.on()) {
    if (word == "connect_failure") {
      conditions |= static_cast<uint8_t>(RetryCondition::kConnectFailure);
    } else if (word == "reset") {
      conditions |= static_cast<uint8_t>(RetryCondition::kReset);
    } else if (word == "timeout") {
      conditions |= static_cast<uint8_t>(RetryCondition::kTimeout);
    } else if (word == "gateway_error") {
      conditions |= static_cast<uint8_t>(RetryCondition::kGatewayError);
    } else if (word == "5xx") {
      any_5xx = true;
    } else {
      statuses.push_back(static_cast<uint16_t>(std::stoul(word)));
    }
  }
}

bool RetryPolicy::OnStatus(uint16_t status) const {
  if (status < 300) return false;
  if (any_5xx && status >= 500) return true;
  if (on(RetryCondition::kGatewayError) && status >= 502 && status <= 504) return true;
  return std::find(statuses.begin(), statuses.end(), status) != statuses.end();
}

io::Millis RetryPolicy::BackoffAfter(uint32_t tries) const {
  constexpr uint32_t kDoublingsMax = 16;
  const uint32_t doublings = std::min(tries == 0 ? 0 : tries - 1, kDoublingsMax);
  return std::min(backoff * (1 << doublings), backoff_max);
}

}  // namespace sluice::runtime
