// A certificate resource read into OpenSSL's terms, with what choosing between several needs.
//
// Control thread, when a snapshot is prepared.
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/openssl_ptr.h"
#include "sluice/v1/certificate.pb.h"

namespace sluice::tls {

using base::KeyPtr;
using base::X509Ptr;

struct ParsedCertificate {
  std::string name;  // For messages.
  X509Ptr leaf;
  std::vector<X509Ptr> intermediates;
  KeyPtr key;
  int key_type = 0;  // EVP_PKEY_RSA, EVP_PKEY_EC...: one of each in a context.
  std::vector<std::string>
      names;  // Lower case; the subject's common name where there are no others.
  int64_t not_after_unix = 0;
};

// Refuses what is unreadable, does not fit together, or is sealed with a passphrase.
absl::StatusOr<ParsedCertificate> ParseCertificate(const v1::Certificate& certificate);

// All certificates of a PEM text; an error when there is none or one is broken.
absl::StatusOr<std::vector<X509Ptr>> ParseCertificatesPem(const std::string& pem);

// Adds it to a context, beside those with other types of keys.
absl::Status UseCertificate(SSL_CTX* context, const ParsedCertificate& certificate);

}  // namespace sluice::tls
