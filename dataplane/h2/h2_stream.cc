#include "dataplane/h2/h2_stream.h"

#include "dataplane/h2/h2_session.h"

namespace sluice::h2 {

H2Stream::H2Stream(H2Session& session)
    : session_(session), received_(session.buffers_), lent_(session.buffers_) {}

H2Stream::H2Stream(H2Session& session, int32_t id) : H2Stream(session) {
  id_ = id;
  nghttp2_session_set_stream_user_data(session_.session_.get(), id_, this);
  session_.Link(*this);
}

H2Stream::~H2Stream() {
  if (!linked_) return;
  nghttp2_session* const raw = session_.session_.get();
  // The connection's window is shared by all: what was never taken must not narrow it for ever.
  if (const size_t unused = lent_bytes_ + received_.size(); unused > 0) {
    nghttp2_session_consume_connection(raw, unused);
    session_.Consumed(unused);
  }
  if (!closed_) {
    if (!received_end_ || !sent_end_) Reset(sent_end_ ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
    nghttp2_session_set_stream_user_data(raw, id_, nullptr);
  }
  session_.Unlink(*this);
}

void H2Stream::Reset(uint32_t error_code) {
  if (closed_) return;
  nghttp2_submit_rst_stream(session_.session_.get(), NGHTTP2_FLAG_NONE, id_, error_code);
  session_.TurnSoon();
}

void H2Stream::NextHead() {
  head_ready_ = false;
  if (later_heads_.empty()) return;
  head_ = std::move(later_heads_.front());
  later_heads_.erase(later_heads_.begin());
  later_bytes_ -= head_.listed_bytes();
  head_ready_ = true;
}

std::string_view H2Stream::TakeReceived() {
  if (lent_bytes_ > 0) {
    nghttp2_session_consume(session_.session_.get(), id_, lent_bytes_);
    session_.Consumed(lent_bytes_);
    lent_bytes_ = 0;
  }
  if (received_.empty()) {
    lent_.Release();
    return {};
  }
  lent_.Release();
  lent_.Swap(received_);
  lent_bytes_ = lent_.size();
  return lent_.view();
}

io::Task<H2Stream::Sent> H2Stream::Send(std::string_view bytes, bool last,
                                        const std::vector<http::Field>* trailers,
                                        io::Timer& timer) {
  if (closed_) co_return Sent::kBroken;
  piece_ = bytes;
  last_piece_ = last;
  trailers_out_ = trailers;
  if (deferred_) {
    deferred_ = false;
    nghttp2_session_resume_data(session_.session_.get(), id_);
  }
  session_.Pump();
  session_.TurnSoon();
  for (;;) {
    if (piece_.empty() && (!last || sent_end_)) co_return Sent::kDone;
    if (closed_) break;
    io::Wait wait;
    wait.Until(timer).On(moved_);
    if (co_await wait == io::Wake::kTimeout) {
      piece_ = {};
      session_.Stalled();
      co_return Sent::kTimeout;
    }
  }
  piece_ = {};
  co_return Sent::kBroken;
}

io::Task<H2Stream::Sent> H2Stream::InterimSent(io::Timer& timer) {
  for (;;) {
    if (closed_) co_return Sent::kBroken;
    if (!interim_waits_) co_return Sent::kDone;
    io::Wait wait;
    wait.Until(timer).On(moved_);
    if (co_await wait == io::Wake::kTimeout) {
      session_.Stalled();
      co_return Sent::kTimeout;
    }
  }
}

}  // namespace sluice::h2
