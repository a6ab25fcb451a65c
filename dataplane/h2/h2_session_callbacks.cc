#include "dataplane/h2/h2_session_callbacks.h"

#include <algorithm>
#include <cstring>

#include "common/base/check.h"
#include "dataplane/h2/field_list.h"
#include "dataplane/http/field_id.h"
#include "dataplane/http/trailer_fields.h"

namespace sluice::h2 {
namespace {

H2Session& Self(void* session) { return *static_cast<H2Session*>(session); }

constexpr size_t kFrameBytes = 16 * 1024;  // SETTINGS_MAX_FRAME_SIZE, which we do not raise.
constexpr size_t kContinuationsMore = 4;
// nghttp2 counts a CONTINUATION once per read that brings a part of its frame header; this many
// whole ones may come in single bytes.
constexpr size_t kContinuationReadsMax = 9 * 72;

// WINDOW_UPDATE frames that one of ours may be answered with: of the stream and of the connection,
// twice, and for every so many bytes. Readers give windows back in larger portions.
constexpr uint32_t kUpdatesPerFrame = 4;
constexpr size_t kBytesPerUpdate = 256;
// Frames of a stream that may be on their way when we reset it.
constexpr uint32_t kFramesAfterReset = 4;

// The codes of RST_STREAM that say who is to blame.
bool IsFaultOfPeer(uint32_t error_code) {
  return error_code == NGHTTP2_PROTOCOL_ERROR || error_code == NGHTTP2_FLOW_CONTROL_ERROR ||
         error_code == NGHTTP2_STREAM_CLOSED || error_code == NGHTTP2_FRAME_SIZE_ERROR ||
         error_code == NGHTTP2_COMPRESSION_ERROR;
}

std::string_view Text(const uint8_t* bytes, size_t count) {
  return {reinterpret_cast<const char*>(bytes), count};
}

}  // namespace

const nghttp2_session_callbacks* H2Session::Callbacks::Table() {
  static const nghttp2_session_callbacks* const table = [] {
    nghttp2_session_callbacks* made = nullptr;
    SLUICE_CHECK(nghttp2_session_callbacks_new(&made) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(made, OnBeginFrame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made, OnInvalidFrame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(made, OnHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, OnFrame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, OnData);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, OnClose);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, OnFrameSent);
    nghttp2_session_callbacks_set_send_data_callback(made, OnSendData);
    return made;
  }();
  return table;
}

const nghttp2_option* H2Session::Callbacks::Options() {
  static const nghttp2_option* const options = [] {
    nghttp2_option* made = nullptr;
    SLUICE_CHECK(nghttp2_option_new(&made) == 0);
    nghttp2_option_set_no_auto_window_update(made, 1);
    nghttp2_option_set_peer_max_concurrent_streams(made, 100);
    // AbuseCounter is the first to act; behind it stand nghttp2's own limits.
    nghttp2_option_set_stream_reset_rate_limit(made, 2 * LimitOf(Abuse::kReset).burst,
                                               2 * LimitOf(Abuse::kReset).per_second);
    nghttp2_option_set_max_outbound_ack(made, LimitOf(Abuse::kPing).burst);
    nghttp2_option_set_max_continuations(made, kContinuationReadsMax);
    return made;
  }();
  return options;
}

nghttp2_session* H2Session::Callbacks::NewSession(H2Session& session, Side side) {
  nghttp2_session* raw = nullptr;
  SLUICE_CHECK((side == Side::kServer
                    ? nghttp2_session_server_new2(&raw, Table(), &session, Options())
                    : nghttp2_session_client_new2(&raw, Table(), &session, Options())) == 0);
  return raw;
}

nghttp2_data_provider H2Session::Callbacks::Body() {
  nghttp2_data_provider body{};
  body.read_callback = OnBodyWanted;
  return body;
}

// --- Receiving.

int H2Session::Callbacks::OnBeginFrame(nghttp2_session* raw, const nghttp2_frame_hd* head,
                                       void* session) {
  H2Session& self = Self(session);
  const bool client = self.options_.side == Side::kClient;
  const bool ends = head->flags & NGHTTP2_FLAG_END_STREAM;
  ++self.turn_frames_;
  switch (head->type) {
    case NGHTTP2_DATA:
      if (head->length == 0 && !ends) self.Note(Abuse::kEmptyData);
      break;
    case NGHTTP2_HEADERS:
      self.abuse_.SectionBegins();
      if (client && Find(raw, head->stream_id) == nullptr) self.Note(Abuse::kLateFrame);
      if (!client && !self.skipped_.Take(head->stream_id)) self.used_skipped_ = true;
      break;
    case NGHTTP2_CONTINUATION:
      // As many as a head that is still allowed takes, and some.
      self.Note(self.abuse_.CountContinuation(self.options_.head_bytes_max / kFrameBytes +
                                              kContinuationsMore));
      break;
    case NGHTTP2_PRIORITY:
      self.Note(Abuse::kPriority);
      break;
    case NGHTTP2_RST_STREAM:
      // An upstream that refuses requests has its reasons.
      if (!client) {
        self.Note(Abuse::kReset);
      } else if (Find(raw, head->stream_id) == nullptr) {
        self.Note(Abuse::kLateFrame);
      }
      break;
    case NGHTTP2_SETTINGS:
      self.Note(Abuse::kSettings);
      break;
    case NGHTTP2_PING:
      self.Note(Abuse::kPing);
      break;
    case NGHTTP2_WINDOW_UPDATE:
      self.Note(Abuse::kWindowUpdate);
      break;
    case NGHTTP2_GOAWAY:
      self.Note(Abuse::kGoaway);
      break;
    default:
      break;
  }
  return 0;
}

int H2Session::Callbacks::OnInvalidFrame(nghttp2_session* raw, const nghttp2_frame* frame, int,
                                         void* session) {
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  // The head is over, as bad as it was.
  if (frame->hd.flags & NGHTTP2_FLAG_END_HEADERS) Self(session).head_open_ = false;
  if (H2Stream* const stream = Find(raw, frame->hd.stream_id)) stream->refused_ = true;
  return 0;
}

int H2Session::Callbacks::OnBeginHeaders(nghttp2_session* raw, const nghttp2_frame* frame,
                                         void* session) {
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  H2Session& self = Self(session);
  self.head_open_ = true;
  H2Stream* stream = nullptr;
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    stream = self.owner_.OnOpen(frame->hd.stream_id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  } else {
    stream = Find(raw, frame->hd.stream_id);
  }
  if (stream == nullptr) return 0;
  // Which section it is, its first field tells: trailers have no pseudo-header fields.
  stream->trailer_block_.Clear();
  stream->filling_ = nullptr;
  return 0;
}

int H2Session::Callbacks::OnHeader(nghttp2_session* raw, const nghttp2_frame* frame,
                                   const uint8_t* name, size_t name_bytes, const uint8_t* value,
                                   size_t value_bytes, uint8_t, void* session) {
  H2Stream* const stream = Find(raw, frame->hd.stream_id);
  if (stream == nullptr || frame->hd.type != NGHTTP2_HEADERS) return 0;
  H2Session& self = Self(session);
  if (stream->filling_ == nullptr) {
    const bool head = name_bytes == 0 || name[0] == ':';
    if (!head) {
      stream->filling_ = &stream->trailer_block_;
    } else if (!stream->head_ready_) {
      stream->head_.Clear();
      stream->filling_ = &stream->head_;
    } else if (stream->later_heads_.size() < H2Stream::kLaterHeadsMax) {
      stream->later_block_.Clear();
      stream->filling_ = &stream->later_block_;
    } else {
      RefuseLaterHeads(self, *stream);
      return 0;
    }
  }
  const SessionOptions& limits = self.options_;
  FieldBlock& block = *stream->filling_;
  const size_t bytes = name_bytes + value_bytes + FieldBlock::kEntryBytes;
  if (block.count() >= limits.fields_max || block.listed_bytes() + bytes > limits.head_bytes_max) {
    stream->head_too_large_ = true;
    return 0;
  }
  // All that wait have the room of one.
  if (&block == &stream->later_block_ &&
      stream->later_bytes_ + block.listed_bytes() + bytes > limits.head_bytes_max) {
    RefuseLaterHeads(self, *stream);
    return 0;
  }
  block.Add(Text(name, name_bytes), Text(value, value_bytes));
  return 0;
}

// The exchange may be waiting for something else than the upstream's word, for as long as it likes.
void H2Session::Callbacks::RefuseLaterHeads(H2Session& session, H2Stream& stream) {
  if (stream.overrun_) return;
  stream.overrun_ = stream.head_too_large_ = true;
  session.Note(Abuse::kPendingHeads);
  nghttp2_submit_rst_stream(session.session_.get(), NGHTTP2_FLAG_NONE, stream.id_,
                            NGHTTP2_ENHANCE_YOUR_CALM);
}

void H2Session::Callbacks::TakeTrailers(H2Stream& stream) {
  stream.trailers_.clear();
  for (size_t i = 0; i < stream.trailer_block_.count(); ++i) {
    const auto [name, value] = stream.trailer_block_[i];
    const http::Field field{name, value, http::IdentifyField(name)};
    if (http::MayBeTrailer(field)) stream.trailers_.push_back(field);
  }
}

void H2Session::Callbacks::SectionEnded(H2Session& session, H2Stream& stream) {
  if (stream.filling_ == &stream.trailer_block_) {
    TakeTrailers(stream);
  } else if (stream.filling_ == &stream.head_) {
    stream.head_ready_ = true;
  } else if (stream.filling_ != nullptr && !stream.overrun_) {
    stream.later_bytes_ += stream.later_block_.listed_bytes();
    stream.later_heads_.push_back(std::move(stream.later_block_));
    if (!stream.head_ready_) stream.NextHead();
  }
  stream.filling_ = nullptr;
  News(session, stream);
}

int H2Session::Callbacks::OnFrame(nghttp2_session* raw, const nghttp2_frame* frame, void* session) {
  H2Session& self = Self(session);
  switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
      self.head_open_ = false;  // The preface is through.
      return 0;
    case NGHTTP2_GOAWAY:
      self.going_away_ = true;
      return 0;
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
      break;
    default:
      return 0;
  }
  if (frame->hd.type == NGHTTP2_HEADERS) {
    self.head_open_ = false;
    self.Note(self.abuse_.TableIs(nghttp2_session_get_hd_inflate_dynamic_table_size(raw),
                                  self.reactor_.now_micros()));
  }
  H2Stream* const stream = Find(raw, frame->hd.stream_id);
  if (stream == nullptr) return 0;
  if (frame->hd.type == NGHTTP2_HEADERS) SectionEnded(self, *stream);
  if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
    stream->received_end_ = true;
    News(self, *stream);
  }
  return 0;
}

