// One line per exchange, JSON or text, written in batches by a background thread.
//
// A worker formats into its own bounded ring without a lock; when the ring is full the line is
// dropped and counted. Configure and Reopen may be called from the control thread at any time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "dataplane/http/failure.h"
#include "sluice/v1/settings.pb.h"

namespace sluice::observe {

// Views must live until Append returns. Durations in microseconds; -1: the phase was not reached.
struct AccessRecord {
  int64_t start_unix_micros = 0;
  std::string_view service, route, upstream, endpoint;
  std::string_view request_id;           // Safe bytes only.
  std::string_view trace_id;             // 32 hex digits or empty.
  std::string_view client;               // Address of the client as trusted hops tell it.
  std::string_view peer;                 // Address of the TCP peer.
  std::string_view client_cert_subject;  // Empty without a certificate.
  std::string_view method, scheme, host, path, query;  // Path as matched; raw bytes of strangers.
  std::string_view protocol;                           // HTTP/1.0, HTTP/1.1, HTTP/2.
  std::string_view user_agent, referer;
  uint16_t status = 0;  // 0: closed without an answer.
  uint32_t attempts = 0;
  uint64_t request_body_bytes = 0, response_body_bytes = 0;
  int64_t duration_micros = 0;        // First byte of the head to last byte sent.
  int64_t connect_micros = -1;        // 0 when a pooled connection served.
  int64_t upstream_head_micros = -1;  // Request sent to response head received.
  http::Failure failure = http::Failure::kNone;
  uint64_t version = 0;  // Revision of the snapshot that served it.
};

class AccessLog {
  struct State;

 public:
  // One worker's end. Hot path: no allocation, no lock.
  class Writer {
   public:
    // Cheap; false: do not even build the record.
    bool enabled() const { return enabled_.load(std::memory_order_relaxed); }
    void Append(const AccessRecord& record);

   private:
    friend class AccessLog;
    struct Ring;
    explicit Writer(State& log);
    ~Writer();
    std::atomic<bool> enabled_{false};
    const std::unique_ptr<Ring> ring_;
  };

  // Nothing is written before Configure.
  explicit AccessLog(int workers);
  ~AccessLog();  // Writes what is queued; no worker may append any more.
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  Writer* writer(int worker);

  // Opens the new file before letting go of the old one; on error nothing changes.
  absl::Status Configure(const v1::AccessLog& settings, std::string_view default_format);
  absl::Status Reopen();
  uint64_t dropped_total() const;
  void Flush();  // Blocks until what was appended before is written; for shutdown and tests.

 private:
  const std::unique_ptr<State> state_;
};

}  // namespace sluice::observe
