// Who the client of a connection is, by the certificate that was verified in its handshake or in
// the one it resumes.
//
// On the request path, made once for a connection; one worker's.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace sluice::tls {

struct ClientIdentity {
  // Longer values would push upstreams over their limits: what does not fit is left out.
  static constexpr size_t kForwardedBytesMax = 4096;

  std::string subject;  // RFC 2253, ASCII only: "CN=alice,O=Example".
  // As X-Forwarded-Client-Cert tells it: By=...;Hash=...;Subject="...";URI=...;DNS=..., where a
  // value that has one of ,;=" or a backslash is a quoted-string (RFC 9110 section 5.6.4).
  std::string forwarded;
};

// Null when the client has shown no certificate.
std::unique_ptr<const ClientIdentity> IdentifyClient(const SSL* ssl);

}  // namespace sluice::tls
