// The request's body, as the exchange asks for it.
#include <errno.h>

#include "dataplane/downstream/h1_connection.h"
#include "dataplane/downstream/h1_scope.h"

namespace sluice::downstream {

using http::Failure;

bool H1Connection::TakeWholeBody(std::string_view* body) {
  *body = {};
  Scope& scope = *scope_;
  http::BodyReader& reader = scope.memory->request_body;
  if (reader.done()) return true;
  const size_t offset = scope.head_bytes;
  if (in_.size() == offset) return false;
  const http::BodyReader::Step step = reader.Take(in_.data() + offset, in_.size() - offset);
  scope.body_bytes_in = step.consumed;
  if (step.error) {
    scope.pending_failure = Failure::kBadRequest;
    return false;
  }
  if (step.done && reader.trailers().empty()) {
    *body = step.data;
    return true;
  }
  scope.pending = step.data;
  return false;
}

io::Task<exchange::BodyPiece> H1Connection::ReadBody(io::Timer& timer) {
  Scope& scope = *scope_;
  http::BodyReader& reader = scope.memory->request_body;
  exchange::BodyPiece piece;
  if (scope.pending_failure != Failure::kNone) {
    piece.failure = scope.pending_failure;
    co_return piece;
  }
  if (!scope.pending.empty() || reader.done()) {
    piece.data = std::exchange(scope.pending, {});
    piece.last = reader.done();
    co_return piece;
  }
  for (;;) {
    if (stream_.may_read()) scope.body.Reserve(io::BufferPool::kLargeBytes);
    const ssize_t read = Fill(scope.body, 1);
    if (read > 0) {
      const http::BodyReader::Step step = reader.Take(scope.body.data(), scope.body.size());
      scope.body.Consume(step.consumed);
      if (step.error) {
        piece.failure = Failure::kBadRequest;
        co_return piece;
      }
      if (step.data.empty() && !step.done) continue;
      piece.data = step.data;
      piece.last = step.done;
      co_return piece;
    }
    if (read == 0 && reader.CompleteAtEnd()) {
      reader.Start(http::Framing::kNone, 0, {});
      piece.last = true;
      co_return piece;
    }
    if (read != -EAGAIN) {
      piece.failure = Failure::kClientGone;  // Cut short: it must not look complete upstream.
      co_return piece;
    }
    io::Wait wait;
    stream_.WaitToRead(wait);
    wait.Until(timer);
    if (co_await wait == io::Wake::kTimeout) {
      piece.failure = Failure::kRequestTimeout;
      co_return piece;
    }
  }
}

const std::vector<http::Field>& H1Connection::request_trailers() const {
  return scope_->memory->request_body.trailers();
}

bool H1Connection::body_read() const { return scope_->memory->request_body.done(); }

}  // namespace sluice::downstream
