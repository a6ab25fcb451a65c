// Bytes both ways until both sides have ended, or nothing has moved for too long. Each piece is
// written before the next is read.
#include <errno.h>

#include <algorithm>

#include "dataplane/downstream/tcp_connection.h"
#include "dataplane/exchange/pipe_pool.h"

namespace sluice::downstream {

using exchange::Pipe;
using exchange::PipePool;
using http::Failure;

io::Task<Failure> TcpConnection::Relay() {
  timers().Disarm(timer_);
  tls::Stream& upstream = upstream_->stream();
  Way up{stream_, upstream, Failure::kClientGone, Failure::kUpstreamReset, bytes_up_, {}};
  Way down{upstream, stream_, Failure::kUpstreamReset, Failure::kClientGone, bytes_down_, {}};
  moved_micros_ = context_.reactor.now_micros();
  up_ = PumpUp(up);
  up_.Start();
  Failure failure = co_await Pump(down);
  // The client may still have something to say.
  while (failure == Failure::kNone && !up_.done()) {
    ArmIdle(down.timer);
    io::Wait wait;
    wait.Until(down.timer).On(up_over_);
    failure = OnWake(co_await wait);
  }
  if (failure == Failure::kNone) failure = up_failure_;
  up_.Cancel();
  co_return failure;
}

io::Task<void> TcpConnection::PumpUp(Way& way) {
  up_failure_ = co_await Pump(way);
  // Told after the coroutine has ended, since whoever hears it may destroy it.
  fire_deferred_ = true;
  context_.reactor.Defer(FirePumped, &up_over_);
}

void TcpConnection::FirePumped(void* signal) { static_cast<io::Signal*>(signal)->Fire(); }

io::Task<Failure> TcpConnection::Pump(Way& way) {
  const bool clear = !way.from.encrypted() && !way.to.encrypted();
  io::Buffer buffer(context_.buffers);
  for (;;) {
    ssize_t read = -EAGAIN;
    if (way.from.may_read()) {
      buffer.Reserve(io::BufferPool::kLargeBytes);
      read = way.from.Read(buffer.data(), buffer.capacity());
    }
    if (read == -EAGAIN) {
      buffer.Release();
      const Failure failure = co_await Await(way, Next::kRead);
      if (failure != Failure::kNone) co_return failure;
      continue;
    }
    // Many end TLS by closing alone. Whether what they said before is complete only those know who
    // understand it.
    const bool ended = read == 0 || read == -ENODATA;
    if (read < 0 && !ended) co_return way.from_failure;
    if (ended) {
      way.to.ShutdownWrite();
      co_return Failure::kNone;
    }
    const bool more = static_cast<size_t>(read) == buffer.capacity();
    std::string_view rest(buffer.data(), static_cast<size_t>(read));
    while (!rest.empty()) {
      const ssize_t written = way.to.Write(rest.data(), rest.size());
      if (written == -EAGAIN) {
        const Failure failure = co_await Await(way, Next::kWrite);
        if (failure != Failure::kNone) co_return failure;
        continue;
      }
      if (written < 0) co_return way.to_failure;
      rest.remove_prefix(static_cast<size_t>(written));
      Moved(way, static_cast<size_t>(written));
    }
    if (!clear || !more) continue;
    // There is much to move: without passing through our memory.
    buffer.Release();
    const Failure failure = co_await Splice(way);
    if (failure != Failure::kNone) co_return failure;
  }
}

// Until the source has nothing more at present.
io::Task<Failure> TcpConnection::Splice(Way& way) {
  Pipe pipe(PipePool::OfThread());
  if (!pipe.valid()) co_return Failure::kNone;
  io::Socket& source = way.from.socket();
  io::Socket& target = way.to.socket();
  size_t held = 0;
  bool ended = false;
  for (;;) {
    if (!ended && held < PipePool::kPipeBytes && source.readable()) {
      const ssize_t in = pipe.Fill(source, PipePool::kPipeBytes - held);
      if (in < 0 && in != -EAGAIN) co_return way.from_failure;
      ended = in == 0;
      if (in > 0) held += static_cast<size_t>(in);
    }
    if (held == 0) break;
    const ssize_t out = target.writable() ? pipe.Drain(target, held, false) : -EAGAIN;
    if (out < 0 && out != -EAGAIN) co_return way.to_failure;
    if (out > 0) {
      held -= static_cast<size_t>(out);
      Moved(way, static_cast<size_t>(out));
      continue;
    }
    const Failure failure = co_await Await(way, Next::kWrite);
    if (failure != Failure::kNone) co_return failure;
  }
  co_return Failure::kNone;
}

io::Task<Failure> TcpConnection::Await(Way& way, Next next) {
  for (;;) {
    ArmIdle(way.timer);
    io::Wait wait;
    if (next == Next::kRead) {
      way.from.WaitToRead(wait);
    } else {
      way.to.WaitToWrite(wait);
    }
    wait.Until(way.timer);
    const bool down = &way.to == &stream_;
    if (down) wait.On(up_over_);
    const io::Wake wake = co_await wait;
    if (wake == io::Wake::kReady) co_return Failure::kNone;
    const Failure failure = OnWake(wake);
    if (failure != Failure::kNone) co_return failure;
  }
}

// kNone: go on waiting.
Failure TcpConnection::OnWake(io::Wake wake) const {
  if (wake == io::Wake::kSignal) return up_failure_;
  if (wake != io::Wake::kTimeout) return Failure::kNone;
  const int64_t silence = context_.reactor.now_micros() - moved_micros_;
  return silence >= io::Micros(route_->tunnel_timeout).count() ? Failure::kTunnelTimeout
                                                               : Failure::kNone;
}

// Either direction may be silent for long while the other is busy.
void TcpConnection::ArmIdle(io::Timer& timer) {
  const io::Millis limit = route_->tunnel_timeout;
  if (limit.count() == 0) return timers().Disarm(timer);
  const io::Micros silence(context_.reactor.now_micros() - moved_micros_);
  const io::Millis rest = limit - std::chrono::duration_cast<io::Millis>(silence);
  timers().Arm(timer, std::max(rest, io::Millis(1)));
}

void TcpConnection::Moved(Way& way, size_t bytes) {
  way.bytes += bytes;
  moved_micros_ = context_.reactor.now_micros();
  (&way.to == &stream_ ? stats().bytes_sent : stats().bytes_received).Add(bytes);
}

}  // namespace sluice::downstream