int H2Session::Callbacks::OnData(nghttp2_session* raw, uint8_t, int32_t id, const uint8_t* bytes,
                                 size_t count, void* session) {
  H2Stream* const stream = Find(raw, id);
  if (stream == nullptr) {
    // Nobody is going to take it; the window all streams share gets it back.
    nghttp2_session_consume(raw, id, count);
    return 0;
  }
  // No more than the stream's window, which nghttp2 enforces.
  io::Buffer& received = stream->received_;
  if (received.capacity() - received.size() < count) {
    received.Reserve(std::max(received.size() + count, 2 * received.capacity()));
  }
  std::memcpy(received.tail(count), bytes, count);
  received.Filled(count);
  Self(session).held_bytes_ += count;
  News(Self(session), *stream);
  return 0;
}

int H2Session::Callbacks::OnClose(nghttp2_session* raw, int32_t id, uint32_t error, void* session) {
  H2Stream* const stream = Find(raw, id);
  if (stream == nullptr || stream->closed_) return 0;
  H2Session& self = Self(session);
  stream->closed_ = true;
  stream->error_ = error;
  --self.streams_;
  stream->has_moved_ = true;
  News(self, *stream);
  return 0;
}

// --- Sending.

ssize_t H2Session::Callbacks::OnBodyWanted(nghttp2_session* raw, int32_t id, uint8_t*, size_t room,
                                           uint32_t* flags, nghttp2_data_source*, void*) {
  H2Stream* const stream = Find(raw, id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  const size_t count = std::min(room, stream->piece_.size());
  if (count == 0 && !stream->last_piece_) {
    stream->deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (!stream->last_piece_ || count < stream->piece_.size()) return static_cast<ssize_t>(count);
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (stream->trailers_out_ == nullptr || stream->trailers_out_->empty()) {
    return static_cast<ssize_t>(count);
  }
  *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  std::vector<nghttp2_nv> fields;
  for (const http::Field& field : *stream->trailers_out_) {
    fields.push_back(FieldPair(field.name, field.value));
  }
  nghttp2_submit_trailer(raw, id, fields.data(), fields.size());
  return static_cast<ssize_t>(count);
}

int H2Session::Callbacks::OnSendData(nghttp2_session* raw, nghttp2_frame* frame,
                                     const uint8_t* head, size_t count, nghttp2_data_source*,
                                     void* session) {
  constexpr size_t kFrameHeadBytes = 9;
  H2Session& self = Self(session);
  H2Stream* const stream = Find(raw, frame->hd.stream_id);
  if (stream == nullptr || stream->piece_.size() < count) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  if (self.out_.size() >= kOutBytes) return NGHTTP2_ERR_WOULDBLOCK;
  self.Append(head, kFrameHeadBytes);
  if (count > 0) self.Append(stream->piece_.data(), count);
  stream->piece_.remove_prefix(count);
  return 0;
}

int H2Session::Callbacks::OnFrameSent(nghttp2_session* raw, const nghttp2_frame* frame,
                                      void* session) {
  H2Session& self = Self(session);
  if (frame->hd.type == NGHTTP2_RST_STREAM) {
    if (IsFaultOfPeer(frame->rst_stream.error_code)) self.Note(Abuse::kProvokedReset);
    self.Allow(Abuse::kLateFrame, kFramesAfterReset);
  }
  if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) return 0;
  self.Allow(Abuse::kWindowUpdate,
             kUpdatesPerFrame + static_cast<uint32_t>(frame->hd.length / kBytesPerUpdate));
  H2Stream* const stream = Find(raw, frame->hd.stream_id);
  if (stream == nullptr) return 0;
  if (frame->hd.type == NGHTTP2_HEADERS) stream->interim_waits_ = false;
  if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) stream->sent_end_ = true;
  if (stream->piece_.empty()) {
    stream->has_moved_ = true;
    self.Touch(*stream);
  }
  return 0;
}

}  // namespace sluice::h2
