// What a peer may do that costs us more than it costs the peer, counted per kind; each kind may
// come in a burst and then at a rate. Somebody who means well stays far below.
//
// On the request path: once per frame of these kinds. One session's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sluice::h2 {

enum class Abuse : uint8_t {
  kReset,          // RST_STREAM received (CVE-2023-44487).
  kProvokedReset,  // RST_STREAM sent for what the peer did (CVE-2025-8671).
  kStall,          // A response that the peer asked for and did not take in time.
  kEmptyData,      // DATA that neither carries anything nor ends the stream (CVE-2019-9518).
  kPing,           // CVE-2019-9512.
  kSettings,       // CVE-2019-9515.
  kPriority,       // PRIORITY, which nobody here obeys (CVE-2019-9513).
  kTableShrink,    // The header table was emptied again (RFC 7541 section 4.3).
  kWindowUpdate,   // WINDOW_UPDATE, far more than what we have sent is the reason for.
  kGoaway,         // Once, or twice where it is graceful (RFC 9113 section 6.8).
  kPendingHeads,   // Responses whose interim ones (1xx) were more than anybody had looked at.
  kLateFrame,      // HEADERS or RST_STREAM of an upstream's stream that is over.
  kCount,
};

struct AbuseLimit {
  uint32_t burst;
  uint32_t per_second;  // What is forgotten.
};
constexpr AbuseLimit LimitOf(Abuse kind) {
  switch (kind) {  // No default: the compiler finds the gap.
    case Abuse::kReset:
      return {1000, 100};
    case Abuse::kProvokedReset:
      return {100, 1};
    case Abuse::kStall:
      return {32, 1};
    case Abuse::kEmptyData:
      return {200, 20};
    case Abuse::kPing:
      return {2000, 500};  // Clients measure the way with them.
    case Abuse::kSettings:
      return {200, 20};
    case Abuse::kPriority:
      return {1000, 200};
    case Abuse::kTableShrink:
      return {200, 20};
    case Abuse::kWindowUpdate:
      return {2000, 200};
    case Abuse::kGoaway:
      return {32, 1};
    case Abuse::kPendingHeads:
      return {32, 1};
    case Abuse::kLateFrame:
      return {1000, 100};
    case Abuse::kCount:
      break;
  }
  __builtin_unreachable();
}

// How the session answers.
enum class AbuseVerdict : uint8_t {
  kFine,
  kWindDown,  // Three quarters of a limit: streams that are open end, no further ones are taken.
  kStop,      // All of it.
};

class AbuseCounter {
 public:
  // One more of `kind`. Times must not go back.
  AbuseVerdict Count(Abuse kind, int64_t now_micros);
  // The next `count` of `kind` are what we have given reason for: they do not count.
  void Allow(Abuse kind, uint32_t count) { buckets_[static_cast<size_t>(kind)].allowed += count; }
  // A header section has begun; every frame that continues it is one of at most so many.
  void SectionBegins() { continuations_ = 0; }
  AbuseVerdict CountContinuation(size_t continuations_max) {
    return ++continuations_ > continuations_max ? AbuseVerdict::kStop : AbuseVerdict::kFine;
  }
  // The bytes in the peer's header table after a section.
  AbuseVerdict TableIs(size_t bytes, int64_t now_micros);

 private:
  struct Bucket {
    int64_t level_millionths = 0;
    int64_t at_micros = 0;
    uint64_t allowed = 0;
  };
  std::array<Bucket, static_cast<size_t>(Abuse::kCount)> buckets_;
  size_t continuations_ = 0;
  size_t table_bytes_ = 0;
};

}  // namespace sluice::h2
