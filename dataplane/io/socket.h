// A non-blocking TCP socket of one worker. Knows whether the kernel has told of readiness since the
// last short read or write, so that no system call is made only to hear EAGAIN.
//
// However fast the peer sends, others get their turn: after kTurnBytes the socket is not readable
// before the reactor's next one.
//
// On the request path. Results: bytes moved, 0 for end of stream (Read), or a negative errno
// (-EAGAIN: wait).
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

#include "dataplane/io/peer_state.h"
#include "dataplane/io/reactor.h"
#include "dataplane/io/wait.h"

namespace sluice::io {

class Socket final : public EventTarget {
 public:
  // As many large reads as make what a turn costs by itself small.
  static constexpr size_t kTurnBytes = 256 * 1024;

  Socket() = default;
  ~Socket() override { Close(); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // Takes over `fd`. False (and `fd` closed) if it cannot be registered.
  bool Open(Reactor& reactor, int fd);
  // The same for a connection that was accepted. The kernel would report at once that it can be
  // written to, which is no news: it is asked to only once it cannot. TCP_NODELAY comes from the
  // listening socket.
  bool OpenAccepted(Reactor& reactor, int fd);
  // Takes over the connection of `other`, for which nobody waits. False, and both closed, if the
  // kernel refuses.
  bool Adopt(Socket& other);
  void Close();
  // Closes with RST: what was sent or received is not to look complete.
  void Abort();
  bool open() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  // Starts connecting; then wait for writable and ask ConnectResult (0 or errno).
  // Returns 0, EINPROGRESS or another errno; EMFILE from the reactor's connect_descriptors_max on.
  int Connect(Reactor& reactor, const void* address, uint32_t address_bytes);
  int ConnectResult();

  ssize_t Read(void* into, size_t bytes);
  // As Read, but what is read stays where it is; then the socket is readable once there is more.
  ssize_t Peek(void* into, size_t bytes);
  // Drops the first `bytes` of the `peeked` ones; if any are left, the socket is readable.
  void Discard(size_t bytes, size_t peeked);
  ssize_t Write(const void* from, size_t bytes);
  ssize_t Writev(const iovec* parts, int count);
  void ShutdownWrite();

  // Not readable before the reactor's next turn: for whoever has done enough with what was read.
  void Pause();
  bool paused() const { return flags_ & kPaused; }
  // Ends the pause at once: whoever asks whether anything has come must not miss it.
  void Unpause();

  bool readable() const { return flags_ & kReadable; }
  bool writable() const { return flags_ & kWritable; }
  io::PeerState& peer() { return peer_; }
  const io::PeerState& peer() const { return peer_; }

  // For splice(2), which bypasses Read and Write.
  void NoteReadBytes(size_t bytes);
  void NoteReadResult(ssize_t result, size_t wanted);
  void NoteWriteResult(ssize_t result, size_t wanted);

  // What an idle socket does when anything happens to it, in place of a waiting coroutine.
  using IdleCallback = void (*)(void* argument);
  void set_idle_callback(IdleCallback callback, void* argument) {
    idle_callback_ = callback;
    idle_argument_ = argument;
  }

  void OnEvents(uint32_t events) override;
  void OnNextTurn() override;

 private:
  friend class Wait;
  void WatchWritable();

  static constexpr uint8_t kReadable = 1, kWritable = 2, kPaused = 4, kWritableUntold = 8;

  Reactor* reactor_ = nullptr;
  int fd_ = -1;
  uint8_t flags_ = 0;
  uint32_t turn_bytes_ = 0;  // Read in turn_.
  uint32_t turn_ = 0;        // The reactor's; its low half tells one from the next.
  io::PeerState peer_;
  Wait* read_wait_ = nullptr;
  Wait* write_wait_ = nullptr;
  IdleCallback idle_callback_ = nullptr;
  void* idle_argument_ = nullptr;
};

}  // namespace sluice::io
