#include "dataplane/h2/h2_session.h"

#include <errno.h>

#include <cstring>

#include "common/base/check.h"
#include "dataplane/h2/h2_session_callbacks.h"

namespace sluice::h2 {
namespace {

// Answers that wait (to pings, settings, broken streams): a peer that makes more of them than it
// reads is not heard any further until it has read.
constexpr size_t kQueuedFramesMax = 512;

// Frames that are heard in one turn of the loop; those that were read with the last of them, too.
constexpr uint32_t kFramesPerTurn = 1024;

}  // namespace

H2Session::H2Session(SessionOwner& owner, tls::Stream& stream, io::Reactor& reactor,
                     io::BufferPool& buffers, io::Timer& timer, const SessionOptions& options)
    : owner_(owner),
      stream_(stream),
      reactor_(reactor),
      buffers_(buffers),
      timer_(timer),
      options_(options),
      session_(Callbacks::NewSession(*this, options.side)),
      in_(buffers),
      out_(buffers) {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options.head_bytes_max},
      // The peer of a server may tunnel (RFC 8441); a client wants nothing pushed.
      {options.side == Side::kServer ? NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL
                                     : NGHTTP2_SETTINGS_ENABLE_PUSH,
       options.side == Side::kServer ? 1u : 0u},
  };
  SLUICE_CHECK(nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, settings,
                                       std::size(settings)) == 0);
  SLUICE_CHECK(
      nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0,
                                            static_cast<int32_t>(options.connection_window)) == 0);
  head_open_ = options.side == Side::kServer;
}

H2Session::~H2Session() {
  if (turn_deferred_) reactor_.Undefer(this);
}

// --- The connection's life.

io::Task<void> H2Session::Run(std::string_view begun) {
  if (!begun.empty()) Receive(begun);
  for (;;) {
    ReadAll();
    Turn();
    if (Over()) break;
    ArmTimer();
    io::Wait wait;
    if (!deaf_) wait.Readable(stream_.socket());
    if (blocked_ || stream_.wants_write()) wait.Writable(stream_.socket());
    wait.Until(timer_).On(wake_);
    if (co_await wait == io::Wake::kTimeout) OnTimeout();
  }
  broken_ = true;
  BreakStreams();
}

bool H2Session::Over() const {
  return broken_ || (out_.empty() && nghttp2_session_want_read(session_.get()) == 0 &&
                     nghttp2_session_want_write(session_.get()) == 0);
}

void H2Session::ArmTimer() {
  TimerUse use = TimerUse::kNone;
  io::Millis delay{0};
  if (head_open_) {
    use = TimerUse::kHead;
    delay = options_.head_timeout;
  } else if (shutting_down_ && !grace_over_) {
    use = TimerUse::kGrace;
    delay = grace_;
  } else if (streams_ == 0) {
    use = TimerUse::kIdle;
    delay = options_.idle_timeout;
  }
  if (use == timer_use_) return;  // Frames that carry no request do not gain time.
  timer_use_ = use;
  reactor_.timers().Arm(timer_, delay);
}

void H2Session::OnTimeout() {
  const TimerUse use = std::exchange(timer_use_, TimerUse::kNone);
  if (use == TimerUse::kNone) return;
  if (use == TimerUse::kGrace) grace_over_ = true;
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  // Idle, or a head that never ends: there is nothing left to be done.
  if (use != TimerUse::kGrace) {
    Turn();
    broken_ = true;
  }
}

void H2Session::Shutdown(io::Millis grace) {
  if (shutting_down_) return;
  shutting_down_ = true;
  grace_ = grace;
  if (options_.side == Side::kServer) {
    nghttp2_submit_shutdown_notice(session_.get());
  } else {
    nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
  }
  // Run has to set its timer anew, which Turn makes it do.
  TurnSoon();
}

void H2Session::BreakStreams() {
  for (H2Stream* stream = streams_first_; stream != nullptr; stream = stream->next_) {
    if (!stream->closed_) --streams_;
    stream->closed_ = stream->has_news_ = stream->has_moved_ = true;
    Touch(*stream);
  }
  in_turn_ = true;
  TellStreams();
  in_turn_ = false;
}

// --- Bytes.

