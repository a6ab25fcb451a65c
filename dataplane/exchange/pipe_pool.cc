#include "dataplane/exchange/pipe_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

namespace sluice::exchange {

PipePool& PipePool::OfThread() {
  thread_local PipePool pool;
  return pool;
}

PipePool::~PipePool() {
  for (const Ends& ends : free_) {
    close(ends.read);
    close(ends.write);
  }
}

Pipe::Pipe(PipePool& pool) : pool_(pool) {
  if (!pool.free_.empty()) {
    ends_ = pool.free_.back();
    pool.free_.pop_back();
    return;
  }
  int ends[2];
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return;
  ends_ = {.read = ends[0], .write = ends[1]};
  // Where the system grants less, the default of 64 KiB works too, in more steps.
  fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(PipePool::kPipeBytes));
}

Pipe::~Pipe() {
  if (!valid()) return;
  if (held_ == 0 && pool_.free_.size() < PipePool::kKeptMax) {
    pool_.free_.push_back(ends_);
    return;
  }
  close(ends_.read);
  close(ends_.write);
}

ssize_t Pipe::Fill(io::Socket& source, size_t bytes) {
  const ssize_t moved =
      splice(source.fd(), nullptr, ends_.write, nullptr, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (moved > 0) {
    held_ += static_cast<size_t>(moved);
    source.NoteReadBytes(static_cast<size_t>(moved));
    return moved;
  }
  if (moved == 0) return 0;
  // A full pipe says EAGAIN too; then the source is still readable.
  if (errno == EAGAIN && held_ == 0) source.NoteReadResult(-EAGAIN, bytes);
  return -errno;
}

ssize_t Pipe::Drain(io::Socket& target, size_t bytes, bool more) {
  const unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0u);
  const ssize_t moved = splice(ends_.read, nullptr, target.fd(), nullptr, bytes, flags);
  if (moved > 0) {
    held_ -= static_cast<size_t>(moved);
    return moved;
  }
  if (moved < 0 && errno == EAGAIN) target.NoteWriteResult(-EAGAIN, bytes);
  return moved < 0 ? -errno : -EPIPE;
}

}  // namespace sluice::exchange
