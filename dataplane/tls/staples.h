// OCSP responses stapled to the certificates of a server context (RFC 6066 section 8).
//
// Immutable once filled; asked in handshakes of any worker.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <string>
#include <unordered_map>

#include "absl/status/status.h"
#include "dataplane/tls/certificate.h"

namespace sluice::tls {

class Staples {
 public:
  // The response that `source` has for `parsed`, if it has one.
  absl::Status Add(const v1::Certificate& source, const ParsedCertificate& parsed);
  bool empty() const { return staples_.empty(); }

  // Gives the client the response for the certificate it is about to get. False: there is none
  // that is valid at `now_unix`.
  bool Answer(SSL* ssl, int64_t now_unix) const;

 private:
  struct Staple {
    X509Ptr leaf;  // Keeps the key of the map what it is.
    std::string der;
    int64_t from_unix, until_unix;
  };
  std::unordered_map<const X509*, Staple> staples_;
};

}  // namespace sluice::tls