void H2Session::ReadAll() {
  deaf_ = blocked_ && nghttp2_session_get_outbound_queue_size(session_.get()) > kQueuedFramesMax;
  if (turn_ != reactor_.turn()) {
    turn_ = reactor_.turn();
    turn_frames_ = 0;
  }
  while (!deaf_ && !broken_ && stream_.may_read()) {
    if (turn_frames_ >= kFramesPerTurn) {
      stream_.socket().Pause();
      break;
    }
    in_.Reserve(io::BufferPool::kSmallBytes);
    const ssize_t read = stream_.Read(in_.data(), in_.capacity());
    if (read == -EAGAIN) break;
    if (read <= 0) {
      broken_ = true;
      break;
    }
    owner_.CountReceived(static_cast<size_t>(read));
    Receive({in_.data(), static_cast<size_t>(read)});
    in_turn_ = true;
    TellStreams();
    in_turn_ = false;
  }
  in_.Release();
}

void H2Session::Receive(std::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (taken == NGHTTP2_ERR_FLOODED || taken == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) {
    Note(AbuseVerdict::kStop);
  } else if (taken < 0) {
    // What else can be explained to the peer nghttp2 has put into a GOAWAY.
    broken_ = true;
  }
  if (used_skipped_) nghttp2_session_terminate_session(session_.get(), NGHTTP2_PROTOCOL_ERROR);
  ActOnAbuse();
}

void H2Session::Append(const void* bytes, size_t count) {
  out_.Reserve(std::max(out_.size() + count, io::BufferPool::kLargeBytes));
  std::memcpy(out_.tail(count), bytes, count);
  out_.Filled(count);
}

void H2Session::Pump() {
  while (!broken_ && out_.size() < kOutBytes) {
    const uint8_t* frame = nullptr;
    const ssize_t bytes = nghttp2_session_mem_send(session_.get(), &frame);
    if (bytes < 0) broken_ = true;
    if (bytes <= 0) return;
    Append(frame, static_cast<size_t>(bytes));
  }
}

void H2Session::Write() {
  blocked_ = false;
  while (!out_.empty() && !broken_) {
    const ssize_t written = stream_.Write(out_.data(), out_.size());
    if (written == -EAGAIN) {
      blocked_ = true;
      return;
    }
    if (written < 0) {
      broken_ = true;
      return;
    }
    owner_.CountSent(static_cast<size_t>(written));
    out_.Consume(static_cast<size_t>(written));
  }
}

// --- Abuse.

void H2Session::Note(Abuse kind) { Note(abuse_.Count(kind, reactor_.now_micros())); }

void H2Session::Stalled() {
  // An upstream may be slow; the request that waits for it ends by itself.
  if (options_.side == Side::kClient) return;
  Note(Abuse::kStall);
  ActOnAbuse();
  TurnSoon();
}

void H2Session::ActOnAbuse() {
  if (verdict_ == acted_on_) return;
  if (acted_on_ == AbuseVerdict::kFine) owner_.CountAbuse();
  acted_on_ = verdict_;
  going_away_ = true;
  if (verdict_ == AbuseVerdict::kStop) {
    nghttp2_session_terminate_session(session_.get(), NGHTTP2_ENHANCE_YOUR_CALM);
  } else {
    nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session_.get()),
                          NGHTTP2_ENHANCE_YOUR_CALM, nullptr, 0);
  }
}

// --- One turn: tell streams what came, write what they say to it.

void H2Session::Turn() {
  in_turn_ = true;
  do {
    Pump();
    ActOnAbuse();  // Resets that have just been sent count, too.
    TellStreams();
    if (out_.empty() && touched_first_ == nullptr) break;
    Write();
  } while (!blocked_ && !broken_);
  // Whoever is told to stop and does not even listen is not waited for.
  if (blocked_ && acted_on_ == AbuseVerdict::kStop) broken_ = true;
  if (out_.empty()) out_.Release();
  in_turn_ = false;
}

void H2Session::TurnSoon() {
  if (in_turn_ || turn_deferred_) return;
  turn_deferred_ = true;
  reactor_.Defer(OnTurn, this);
}

