// Private keys and X.509 certificates as OpenSSL handles that free themselves, and as PEM text.
//
// Thread-safe in that nothing is shared. Errors say what is wrong with the text, never what is in
// a key.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/openssl_ptr.h"

namespace sluice::trust {

using base::KeyPtr;
using base::X509Ptr;

inline constexpr size_t kPemBytesMax = 1 << 20;

// ECDSA P-256.
absl::StatusOr<KeyPtr> MakeKey();
// PKCS #8, without a password.
absl::StatusOr<std::string> PemOf(EVP_PKEY* key);
absl::StatusOr<std::string> PemOf(X509* certificate);

// The first of its kind in the text; others, such as certificates before a key, are passed over.
absl::StatusOr<KeyPtr> ParseKey(std::string_view pem);
absl::StatusOr<X509Ptr> ParseCertificate(std::string_view pem);
// All of them, at least one.
absl::StatusOr<std::vector<X509Ptr>> ParseCertificates(std::string_view pem);

// Seconds since 1970.
int64_t NotBefore(const X509* certificate);
int64_t NotAfter(const X509* certificate);
// 32 raw bytes: of the whole certificate (DER), of its public key.
std::string Fingerprint(const X509* certificate);
std::string FingerprintOfKey(const EVP_PKEY* key);
// Hexadecimal, lower case.
std::string SerialOf(const X509* certificate);
// One common name; empty: none.
std::string CommonName(const X509* certificate);

// kInternal, with OpenSSL's own reason; empties its queue.
absl::Status OpenSslError(std::string_view doing);

}  // namespace sluice::trust
