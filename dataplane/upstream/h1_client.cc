#include "dataplane/upstream/h1_client.h"

#include <errno.h>

namespace sluice::upstream {

void H1Client::Start(std::unique_ptr<Connection> connection, http::Method method) {
  connection_ = std::move(connection);
  ++connection_->requests;
  in_.Release();
  method_ = method;
  response_started_ = false;
  NextHead();
}

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

H1Client::Progress H1Client::ReceiveHead(http::ResponseHead* head) {
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

H1Client::Progress H1Client::ReceiveBody(std::string_view* piece) {
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
    Abort();
  } else {
    connection_.reset();
  }
}

void H1Client::Abort() {
  in_.Release();
  if (connection_ == nullptr) return;
  connection_->stream().Abort();
  connection_.reset();
}

}  // namespace sluice::upstream