void H2Session::OnTurn(void* session) {
  auto* self = static_cast<H2Session*>(session);
  self->turn_deferred_ = false;
  self->Turn();
  // Run waits for what it saw last; it must look again where that has changed.
  if (self->blocked_ || self->Over() || self->shutting_down_ ||
      (self->streams_ == 0) != (self->timer_use_ == TimerUse::kIdle)) {
    self->wake_.Fire();
  }
}

// --- Streams.

void H2Session::Consumed(size_t bytes) {
  held_bytes_ -= bytes;
  // nghttp2 waits for half of the window, which never comes where streams that stand still hold
  // more than half.
  const int32_t unacknowledged = nghttp2_session_get_effective_recv_data_length(session_.get());
  const int64_t due = unacknowledged - static_cast<int64_t>(held_bytes_);
  if (due >= options_.stream_window / 2) {
    nghttp2_submit_window_update(session_.get(), NGHTTP2_FLAG_NONE, 0, static_cast<int32_t>(due));
  }
  TurnSoon();
}

void H2Session::Link(H2Stream& stream) {
  stream.linked_ = true;
  stream.next_ = streams_first_;
  if (streams_first_ != nullptr) streams_first_->previous_ = &stream;
  streams_first_ = &stream;
  ++streams_;
}

void H2Session::Unlink(H2Stream& stream) {
  stream.linked_ = false;
  if (!stream.closed_) --streams_;
  (stream.previous_ != nullptr ? stream.previous_->next_ : streams_first_) = stream.next_;
  if (stream.next_ != nullptr) stream.next_->previous_ = stream.previous_;
  if (!stream.touched_) return;
  H2Stream** at = &touched_first_;
  H2Stream* before = nullptr;
  while (*at != &stream) {
    before = *at;
    at = &(*at)->next_touched_;
  }
  *at = stream.next_touched_;
  if (touched_last_ == &stream) touched_last_ = before;
}

void H2Session::Touch(H2Stream& stream) {
  if (stream.touched_) return;
  stream.touched_ = true;
  stream.next_touched_ = nullptr;
  (touched_last_ != nullptr ? touched_last_->next_touched_ : touched_first_) = &stream;
  touched_last_ = &stream;
}

H2Stream* H2Session::PopTouched() {
  H2Stream* const stream = touched_first_;
  if (stream == nullptr) return nullptr;
  touched_first_ = stream->next_touched_;
  if (touched_first_ == nullptr) touched_last_ = nullptr;
  stream->touched_ = false;
  return stream;
}

void H2Session::TellStreams() {
  while (H2Stream* const stream = PopTouched()) {
    // One thing at a time: it may be destroyed by what it is told.
    if (stream->has_moved_) {
      stream->has_moved_ = false;
      if (stream->has_news_) Touch(*stream);
      stream->moved_.Fire();
    } else if (stream->has_news_) {
      stream->has_news_ = false;
      stream->OnNews();
    }
  }
}

bool H2Session::SubmitHead(H2Stream& stream, std::span<const nghttp2_nv> fields, bool last) {
  nghttp2_data_provider body = Callbacks::Body();
  if (stream.closed_) return false;
  const int result = nghttp2_submit_response(session_.get(), stream.id_, fields.data(),
                                             fields.size(), last ? nullptr : &body);
  TurnSoon();
  return result == 0;
}

bool H2Session::SubmitInterim(H2Stream& stream, std::span<const nghttp2_nv> fields) {
  if (stream.closed_) return false;
  const int result = nghttp2_submit_headers(session_.get(), NGHTTP2_FLAG_NONE, stream.id_, nullptr,
                                            fields.data(), fields.size(), nullptr);
  if (result == 0) stream.interim_waits_ = true;
  TurnSoon();
  return result == 0;
}

bool H2Session::SubmitRequest(H2Stream& stream, std::span<const nghttp2_nv> fields, bool last) {
  if (going_away()) return false;
  nghttp2_data_provider body = Callbacks::Body();
  const int32_t id = nghttp2_submit_request(session_.get(), nullptr, fields.data(), fields.size(),
                                            last ? nullptr : &body, &stream);
  if (id < 0) return false;
  stream.id_ = id;
  Link(stream);
  TurnSoon();
  return true;
}

}  // namespace sluice::h2
