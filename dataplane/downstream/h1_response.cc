// The response, as HTTP/1.x writes it.
#include <errno.h>

#include "common/base/check.h"
#include "dataplane/downstream/h1_connection.h"
#include "dataplane/downstream/h1_scope.h"
#include "dataplane/http/h1_serializer.h"

namespace sluice::downstream {

using http::Failure;
using http::Framing;
using http::HeadWriter;

namespace {

size_t BytesBound(const http::ResponseHead& head) {
  size_t bytes = 256 + head.reason.size();
  for (const http::Field& field : head.fields) bytes += field.name.size() + field.value.size() + 4;
  return bytes;
}

iovec Part(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

}  // namespace

// The connection can serve another request only if this one's body is out of the way.
void H1Connection::DecideKeepAlive() {
  const http::RequestHead& request = scope_->memory->request;
  if (!body_read()) {
    std::string_view ignored;
    if (scope_->body_bytes_in == 0 && scope_->body.capacity() == 0) TakeWholeBody(&ignored);
  }
  keep_alive_ = request.keep_alive && !close_after_ && body_read() && !winding_down();
}

void H1Connection::WriteHeadBytes(const http::ResponseHead& head, io::Buffer* out) {
  const bool old_client = scope_->memory->request.minor_version == 0;
  out->Clear();
  out->Reserve(BytesBound(head));
  HeadWriter writer(out->tail(), out->room());
  writer.StatusLine(head.status, head.reason);
  for (const http::Field& field : head.fields) writer.Field(field.name, field.value);
  chunked_out_ = false;
  switch (head.framing) {
    case Framing::kNone:
      break;
    case Framing::kLength:
      writer.Append("Content-Length: ");
      writer.Number(head.content_length);
      writer.Append("\r\n");
      break;
    case Framing::kChunked:
    case Framing::kUntilClose:
      if (old_client) {
        keep_alive_ = false;  // The end of the connection is the end of the body.
      } else {
        chunked_out_ = true;
        writer.Append("Transfer-Encoding: chunked\r\n");
      }
      break;
  }
  if (!keep_alive_) {
    writer.Append("Connection: close\r\n");
  } else if (old_client) {
    writer.Append("Connection: keep-alive\r\n");
  }
  writer.Append("\r\n");
  SLUICE_CHECK(!writer.overflow());
  out->Filled(writer.size());
}

io::Task<Failure> H1Connection::SendInterim(const http::ResponseHead& head, io::Timer& timer) {
  if (scope_->memory->request.minor_version == 0) co_return Failure::kNone;  // Knows no 1xx.
  io::Buffer out(context_.buffers);
  out.Reserve(BytesBound(head));
  HeadWriter writer(out.tail(), out.room());
  writer.StatusLine(head.status, head.reason);
  for (const http::Field& field : head.fields) writer.Field(field.name, field.value);
  writer.Append("\r\n");
  SLUICE_CHECK(!writer.overflow());
  out.Filled(writer.size());
  iovec part = Part(out.view());
  co_return co_await WriteAll(&part, 1, timer);
}

io::Task<Failure> H1Connection::SendHead(const http::ResponseHead& head, std::string_view body,
                                         bool last, io::Timer& timer) {
  DecideKeepAlive();
  WriteHeadBytes(head, &scope_->out);
  response_started_ = true;
  char size_line[http::kChunkSizeLineMax];
  iovec parts[4] = {Part(scope_->out.view()), {}, Part(body), {}};
  if (chunked_out_ && !body.empty()) {
    parts[1] = {size_line, http::WriteChunkSizeLine(body.size(), size_line)};
    parts[3] = Part(last ? "\r\n0\r\n\r\n" : "\r\n");
  } else if (chunked_out_ && last) {
    parts[3] = Part("0\r\n\r\n");
  }
  const Failure failure = co_await WriteAll(parts, 4, timer);
  scope_->out.Release();
  co_return failure;
}

io::Task<Failure> H1Connection::SendBody(std::string_view body, bool last, io::Timer& timer) {
  if (!chunked_out_) {
    iovec part = Part(body);
    const Failure failure = co_await WriteAll(&part, 1, timer);
    if (tunnel_ && last && failure == Failure::kNone) stream_.ShutdownWrite();
    co_return failure;
  }
  char size_line[http::kChunkSizeLineMax];
  iovec parts[3] = {{}, Part(body), {}};
  if (!body.empty()) {
    parts[0] = {size_line, http::WriteChunkSizeLine(body.size(), size_line)};
    parts[2] = Part(last ? "\r\n0\r\n\r\n" : "\r\n");
  } else if (last) {
    parts[2] = Part("0\r\n\r\n");
  }
  co_return co_await WriteAll(parts, 3, timer);
}

io::Task<Failure> H1Connection::SendSwitch(const http::ResponseHead& head,
                                           std::string_view protocol, io::Timer& timer) {
  Scope& scope = *scope_;
  response_started_ = tunnel_ = true;
  keep_alive_ = chunked_out_ = false;
  // What came behind the head is the other protocol's.
  scope.memory->request_body.Start(Framing::kUntilClose, 0, {});
  scope.pending = in_.view().substr(scope.head_bytes);
  scope.body_bytes_in = scope.pending.size();
  scope.out.Clear();
  scope.out.Reserve(BytesBound(head) + protocol.size());
  HeadWriter writer(scope.out.tail(), scope.out.room());
  writer.StatusLine(head.status, head.reason);
  for (const http::Field& field : head.fields) writer.Field(field.name, field.value);
  writer.Field("Connection", "Upgrade");
  writer.Field("Upgrade", protocol);
  writer.Append("\r\n");
  SLUICE_CHECK(!writer.overflow());
  scope.out.Filled(writer.size());
  iovec part = Part(scope.out.view());
  const Failure failure = co_await WriteAll(&part, 1, timer);
  scope.out.Release();
  co_return failure;
}

io::Task<Failure> H1Connection::SendEnd(const std::vector<http::Field>& trailers,
                                        io::Timer& timer) {
  if (!chunked_out_) co_return Failure::kNone;
  const std::string end = http::ChunkedEnd(trailers);
  iovec part = Part(end);
  co_return co_await WriteAll(&part, 1, timer);
}

void H1Connection::LimitResponse(int64_t deadline_micros) {
  scope_->deadline_micros = deadline_micros;
}

io::Socket* H1Connection::splice_target() {
  return stream_.encrypted() || chunked_out_ ? nullptr : &stream_.socket();
}

io::Task<Failure> H1Connection::WriteAll(iovec* parts, int count, io::Timer& timer) {
  int first = 0;
  for (;;) {
    while (first < count && parts[first].iov_len == 0) ++first;
    if (first == count) co_return Failure::kNone;
    ssize_t written = stream_.Writev(parts + first, count - first);
    if (written == -EAGAIN) {
      io::Wait wait;
      stream_.WaitToWrite(wait);
      wait.Until(timer);
      // A client that takes nothing for so long has gone, as far as anybody can tell.
      if (co_await wait == io::Wake::kTimeout) co_return Failure::kClientGone;
      timers().Arm(timer, io::Within(binding_.service().timeouts.idle, scope_->deadline_micros,
                                     context_.reactor.now_micros()));
      continue;
    }
    if (written < 0) co_return Failure::kClientGone;
    stats().bytes_sent.Add(static_cast<uint64_t>(written));
    for (int i = first; written > 0; ++i) {
      const size_t taken = std::min(static_cast<size_t>(written), parts[i].iov_len);
      parts[i].iov_base = static_cast<char*>(parts[i].iov_base) + taken;
      parts[i].iov_len -= taken;
      written -= static_cast<ssize_t>(taken);
    }
  }
}

}  // namespace sluice::downstream
