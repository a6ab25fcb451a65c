#include "dataplane/tls/stream.h"

#include <errno.h>
#include <openssl/err.h>

#include <algorithm>
#include <cstring>

#include "common/base/check.h"

namespace sluice::tls {
namespace {

constexpr size_t kRecordBytes = 16 * 1024;

io::Socket& SocketOf(BIO* bio) { return *static_cast<io::Socket*>(BIO_get_data(bio)); }

int BioRead(BIO* bio, char* into, int bytes) {
  BIO_clear_retry_flags(bio);
  io::Socket& socket = SocketOf(bio);
  if (!socket.open()) return -1;
  if (!socket.readable()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const ssize_t result = socket.Read(into, static_cast<size_t>(bytes));
  if (result == -EAGAIN) BIO_set_retry_read(bio);
  if (result < 0) errno = static_cast<int>(-result);
  return result < 0 ? -1 : static_cast<int>(result);
}

int BioWrite(BIO* bio, const char* from, int bytes) {
  BIO_clear_retry_flags(bio);
  io::Socket& socket = SocketOf(bio);
  if (!socket.open()) return -1;
  if (!socket.writable()) {
    BIO_set_retry_write(bio);
    return -1;
  }
  const ssize_t result = socket.Write(from, static_cast<size_t>(bytes));
  if (result == -EAGAIN) BIO_set_retry_write(bio);
  if (result < 0) errno = static_cast<int>(-result);
  return result < 0 ? -1 : static_cast<int>(result);
}

long BioControl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* SocketBioMethod() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice socket");
    SLUICE_CHECK(made != nullptr);
    BIO_meth_set_read(made, BioRead);
    BIO_meth_set_write(made, BioWrite);
    BIO_meth_set_ctrl(made, BioControl);
    return made;
  }();
  return method;
}

}  // namespace

void Stream::StartTls(SslPtr ssl) {
  ssl_ = std::move(ssl);
  read_error_ = write_error_ = SSL_ERROR_NONE;
  BIO* bio = BIO_new(SocketBioMethod());
  SLUICE_CHECK(bio != nullptr);
  BIO_set_data(bio, &socket_);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  // One read fetches header and body of a record, and what follows.
  SSL_set_read_ahead(ssl_.get(), 1);
}

bool Stream::Adopt(Stream& other) {
  ssl_ = std::move(other.ssl_);
  read_error_ = other.read_error_;
  write_error_ = other.write_error_;
  if (ssl_ != nullptr) BIO_set_data(SSL_get_rbio(ssl_.get()), &socket_);
  return socket_.Adopt(other.socket_);
}

int Stream::Handshake() {
  ERR_clear_error();
  const int outcome = SSL_do_handshake(ssl_.get());
  if (outcome == 1) {
    read_error_ = SSL_ERROR_NONE;
    return 1;
  }
  const ssize_t result = Result(outcome, &read_error_);
  return result == 0 ? -ECONNRESET : static_cast<int>(result);
}

std::string_view Stream::agreed_protocol() const {
  const unsigned char* name = nullptr;
  unsigned int bytes = 0;
  if (ssl_ != nullptr) SSL_get0_alpn_selected(ssl_.get(), &name, &bytes);
  return {reinterpret_cast<const char*>(name), bytes};
}

std::string_view Stream::server_name() const {
  if (ssl_ == nullptr) return {};
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name != nullptr ? std::string_view(name) : std::string_view();
}

ssize_t Stream::Result(int outcome, int* error) {
  *error = SSL_get_error(ssl_.get(), outcome);
  switch (*error) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    case SSL_ERROR_SYSCALL:
      // The socket's error, or none: it has ended, without close_notify.
      return errno == 0 ? -ENODATA : -ECONNRESET;
    default:
      return -ECONNRESET;
  }
}

ssize_t Stream::Read(void* into, size_t bytes) {
  if (ssl_ == nullptr) return socket_.readable() ? socket_.Read(into, bytes) : -EAGAIN;
  ERR_clear_error();
  errno = 0;
  const int read = SSL_read(ssl_.get(), into, static_cast<int>(std::min<size_t>(bytes, 1 << 30)));
  if (read <= 0) return Result(read, &read_error_);
  read_error_ = SSL_ERROR_NONE;
  return read;
}

ssize_t Stream::Write(const void* from, size_t bytes) {
  if (ssl_ == nullptr) return socket_.writable() ? socket_.Write(from, bytes) : -EAGAIN;
  if (bytes == 0) return 0;
  ERR_clear_error();
  const int written = SSL_write(ssl_.get(), from, static_cast<int>(std::min(bytes, kRecordBytes)));
  if (written > 0) {
    write_error_ = SSL_ERROR_NONE;
    return written;
  }
  // OpenSSL tells of the peer's close_notify here, too, if there was one before the socket failed.
  const ssize_t result = Result(written, &write_error_);
  return result == 0 ? -ECONNRESET : result;
}

ssize_t Stream::Writev(const iovec* parts, int count) {
  if (ssl_ == nullptr) return socket_.writable() ? socket_.Writev(parts, count) : -EAGAIN;
  while (count > 0 && parts->iov_len == 0) {
    ++parts;
    --count;
  }
  if (count == 0) return 0;
  if (count == 1 || parts->iov_len >= kRecordBytes) return Write(parts->iov_base, parts->iov_len);
  // A call repeated after -EAGAIN has the same parts, hence the same record.
  thread_local char record[kRecordBytes];
  size_t used = 0;
  for (int i = 0; i < count && used < kRecordBytes; ++i) {
    if (parts[i].iov_len == 0) continue;
    const size_t bytes = std::min(parts[i].iov_len, kRecordBytes - used);
    std::memcpy(record + used, parts[i].iov_base, bytes);
    used += bytes;
  }
  return Write(record, used);
}

void Stream::WaitToRead(io::Wait& wait) {
  if (read_error_ == SSL_ERROR_WANT_WRITE) {
    wait.Writable(socket_);
  } else {
    wait.Readable(socket_);
  }
}

void Stream::WaitToWrite(io::Wait& wait) {
  if (write_error_ == SSL_ERROR_WANT_READ) {
    wait.Readable(socket_);
  } else {
    wait.Writable(socket_);
  }
}

void Stream::ShutdownWrite() {
  if (ssl_ != nullptr && SSL_is_init_finished(ssl_.get())) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
  }
  socket_.ShutdownWrite();
}

void Stream::Close() {
  if (ssl_ != nullptr && socket_.open() && SSL_is_init_finished(ssl_.get())) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());  // Closing the socket sends the FIN.
  }
  socket_.Close();
  ssl_.reset();
}

void Stream::Abort() {
  socket_.Abort();
  ssl_.reset();
}

}  // namespace sluice::tls
