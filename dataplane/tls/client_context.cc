#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <utility>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "dataplane/tls/certificate.h"
#include "dataplane/tls/context.h"
#include "dataplane/tls/roots.h"
#include "dataplane/tls/session_cache.h"
#include "dataplane/tls/ssl_common.h"

namespace sluice::tls {
namespace {

bool IsAddress(const std::string& name) {
  in6_addr address;
  return inet_pton(AF_INET, name.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

// False: the name cannot be one.
bool SetName(SSL* ssl, const std::string& name) {
  X509_VERIFY_PARAM* verify = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (name.empty() || name.find('\0') != std::string::npos) return false;
  if (IsAddress(name)) return X509_VERIFY_PARAM_set1_ip_asc(verify, name.c_str()) == 1;
  return X509_VERIFY_PARAM_set1_host(verify, name.data(), name.size()) == 1 &&
         SSL_set_tlsext_host_name(ssl, name.c_str()) == 1;
}

std::string WithoutBrackets(const std::string& name) {
  const bool bracketed = name.size() > 2 && name.front() == '[' && name.back() == ']';
  return bracketed ? name.substr(1, name.size() - 2) : name;
}

}  // namespace

struct ClientContext::Parts {
  StorePtr roots;  // The context has its own reference; this one keeps sharing alive.
  SslCtxPtr context;
  bool skip_verify = false;
  mutable SessionCache sessions;

  // A session's hold on its context, and the name its tickets are kept under.
  struct Peer {
    std::shared_ptr<const ClientContext> context;
    std::string server_name;
  };
  static int PeerIndex();
  static int OnNewSession(SSL* ssl, SSL_SESSION* session);
};

int ClientContext::Parts::PeerIndex() {
  static const int index = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr, [](void*, void* peer, CRYPTO_EX_DATA*, int, long, void*) {
        delete static_cast<Peer*>(peer);
      });
  return index;
}

int ClientContext::Parts::OnNewSession(SSL* ssl, SSL_SESSION* session) {
  const auto* peer = static_cast<const Peer*>(SSL_get_ex_data(ssl, PeerIndex()));
  // OpenSSL goes on using the one it hands over.
  SessionPtr copy(SSL_SESSION_dup(session));
  if (copy != nullptr) peer->context->parts_->sessions.Put(peer->server_name, std::move(copy));
  return 0;  // The reference stays OpenSSL's.
}

ClientContext::ClientContext(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}

ClientContext::~ClientContext() = default;

absl::StatusOr<std::shared_ptr<const ClientContext>> ClientContext::Make(
    const ClientOptions& options) {
  auto parts = std::make_unique<Parts>();
  parts->context = NewContext(TLS_client_method());
  parts->skip_verify = options.skip_verify;
  SSL_CTX* context = parts->context.get();
  SLUICE_CHECK(SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20:DEFAULT") == 1);
  SLUICE_CHECK(SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384:P-521") == 1);

  if (options.skip_verify) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  } else {
    if (options.ca_pem.empty()) {
      ASSIGN_OR_RETURN(parts->roots, SystemRoots());
    } else {
      ASSIGN_OR_RETURN(parts->roots, RootsFrom(options.ca_pem));
    }
    SSL_CTX_set1_cert_store(context, parts->roots.get());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  if (options.client_certificate != nullptr) {
    ASSIGN_OR_RETURN(const ParsedCertificate certificate,
                     ParseCertificate(*options.client_certificate));
    RETURN_IF_ERROR(UseCertificate(context, certificate));
  }
  ASSIGN_OR_RETURN(const std::string alpn, EncodeAlpn(options.alpn));
  if (!alpn.empty()) {
    SLUICE_CHECK(SSL_CTX_set_alpn_protos(context, reinterpret_cast<const uint8_t*>(alpn.data()),
                                         static_cast<unsigned int>(alpn.size())) == 0);
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, Parts::OnNewSession);
  return std::shared_ptr<const ClientContext>(new ClientContext(std::move(parts)));
}

SslPtr ClientContext::NewSession(const std::string& server_name, Alpn alpn) const {
  SslPtr ssl(SSL_new(parts_->context.get()));
  if (ssl == nullptr) return nullptr;
  ERR_clear_error();
  if (alpn != Alpn::kConfigured) {
    static constexpr uint8_t kHttp1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    const unsigned bytes = alpn == Alpn::kHttp1 ? sizeof kHttp1 : 0;
    if (SSL_set_alpn_protos(ssl.get(), kHttp1, bytes) != 0) return nullptr;
  }
  auto peer =
      std::make_unique<Parts::Peer>(Parts::Peer{shared_from_this(), WithoutBrackets(server_name)});
  // Without verification any name will do; it is sent where it can be.
  if (!SetName(ssl.get(), peer->server_name) && !parts_->skip_verify) return nullptr;
  if (const SessionPtr session = parts_->sessions.Get(peer->server_name)) {
    SSL_set_session(ssl.get(), session.get());
  }
  if (SSL_set_ex_data(ssl.get(), Parts::PeerIndex(), peer.get()) != 1) return nullptr;
  peer.release();
  SSL_set_connect_state(ssl.get());
  return ssl;
}

}  // namespace sluice::tls
