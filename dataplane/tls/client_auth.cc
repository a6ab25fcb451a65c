#include "dataplane/tls/client_auth.h"

#include <openssl/sha.h>
#include <openssl/x509.h>

#include <string>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "dataplane/tls/certificate.h"

namespace sluice::tls {
namespace {

// Intermediates between a client's certificate and an authority that is trusted. Each costs a
// verified signature in every full handshake.
constexpr int kIntermediatesMax = 4;

// A client's chain, before anything of it is verified.
constexpr long kChainBytesMax = 32 * 1024;

// Names of authorities go to every client in every full handshake.
constexpr int kNamesBytesMax = 8 * 1024;

// A ticket carries the certificate that was verified when it was made. OpenSSL does not look at
// its dates again.
bool StillValid(const X509* certificate) {
  return certificate == nullptr || X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

SSL_TICKET_RETURN OnTicketOpened(SSL*, SSL_SESSION* session, const unsigned char*, size_t,
                                 SSL_TICKET_STATUS status, void*) {
  const bool opened = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
  if (!opened || !StillValid(SSL_SESSION_get0_peer(session))) return SSL_TICKET_RETURN_IGNORE_RENEW;
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

}  // namespace

SessionIdContext SessionIdContextOf(std::string_view service, const v1::ClientAuth* auth) {
  std::string bound(service);
  if (auth != nullptr) {
    bound.push_back('\0');  // Never part of a name.
    bound.push_back(auth->mode() == v1::ClientAuth::OPTIONAL ? 'o' : 'r');
    bound += auth->ca_pem();
  }
  SessionIdContext context;
  static_assert(sizeof context == SHA256_DIGEST_LENGTH);
  static_assert(sizeof context <= SSL_MAX_SID_CTX_LENGTH);
  SHA256(reinterpret_cast<const uint8_t*>(bound.data()), bound.size(), context.data());
  return context;
}

void ClientAuth::FreeNames::operator()(STACK_OF(X509_NAME) * names) const {
  sk_X509_NAME_pop_free(names, X509_NAME_free);
}

absl::StatusOr<ClientAuth> ClientAuth::Make(const v1::ClientAuth& auth) {
  ClientAuth made;
  made.required_ = auth.mode() != v1::ClientAuth::OPTIONAL;
  ASSIGN_OR_RETURN(made.roots_, RootsFrom(auth.ca_pem()));
  ASSIGN_OR_RETURN(const std::vector<X509Ptr> authorities, ParseCertificatesPem(auth.ca_pem()));
  made.names_.reset(sk_X509_NAME_new_null());
  SLUICE_CHECK(made.names_ != nullptr);
  int bytes = 0;
  for (const X509Ptr& authority : authorities) {
    X509_NAME* name = X509_NAME_dup(X509_get_subject_name(authority.get()));
    SLUICE_CHECK(name != nullptr && sk_X509_NAME_push(made.names_.get(), name) > 0);
    bytes += i2d_X509_NAME(name, nullptr);
  }
  if (bytes > kNamesBytesMax) made.names_.reset();
  return made;
}

void ClientAuth::Apply(SSL_CTX* context) const {
  SSL_CTX_set1_cert_store(context, roots_.get());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required_ ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  SSL_CTX_set_verify_depth(context, kIntermediatesMax);
  SSL_CTX_set_max_cert_list(context, kChainBytesMax);
  if (names_ != nullptr) SSL_CTX_set_client_CA_list(context, SSL_dup_CA_list(names_.get()));
  SSL_CTX_set_session_ticket_cb(context, nullptr, OnTicketOpened, nullptr);
}

}  // namespace sluice::tls
