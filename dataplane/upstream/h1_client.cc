#include "dataplane/upstream/h1_client.h"

#include <errno.h>

#include <algorithm>

#include "dataplane/http/h1_serializer.h"

namespace sluice::upstream {

using http::Failure;

namespace {

// Of the last chunk with data, and of the body.
constexpr std::string_view kChunkedEnd = "\r\n0\r\n\r\n";

iovec Part(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

}  // namespace

void H1Client::Start(std::unique_ptr<Connection> connection, http::Method method) {
  connection_ = std::move(connection);
  ++connection_->requests;
  in_.Release();
  method_ = method;
  response_started_ = false;
  NextHead();
}

// --- The request.

io::Task<Failure> H1Client::Write(const iovec* parts, int count, SendLimit limit) {
  // A copy, since a partial write moves the beginnings.
  iovec rest[4];
  int first = 0;
  for (int i = 0; i < count; ++i) rest[i] = parts[i];
  limit.Restart();
  for (;;) {
    while (first < count && rest[first].iov_len == 0) ++first;
    if (first == count) co_return Failure::kNone;
    ssize_t written = stream().Writev(rest + first, count - first);
    if (written == -EAGAIN) {
      io::Wait wait;
      stream().WaitToWrite(wait);
      wait.Until(limit.timer);
      if (co_await wait == io::Wake::kTimeout) co_return Failure::kUpstreamTimeout;
      limit.Restart();
      continue;
    }
    if (written < 0) co_return Failure::kUpstreamReset;
    for (int i = first; written > 0; ++i) {
      const size_t taken = std::min(static_cast<size_t>(written), rest[i].iov_len);
      rest[i].iov_base = static_cast<char*>(rest[i].iov_base) + taken;
      rest[i].iov_len -= taken;
      written -= static_cast<ssize_t>(taken);
    }
  }
}

io::Task<Failure> H1Client::SendRequest(std::string_view head, http::Framing framing,
                                        std::string_view body, bool whole, SendLimit limit) {
  chunked_ = framing == http::Framing::kChunked;
  iovec parts[4] = {Part(head), {}, Part(body), {}};
  char size_line[http::kChunkSizeLineMax];
  if (whole && chunked_) {
    std::string_view end = kChunkedEnd;
    if (body.empty()) {
      end.remove_prefix(2);  // There is no chunk to end.
    } else {
      parts[1] = {size_line, http::WriteChunkSizeLine(body.size(), size_line)};
    }
    parts[3] = Part(end);
  }
  co_return co_await Write(parts, 4, limit);
}

io::Task<Failure> H1Client::SendBody(std::string_view piece, bool last,
                                     const std::vector<http::Field>& trailers, SendLimit limit) {
  char size_line[http::kChunkSizeLineMax];
  iovec parts[4] = {{}, Part(piece), {}, {}};
  std::string end;
  if (chunked_ && !piece.empty()) {
    parts[0] = {size_line, http::WriteChunkSizeLine(piece.size(), size_line)};
    parts[2] = Part("\r\n");
  }
  if (chunked_ && last) {
    end = http::ChunkedEnd(trailers);
    parts[3] = Part(end);
  }
  co_return co_await Write(parts, 4, limit);
}

// --- The response.

void H1Client::NextHead() {
  head_done_ = false;
  parser_.Reset(kHeadLimits, method_);
}

ssize_t H1Client::Fill(size_t least) {
  if (!stream().may_read()) return -EAGAIN;
  in_.Reserve(io::BufferPool::kLargeBytes);
  char* const tail = in_.tail(least);
  const size_t room = in_.room();
  if (room == 0) return -ENOBUFS;
  const ssize_t read = stream().Read(tail, room);
  if (read > 0) in_.Filled(static_cast<size_t>(read));
  return read;
}

Requester::Progress H1Client::ReceiveHead(http::ResponseHead* head) {
  for (;;) {
    if (!in_.empty()) {
      switch (parser_.Parse(in_.view(), head)) {
        case http::ParseResult::kDone:
          in_.Consume(parser_.consumed());
          head_done_ = true;
          return Progress::kReady;
        case http::ParseResult::kError:
          return Progress::kMalformed;
        case http::ParseResult::kNeedMore:
          break;
      }
    }
    const ssize_t read = Fill(1);
    if (read > 0) {
      response_started_ = true;
      continue;
    }
    if (in_.empty()) in_.Release();
    if (read == -EAGAIN) return Progress::kWait;
    return read == -ENOBUFS ? Progress::kMalformed : Progress::kClosed;
  }
}

void H1Client::StartBody(const http::ResponseHead& head) {
  body_.Start(head.framing, head.content_length, kHeadLimits);
  keep_alive_ = head.keep_alive && head.framing != http::Framing::kUntilClose;
  peer_timeout_seconds_ = head.keep_alive_timeout_seconds;
}

void H1Client::StartTunnel() {
  body_.Start(http::Framing::kUntilClose, 0, kHeadLimits);
  keep_alive_ = false;
}

Requester::Progress H1Client::ReceiveBody(std::string_view* piece) {
  *piece = {};
  for (;;) {
    if (body_.done()) return Progress::kReady;
    if (!in_.empty()) {
      const http::BodyReader::Step step = body_.Take(in_.data(), in_.size());
      if (step.error) return Progress::kMalformed;
      // The piece stays where it is until the next read.
      in_.Consume(step.consumed);
      if (!step.data.empty() || step.done) {
        *piece = step.data;
        return Progress::kReady;
      }
    }
    const ssize_t read = Fill(1);
    if (read > 0) continue;
    if (read == -EAGAIN) {
      if (in_.empty()) in_.Release();
      return Progress::kWait;
    }
    if (read == 0 && body_.CompleteAtEnd()) {
      body_.Start(http::Framing::kNone, 0, kHeadLimits);
      keep_alive_ = false;
      return Progress::kReady;
    }
    return Progress::kClosed;
  }
}

void H1Client::Finish(Pool& pool, const PoolLimits& limits, bool request_complete) {
  if (connection_ == nullptr) return;
  const bool fit = request_complete && head_done_ && body_.done() && keep_alive_ && in_.empty();
  in_.Release();
  if (fit) {
    pool.Put(std::move(connection_), limits, std::chrono::seconds(peer_timeout_seconds_));
  } else if (!request_complete || !body_.done()) {
    Abort(Failure::kNone);
  } else {
    connection_.reset();
  }
}

http::BodyReader* H1Client::spliceable_body() {
  const bool may = connection_ != nullptr && !stream().encrypted() && in_.empty() &&
                   body_.framing() == http::Framing::kLength;
  return may ? &body_ : nullptr;
}

void H1Client::Abort(Failure) {
  in_.Release();
  if (connection_ == nullptr) return;
  connection_->stream().Abort();
  connection_.reset();
}

}  // namespace sluice::upstream
