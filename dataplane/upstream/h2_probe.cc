#include "dataplane/upstream/h2_probe.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "common/base/check.h"
#include "dataplane/h2/field_list.h"

namespace sluice::upstream {
namespace {

template <typename Number>
void ReadNumber(std::string_view text, Number* number) {
  std::from_chars(text.data(), text.data() + text.size(), *number);
}

std::string_view Text(const uint8_t* bytes, size_t count) {
  return {reinterpret_cast<const char*>(bytes), count};
}

}  // namespace

H2Probe::H2Probe(Question question) : question_(std::move(question)) {
  nghttp2_session_callbacks* callbacks = nullptr;
  SLUICE_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
  nghttp2_session* raw = nullptr;
  SLUICE_CHECK(nghttp2_session_client_new(&raw, callbacks, this) == 0);
  nghttp2_session_callbacks_del(callbacks);
  session_.reset(raw);
  const nghttp2_settings_entry no_push{NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
  SLUICE_CHECK(nghttp2_submit_settings(raw, NGHTTP2_FLAG_NONE, &no_push, 1) == 0);
  Submit();
}

void H2Probe::Submit() {
  h2::FieldList list;
  list.Add(":method", question_.grpc ? "POST" : "GET");
  list.Add(":scheme", question_.encrypted ? "https" : "http");
  list.Add(":authority", question_.authority);
  list.Add(":path", question_.path);
  list.Add("user-agent", "sluice-health-check");
  nghttp2_data_provider body{};
  body.source.ptr = this;
  body.read_callback = OnBodyWanted;
  if (question_.grpc) {
    list.Add("content-type", "application/grpc");
    list.Add("te", "trailers");
    // Not compressed, then the size in network order.
    const auto size = static_cast<uint32_t>(question_.message.size());
    body_out_.push_back('\0');
    for (const int shift : {24, 16, 8, 0}) {
      body_out_.push_back(static_cast<char>(size >> shift & 0xff));
    }
    body_out_ += question_.message;
  } else {
    list.Add("accept", "*/*");
  }
  SLUICE_CHECK(nghttp2_submit_request(session_.get(), nullptr, list.fields().data(),
                                      list.fields().size(), question_.grpc ? &body : nullptr,
                                      nullptr) > 0);
  Pump();
}

void H2Probe::Pump() {
  for (;;) {
    const uint8_t* frame = nullptr;
    const ssize_t bytes = nghttp2_session_mem_send(session_.get(), &frame);
    if (bytes <= 0) return;
    out_ += Text(frame, static_cast<size_t>(bytes));
  }
}

H2Probe::State H2Probe::Feed(std::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  // What is no HTTP/2 nghttp2 answers with a GOAWAY, after which it wants no more.
  Pump();
  const bool over = taken < 0 || nghttp2_session_want_read(session_.get()) == 0;
  if (over && state_ == State::kWaiting) state_ = State::kFailed;
  return state_;
}

std::string_view H2Probe::message() const {
  return std::string_view(body_).substr(std::min(body_.size(), kFrameHeadBytes));
}

ssize_t H2Probe::OnBodyWanted(nghttp2_session*, int32_t, uint8_t* into, size_t room,
                              uint32_t* flags, nghttp2_data_source* source, void*) {
  std::string& rest = static_cast<H2Probe*>(source->ptr)->body_out_;
  const size_t count = std::min(room, rest.size());
  std::memcpy(into, rest.data(), count);
  rest.erase(0, count);
  if (rest.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(count);
}

int H2Probe::OnHeader(nghttp2_session*, const nghttp2_frame*, const uint8_t* name,
                      size_t name_bytes, const uint8_t* value, size_t value_bytes, uint8_t,
                      void* probe) {
  auto* self = static_cast<H2Probe*>(probe);
  const std::string_view field = Text(name, name_bytes);
  const std::string_view text = Text(value, value_bytes);
  if (field == ":status") ReadNumber(text, &self->status_);
  if (field == "grpc-status") ReadNumber(text, &self->grpc_status_);
  if (field == "grpc-message") self->grpc_message_ = text.substr(0, 200);
  return 0;
}

int H2Probe::OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* probe) {
  auto* self = static_cast<H2Probe*>(probe);
  if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
  const bool final_head = frame->hd.type == NGHTTP2_HEADERS && self->status_ >= 200;
  const bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
  // By HTTP the status is all that is wanted.
  if (end || (!self->question_.grpc && final_head)) self->state_ = State::kAnswered;
  return 0;
}

int H2Probe::OnData(nghttp2_session*, uint8_t, int32_t, const uint8_t* bytes, size_t count,
                    void* probe) {
  auto* self = static_cast<H2Probe*>(probe);
  const size_t room = kBodyBytesMax - std::min(kBodyBytesMax, self->body_.size());
  self->body_ += Text(bytes, std::min(count, room));
  return 0;
}

int H2Probe::OnClose(nghttp2_session*, int32_t, uint32_t, void* probe) {
  auto* self = static_cast<H2Probe*>(probe);
  if (self->state_ == State::kWaiting) self->state_ = State::kFailed;
  return 0;
}

}  // namespace sluice::upstream
