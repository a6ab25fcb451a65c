// One stream of an HTTP/2 session: what was received of it and not yet used, and what is to be
// sent.
//
// On the request path. One worker's. Whoever takes part in a session derives from it and owns it;
// it may be destroyed at any time outside the session's own calls, which resets the stream.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "dataplane/h2/field_block.h"
#include "dataplane/http/message.h"
#include "dataplane/io/buffer.h"
#include "dataplane/io/task.h"
#include "dataplane/io/timer_wheel.h"
#include "dataplane/io/wait.h"

namespace sluice::h2 {

class H2Session;

class H2Stream {
 public:
  // Of a stream that the peer has opened.
  H2Stream(H2Session& session, int32_t id);
  // Of one that H2Session::SubmitRequest is to open.
  explicit H2Stream(H2Session& session);
  virtual ~H2Stream();
  H2Stream(const H2Stream&) = delete;
  H2Stream& operator=(const H2Stream&) = delete;

  int32_t id() const { return id_; }
  // Neither side can send any more, or the session is gone. Not for a stream that ended well.
  bool broken() const { return closed_ && !(received_end_ && sent_end_); }
  bool closed() const { return closed_; }
  // The error code of RST_STREAM, if that was the end (RFC 9113 section 7).
  uint32_t error() const { return error_; }

  // --- Receiving.
  // A request's or response's head is complete, interim ones (1xx) one by one.
  bool head_ready() const { return head_ready_; }
  // Its fields; good until NextHead.
  const FieldBlock& head() const { return head_; }
  // Fields were more than the limits allow, and were dropped; or there were more heads than
  // anybody looked at, and the stream is reset for it.
  bool head_too_large() const { return head_too_large_; }
  // A header section was malformed, and the stream is reset for it (RFC 9113 section 8.1.1).
  bool refused() const { return refused_; }
  void NextHead();
  // Complete heads that wait behind head().
  static constexpr size_t kLaterHeadsMax = 32;
  size_t later_heads() const { return later_heads_.size(); }
  // The peer has said all; there may still be received bytes to take.
  bool received_end() const { return received_end_; }
  bool has_received() const { return !received_.empty(); }
  // Of its last header section, sent behind the content.
  const std::vector<http::Field>& trailers() const { return trailers_; }
  // What has come, at most a window; valid until the next call, which lets the peer send as much
  // again.
  std::string_view TakeReceived();

  // --- Sending. Never inside the session's callbacks.
  enum class Sent : uint8_t { kDone, kTimeout, kBroken };
  // Everything of `bytes` was put into frames; with `last`, the end of the stream, too. The head
  // must have been submitted with a body to come. `trailers`, if not null and not empty, end it.
  io::Task<Sent> Send(std::string_view bytes, bool last, const std::vector<http::Field>* trailers,
                      io::Timer& timer);
  // The interim response (1xx) that was submitted last was put into frames.
  io::Task<Sent> InterimSent(io::Timer& timer);
  bool sent_end() const { return sent_end_; }
  void NoteHeadIsAll() { sent_end_ = true; }  // The head was submitted without a body.
  void Reset(uint32_t error_code);

 protected:
  H2Session& session() { return session_; }
  // A head, bytes, or the end has come. Outside the session's callbacks.
  virtual void OnNews() = 0;

 private:
  friend class H2Session;

  H2Session& session_;
  int32_t id_ = 0;
  FieldBlock head_;
  std::vector<FieldBlock> later_heads_;  // Behind one that nobody has looked at yet.
  size_t later_bytes_ = 0;               // In them.
  FieldBlock later_block_;               // To become one of them.
  FieldBlock trailer_block_;
  FieldBlock* filling_ = nullptr;  // The section that is being received.
  io::Buffer received_, lent_;
  size_t lent_bytes_ = 0;  // To be given back to the peer's window.
  std::vector<http::Field> trailers_;

  std::string_view piece_;  // What Send waits to put into frames.
  const std::vector<http::Field>* trailers_out_ = nullptr;
  io::Signal moved_;
  uint32_t error_ = 0;

  H2Stream* previous_ = nullptr;  // All of the session.
  H2Stream* next_ = nullptr;
  H2Stream* next_touched_ = nullptr;
  bool linked_ = false;
  bool touched_ = false;  // In the list of those to be told.
  bool has_news_ = false;
  bool has_moved_ = false;
  bool interim_waits_ = false;  // Submitted, and not yet put into frames.
  bool head_ready_ = false;
  bool head_too_large_ = false;
  bool overrun_ = false;  // There were more heads than are kept.
  bool refused_ = false;
  bool received_end_ = false;
  bool last_piece_ = false;
  bool deferred_ = false;  // The session waits for Send.
  bool sent_end_ = false;
  bool closed_ = false;
};

}  // namespace sluice::h2
