#include "dataplane/enroll/authority_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>

#include "common/base/address.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/free_with.h"
#include "common/base/status_macros.h"
#include "common/trust/pem.h"

namespace sluice::enroll {
namespace {

using base::FreeWith;
using AddressesPtr = std::unique_ptr<addrinfo, FreeWith<freeaddrinfo>>;
using ContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, FreeWith<SSL_free>>;

constexpr int64_t kStopLookedForMs = 100;

struct Patience {
  int64_t deadline_ms;
  const std::function<bool()>& stopped;
};

// True when the socket is ready before the deadline.
bool Await(int fd, short events, const Patience& patience) {  // NOLINT: poll's type.
  for (;;) {
    const int64_t left_ms = patience.deadline_ms - base::MonotonicMillis();
    if (left_ms <= 0 || patience.stopped()) return false;
    pollfd waited{.fd = fd, .events = events, .revents = 0};
    const int ready = poll(&waited, 1, static_cast<int>(std::min(left_ms, kStopLookedForMs)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

absl::StatusOr<base::UniqueFd> Connect(const addrinfo& address, const Patience& patience) {
  base::UniqueFd fd(socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return base::ErrnoStatus(errno, "socket");
  if (connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return fd;
  if (errno != EINPROGRESS) return base::ErrnoStatus(errno, "connect");
  if (!Await(fd.get(), POLLOUT, patience)) return absl::DeadlineExceededError("no answer");
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return base::ErrnoStatus(error, "connect");
  return fd;
}

absl::Status Shake(SSL* ssl, int fd, const Patience& patience) {
  for (;;) {
    const int result = SSL_connect(ssl);
    if (result == 1) return absl::OkStatus();
    const int error = SSL_get_error(ssl, result);
    const bool waits = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    if (!waits) {
      ERR_clear_error();
      return absl::UnavailableError("it does not speak TLS (was it started with --insecure?)");
    }
    if (!Await(fd, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, patience)) {
      return absl::DeadlineExceededError("no answer");
    }
  }
}

absl::StatusOr<std::string> ChainMember(SSL* ssl, const std::string& fingerprint) {
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    X509* certificate = sk_X509_value(chain, i);
    if (trust::Fingerprint(certificate) == fingerprint) return trust::PemOf(certificate);
  }
  return absl::FailedPreconditionError(
      "its CA is not the one that the join token was made by: this is another controller");
}

absl::StatusOr<std::string> Ask(const addrinfo& address, const std::string& host,
                                const std::string& fingerprint, const Patience& patience) {
  ASSIGN_OR_RETURN(const base::UniqueFd fd, Connect(address, patience));
  const ContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return trust::OpenSslError("TLS");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  // The fingerprint is the verification; gRPC does the usual one afterwards.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  const SslPtr ssl(SSL_new(context.get()));
  if (ssl == nullptr) return trust::OpenSslError("TLS");
  constexpr std::array<unsigned char, 3> kProtocols = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl.get(), kProtocols.data(), kProtocols.size());
  if (!base::IsIpAddress(host)) SSL_set_tlsext_host_name(ssl.get(), host.c_str());
  SSL_set_fd(ssl.get(), fd.get());
  RETURN_IF_ERROR(Shake(ssl.get(), fd.get(), patience));
  return ChainMember(ssl.get(), fingerprint);
}

}  // namespace

absl::StatusOr<std::string> FindAuthority(const std::string& controller,
                                          const std::string& fingerprint,
                                          std::chrono::milliseconds timeout,
                                          const std::function<bool()>& stopped) {
  ASSIGN_OR_RETURN(const base::HostPort host_port, base::ParseHostPort(controller));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host_port.host.c_str(), fmt::format("{}", host_port.port).c_str(),
                                &hints, &found);
  if (error != 0) return absl::UnavailableError(gai_strerror(error));
  const AddressesPtr addresses(found);
  absl::StatusOr<std::string> answer = absl::UnavailableError("it has no address");
  for (const addrinfo* one = addresses.get(); one != nullptr && !answer.ok(); one = one->ai_next) {
    answer = Ask(*one, host_port.host, fingerprint,
                 {base::MonotonicMillis() + timeout.count(), stopped});
  }
  return answer;
}

}  // namespace sluice::enroll
