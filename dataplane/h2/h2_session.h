// An HTTP/2 connection (RFC 9113): frames in and out by nghttp2, flow control, many streams.
//
// On the request path. One worker's. nghttp2's callbacks only record what happened; streams are
// told afterwards, and may then do anything, destroy themselves included. What they send in one
// turn of the loop leaves in one write.
#pragma once

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <memory>
#include <span>

#include "common/base/free_with.h"
#include "dataplane/h2/abuse_counter.h"
#include "dataplane/h2/h2_stream.h"
#include "dataplane/h2/skipped_streams.h"
#include "dataplane/io/reactor.h"
#include "dataplane/tls/stream.h"

namespace sluice::h2 {

enum class Side : uint8_t { kServer, kClient };

struct SessionOptions {
  Side side = Side::kServer;
  uint32_t streams_max = 128;           // That the peer may have open at a time.
  uint32_t stream_window = 256 * 1024;  // Bytes of a body on their way or waiting, per stream.
  uint32_t connection_window = 1024 * 1024;
  uint32_t head_bytes_max = 64 * 1024;
  uint32_t fields_max = 256;
  io::Millis head_timeout{0};  // From a head's first frame to its last.
  io::Millis idle_timeout{0};  // Without any stream.
};

// What is on the other side of a session: the connection that has it.
class SessionOwner {
 public:
  virtual ~SessionOwner() = default;
  // The peer opens a stream (server side). Null refuses it. Inside a callback of nghttp2: nothing
  // may be sent.
  virtual H2Stream* OnOpen(int32_t id) = 0;
  virtual void CountReceived(size_t bytes) = 0;
  virtual void CountSent(size_t bytes) = 0;
  // The connection ends because of what the peer did; once.
  virtual void CountAbuse() = 0;
};

class H2Session {
 public:
  // All must outlive the session; `timer` is the session's alone.
  H2Session(SessionOwner& owner, tls::Stream& stream, io::Reactor& reactor, io::BufferPool& buffers,
            io::Timer& timer, const SessionOptions& options);
  ~H2Session();
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;

  // Until the connection is over: nothing was heard for too long, or the peer went, or Shutdown and
  // the last stream are done. `begun`: bytes received already. Streams that are still there have
  // been told that they are broken.
  io::Task<void> Run(std::string_view begun);

  // Announces that no further streams are taken (GOAWAY). Those that are open go on; new ones are
  // still taken for `grace`, since they may be on their way.
  void Shutdown(io::Millis grace);
  bool shutting_down() const { return shutting_down_; }
  // No further streams can be begun: the peer takes none, the connection is over, or its stream
  // identifiers are used up (RFC 9113 section 5.1.1).
  bool going_away() const {
    return going_away_ || broken_ || shutting_down_ ||
           (options_.side == Side::kClient &&
            nghttp2_session_check_request_allowed(session_.get()) == 0);
  }

  // Streams that are open.
  size_t streams() const { return streams_; }
  // How many the peer allows.
  uint32_t peer_streams_max() const {
    return nghttp2_session_get_remote_settings(session_.get(),
                                               NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  }
  bool peer_allows_connect_protocol() const {
    return nghttp2_session_get_remote_settings(session_.get(),
                                               NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
  }

  // Server side. `fields` are copied. False when the stream is gone.
  bool SubmitHead(H2Stream& stream, std::span<const nghttp2_nv> fields, bool last);
  bool SubmitInterim(H2Stream& stream, std::span<const nghttp2_nv> fields);
  // Client side: opens `stream`, which has no id yet; false when no more can be opened. What the
  // peer does not allow at present waits until it does.
  bool SubmitRequest(H2Stream& stream, std::span<const nghttp2_nv> fields, bool last);

 private:
  friend class H2Stream;
  // Frames that wait to be written; beyond it streams wait until the peer has read.
  static constexpr size_t kOutBytes = 64 * 1024;
  struct Callbacks;

  void Link(H2Stream& stream);
  void Unlink(H2Stream& stream);
  void Touch(H2Stream& stream);
  H2Stream* PopTouched();
  void TellStreams();
  // Something the peer did counts against it; what follows is done outside of the callbacks.
  void Note(Abuse kind);
  // A frame we sent asks for so many of them, which do not count.
  void Allow(Abuse kind, uint32_t count) { abuse_.Allow(kind, count); }
  void Note(AbuseVerdict verdict) { verdict_ = std::max(verdict_, verdict); }
  void ActOnAbuse();
  // The peer has not taken in time what a stream had for it.
  void Stalled();
  // So many of the bytes that streams hold were used: the peer may send as many again.
  void Consumed(size_t bytes);
  // Frames into out_, as long as there is room.
  void Pump();
  void Receive(std::string_view bytes);
  void ReadAll();
  void Append(const void* bytes, size_t count);
  void Write();
  void Turn();
  void TurnSoon();
  static void OnTurn(void* session);
  void ArmTimer();
  void OnTimeout();
  void BreakStreams();
  bool Over() const;

  SessionOwner& owner_;
  tls::Stream& stream_;
  io::Reactor& reactor_;
  io::BufferPool& buffers_;
  io::Timer& timer_;
  const SessionOptions options_;
  std::unique_ptr<nghttp2_session, base::FreeWith<nghttp2_session_del>> session_;
  io::Buffer in_, out_;
  io::Signal wake_;  // Run has to look again.
  H2Stream* streams_first_ = nullptr;
  H2Stream* touched_first_ = nullptr;
  H2Stream* touched_last_ = nullptr;
  size_t streams_ = 0;
  size_t held_bytes_ = 0;  // Received and not yet consumed, in all streams.
  AbuseCounter abuse_;
  AbuseVerdict verdict_ = AbuseVerdict::kFine;  // The worst one so far.
  AbuseVerdict acted_on_ = AbuseVerdict::kFine;
  SkippedStreams skipped_;
  uint64_t turn_ = 0;
  uint32_t turn_frames_ = 0;  // Received in turn_.
  enum class TimerUse : uint8_t { kNone, kHead, kGrace, kIdle } timer_use_ = TimerUse::kNone;
  bool in_turn_ = false;
  bool turn_deferred_ = false;
  bool blocked_ = false;  // The socket takes no more at present.
  bool deaf_ = false;     // The peer must read before it is heard.
  bool broken_ = false;
  bool shutting_down_ = false;
  bool grace_over_ = false;
  bool going_away_ = false;
  bool head_open_ = false;     // The preface, or a header section, has begun and not ended.
  bool used_skipped_ = false;  // The peer has used a stream that it had passed over.
  io::Millis grace_{0};
};

}  // namespace sluice::h2
