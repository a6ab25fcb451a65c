#include "dataplane/tls/ssl_common.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "common/base/check.h"

namespace sluice::tls {
namespace {

std::string ReasonOf(unsigned long error) {
  if (ERR_SYSTEM_ERROR(error)) return fmt::format("system error {}", ERR_GET_REASON(error));
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : fmt::format("error {:x}", error);
}

}  // namespace

SslCtxPtr NewContext(const SSL_METHOD* method) {
  SslCtxPtr context(SSL_CTX_new(method));
  SLUICE_CHECK(context != nullptr);
  SSL_CTX* raw = context.get();
  SLUICE_CHECK(SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) == 1);
  SLUICE_CHECK(SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION) == 1);
  // AES-128 first: where neither side has a preference it is the fastest that is safe.
  SLUICE_CHECK(SSL_CTX_set_ciphersuites(raw,
                                        "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
                                        "TLS_AES_256_GCM_SHA384") == 1);
  // Chains are sent as configured; OpenSSL would otherwise look for issuers in every handshake.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  return context;
}

absl::StatusOr<std::string> EncodeAlpn(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) {
      return absl::InvalidArgumentError(
          fmt::format("ALPN protocol \"{}\" must have 1 to 255 bytes", protocol));
    }
    wire.push_back(static_cast<char>(protocol.size()));
    wire += protocol;
  }
  return wire;
}

std::string TakeErrors() {
  std::string text;
  while (const unsigned long error = ERR_get_error()) {
    if (!text.empty()) text += ": ";
    text += ReasonOf(error);
  }
  return text.empty() ? "unknown error" : text;
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string DescribeError(const SSL* ssl) {
  const unsigned long first = ERR_peek_error();
  const long verify_result = ssl != nullptr ? SSL_get_verify_result(ssl) : X509_V_OK;
  ERR_clear_error();
  if (first == 0) return "connection closed by the peer";
  if (ERR_GET_REASON(first) == SSL_R_CERTIFICATE_VERIFY_FAILED && verify_result != X509_V_OK) {
    return fmt::format("{}: {}", ReasonOf(first), X509_verify_cert_error_string(verify_result));
  }
  return ReasonOf(first);
}

}  // namespace sluice::tls
