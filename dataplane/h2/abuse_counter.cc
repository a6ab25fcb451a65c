#include "dataplane/h2/abuse_counter.h"

#include <algorithm>

namespace sluice::h2 {

AbuseVerdict AbuseCounter::Count(Abuse kind, int64_t now_micros) {
  constexpr int64_t kOne = 1'000'000;
  const AbuseLimit limit = LimitOf(kind);
  Bucket& bucket = buckets_[static_cast<size_t>(kind)];
  if (bucket.allowed > 0) {
    --bucket.allowed;
    return AbuseVerdict::kFine;
  }
  // Not longer than it takes to forget everything: the product stays small.
  const int64_t elapsed =
      std::min(now_micros - bucket.at_micros, limit.burst * kOne / limit.per_second + kOne);
  bucket.at_micros = now_micros;
  bucket.level_millionths =
      std::max<int64_t>(0, bucket.level_millionths - elapsed * limit.per_second) + kOne;
  if (bucket.level_millionths >= limit.burst * kOne) return AbuseVerdict::kStop;
  if (bucket.level_millionths >= limit.burst * kOne / 4 * 3) return AbuseVerdict::kWindDown;
  return AbuseVerdict::kFine;
}

AbuseVerdict AbuseCounter::TableIs(size_t bytes, int64_t now_micros) {
  // Entries make room for one another; a table that loses half of itself was told to.
  const bool shrunk = bytes < table_bytes_ / 2;
  table_bytes_ = bytes;
  return shrunk ? Count(Abuse::kTableShrink, now_micros) : AbuseVerdict::kFine;
}

}  // namespace sluice::h2
