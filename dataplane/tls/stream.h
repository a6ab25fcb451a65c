// A connection's bytes, in clear or through TLS, with the same interface. OpenSSL works on the
// socket itself, so readiness is known to both.
//
// On the request path. One worker's. Results as io::Socket's: bytes, 0 for end of stream, negative
// errno; -EAGAIN: prepare a Wait with WaitToRead or WaitToWrite.
#pragma once

#include "dataplane/io/socket.h"
#include "dataplane/tls/context.h"

namespace sluice::tls {

class Stream {
 public:
  Stream() = default;
  ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  io::Socket& socket() { return socket_; }
  const io::Socket& socket() const { return socket_; }
  bool encrypted() const { return ssl_ != nullptr; }
  SSL* ssl() const { return ssl_.get(); }
  // By ALPN; empty if none was.
  std::string_view agreed_protocol() const;
  // Of an accepted connection, by SNI (RFC 6066 section 3), as the client wrote it; empty if it
  // named none.
  std::string_view server_name() const;

  // Goes on where `other` stopped, which is closed then. False as for io::Socket::Adopt.
  bool Adopt(Stream& other);
  // After the socket is open; `ssl` is in accept or connect state. Then call Handshake until it is
  // done.
  void StartTls(SslPtr ssl);
  // 1 when done, -EAGAIN, or another negative errno; DescribeError tells why.
  int Handshake();

  // After a failed handshake: what the peer still sends means nothing, and can be discarded.
  void DropTls() {
    ssl_.reset();
    read_error_ = write_error_ = SSL_ERROR_NONE;
  }

  // -ENODATA: TLS ended without close_notify; what came before may have been cut short.
  ssize_t Read(void* into, size_t bytes);
  // Never 0 for anything but nothing.
  ssize_t Write(const void* from, size_t bytes);
  // Small parts leave as one TLS record.
  ssize_t Writev(const iovec* parts, int count);

  // Whether Read may give bytes without waiting.
  bool may_read() const {
    return socket_.readable() || (ssl_ != nullptr && SSL_has_pending(ssl_.get()));
  }

  // TLS has something of its own to send before it can go on.
  bool wants_write() const { return read_error_ == SSL_ERROR_WANT_WRITE; }

  void WaitToRead(io::Wait& wait);
  void WaitToWrite(io::Wait& wait);

  // Tells the peer that nothing more comes (close_notify, FIN); best effort, does not wait.
  void ShutdownWrite();
  void Close();
  void Abort();

 private:
  ssize_t Result(int outcome, int* error);

  io::Socket socket_;
  SslPtr ssl_;
  // What SSL_get_error said of the last call of each direction, which may belong to different
  // coroutines; SSL_want knows the last call only.
  int read_error_ = SSL_ERROR_NONE, write_error_ = SSL_ERROR_NONE;
};

}  // namespace sluice::tls
