// TLS configuration made from certificates, once per snapshot; connections are made from it by
// SSL_new.
//
// Immutable once made; used by all workers at once. A session keeps its context alive.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/free_with.h"
#include "dataplane/tls/ticket_keys.h"
#include "sluice/v1/certificate.pb.h"
#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/listener.pb.h"

namespace sluice::tls {

using SslPtr = std::unique_ptr<SSL, base::FreeWith<SSL_free>>;
using SslCtxPtr = std::unique_ptr<SSL_CTX, base::FreeWith<SSL_CTX_free>>;

struct ServerContextOptions {
  std::string service;  // Tickets are bound to it and to `client_auth` (session id context).
  std::vector<const v1::Certificate*> certificates;  // The first is served when no name fits.
  std::string min_version = "1.2";
  const v1::ClientAuth* client_auth = nullptr;  // Null: clients are not asked for certificates.
  std::vector<std::string> alpn = {"h2", "http/1.1"};
  // Session tickets of all contexts are sealed with these; must outlive the context.
  TicketKeys* ticket_keys = nullptr;
};

// For clients. Chooses the certificate by SNI: exact name, then wildcard, then the first; where
// several fit (ECDSA and RSA), the one the client can use.
class ServerContext : public std::enable_shared_from_this<ServerContext> {
 public:
  static absl::StatusOr<std::shared_ptr<const ServerContext>> Make(
      const ServerContextOptions& options);
  ~ServerContext();
  SslPtr NewSession() const;  // In accept state. Never null but for lack of memory.
  // Earliest expiry of its certificates.
  int64_t not_after_unix() const;
  // Whether a connection from before this context may stay: what was asked of its client is what
  // is asked now. `ssl` is of another ServerContext; null: clear text.
  bool MayKeep(const SSL* ssl) const;

 private:
  struct Parts;
  explicit ServerContext(std::unique_ptr<const Parts> parts);
  const std::unique_ptr<const Parts> parts_;
};

struct ClientOptions {
  bool skip_verify = false;
  std::string ca_pem;                                   // Empty: the system's roots.
  const v1::Certificate* client_certificate = nullptr;  // Null: none.
  std::vector<std::string> alpn = {"http/1.1"};
};

// What a session offers by ALPN.
enum class Alpn : uint8_t {
  kConfigured,
  kHttp1,
  kNone,
};

// For upstreams. Sessions are resumed where the upstream allows it.
class ClientContext : public std::enable_shared_from_this<ClientContext> {
 public:
  static absl::StatusOr<std::shared_ptr<const ClientContext>> Make(const ClientOptions& options);
  ~ClientContext();
  // In connect state. `server_name`: sent as SNI and verified; an IP address (IPv6 also in
  // brackets) is verified as such and not sent. Null for lack of memory, or when the name cannot be
  // one, which means that nothing could be verified.
  SslPtr NewSession(const std::string& server_name, Alpn alpn = Alpn::kConfigured) const;

 private:
  struct Parts;
  explicit ClientContext(std::unique_ptr<const Parts> parts);
  const std::unique_ptr<const Parts> parts_;
};

// When the certificate (the first of the chain) expires.
absl::StatusOr<int64_t> CertificateNotAfterUnix(const v1::Certificate& certificate);

// "certificate verify failed: unable to get local issuer certificate", from OpenSSL's queue and
// session. Empties the queue.
std::string DescribeError(const SSL* ssl);

}  // namespace sluice::tls
