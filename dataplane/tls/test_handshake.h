// Handshakes within the process, for tests only.
#pragma once

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "dataplane/tls/client_identity.h"
#include "dataplane/tls/context.h"

namespace sluice::tls::testing {

struct Outcome {
  bool client_done = false, server_done = false;
  std::string client_error, server_error;
  bool resumed = false;
  std::string alpn;
  std::string protocol;
  std::string cipher;
  std::string common_name;  // Of the server's certificate.
  int key_type = 0;
  std::shared_ptr<SSL_SESSION> session;  // As it stands at the end, with the newest ticket.
  std::string staple;                    // OCSP response the client was given.
  std::shared_ptr<const ClientIdentity> identity;  // As the server sees the client.
};

inline bool Wants(SSL* ssl, int result) {
  const int error = SSL_get_error(ssl, result);
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

// Runs one side as far as it goes; true when it is done or has failed.
inline bool Step(SSL* ssl, bool* done, std::string* error) {
  if (*done || !error->empty()) return true;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl);
  if (result == 1) {
    *done = true;
  } else if (!Wants(ssl, result)) {
    *error = DescribeError(ssl);
  }
  return *done || !error->empty();
}

inline void Describe(SSL* client, Outcome* outcome) {
  outcome->resumed = SSL_session_reused(client) == 1;
  outcome->protocol = SSL_get_version(client);
  outcome->cipher = SSL_get_cipher_name(client);
  outcome->session = {SSL_get1_session(client), SSL_SESSION_free};
  const unsigned char* alpn = nullptr;
  unsigned int alpn_bytes = 0;
  SSL_get0_alpn_selected(client, &alpn, &alpn_bytes);
  outcome->alpn.assign(reinterpret_cast<const char*>(alpn), alpn_bytes);
  const unsigned char* staple = nullptr;
  const long staple_bytes = SSL_get_tlsext_status_ocsp_resp(client, &staple);
  if (staple != nullptr) {
    outcome->staple.assign(reinterpret_cast<const char*>(staple),
                           static_cast<size_t>(staple_bytes));
  }
  X509* certificate = SSL_get0_peer_certificate(client);
  char name[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof(name));
  outcome->common_name = name;
  outcome->key_type = EVP_PKEY_get_base_id(X509_get0_pubkey(certificate));
}

inline Outcome Shake(SslPtr client, SslPtr server) {
  BIO* client_end = nullptr;
  BIO* server_end = nullptr;
  BIO_new_bio_pair(&client_end, 64 * 1024, &server_end, 64 * 1024);
  SSL_set_bio(client.get(), client_end, client_end);
  SSL_set_bio(server.get(), server_end, server_end);
  Outcome outcome;
  bool over = false;
  for (int round = 0; round < 20 && !over; ++round) {
    const bool client_over = Step(client.get(), &outcome.client_done, &outcome.client_error);
    const bool server_over = Step(server.get(), &outcome.server_done, &outcome.server_error);
    over = client_over && server_over;
  }
  EXPECT_TRUE(over) << "the handshake does not end";
  if (!outcome.client_done || !outcome.server_done) return outcome;
  // A byte each way also carries TLS 1.3 tickets, and alerts that come after the handshake.
  char byte = 'x';
  EXPECT_EQ(SSL_write(server.get(), &byte, 1), 1);
  EXPECT_EQ(SSL_read(client.get(), &byte, 1), 1);
  Describe(client.get(), &outcome);
  outcome.identity = IdentifyClient(server.get());
  SSL_shutdown(client.get());
  SSL_shutdown(server.get());
  return outcome;
}

}  // namespace sluice::tls::testing
