#include "common/trust/signing_request.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "common/base/openssl_ptr.h"

namespace sluice::trust {
namespace {

using base::BioPtr;
using RequestPtr = std::unique_ptr<X509_REQ, base::FreeWith<X509_REQ_free>>;

constexpr int kSecurityBitsMin = 112;

}  // namespace

absl::StatusOr<std::string> MakeSigningRequest(EVP_PKEY* key) {
  const RequestPtr request(X509_REQ_new());
  const BioPtr writer(BIO_new(BIO_s_mem()));
  if (request == nullptr || writer == nullptr || X509_REQ_set_version(request.get(), 0) != 1 ||
      X509_REQ_set_pubkey(request.get(), key) != 1 ||
      X509_REQ_sign(request.get(), key, EVP_sha256()) == 0 ||
      PEM_write_bio_X509_REQ(writer.get(), request.get()) != 1) {
    return OpenSslError("making a signing request");
  }
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(writer.get(), &text);  // NOLINT: OpenSSL's type.
  return std::string(text, static_cast<size_t>(bytes));
}

absl::StatusOr<KeyPtr> KeyOfSigningRequest(std::string_view pem) {
  if (pem.size() > kSigningRequestBytesMax) {
    return absl::InvalidArgumentError("the signing request is too large");
  }
  ERR_clear_error();
  const BioPtr reader(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const RequestPtr request(PEM_read_bio_X509_REQ(reader.get(), nullptr, nullptr, nullptr));
  KeyPtr key(request == nullptr ? nullptr : X509_REQ_get_pubkey(request.get()));
  const bool proven = key != nullptr && X509_REQ_verify(request.get(), key.get()) == 1;
  ERR_clear_error();
  if (!proven) return absl::InvalidArgumentError("the signing request is malformed");
  if (EVP_PKEY_get_security_bits(key.get()) < kSecurityBitsMin) {
    return absl::InvalidArgumentError("the key of the signing request is too weak");
  }
  return key;
}

}  // namespace sluice::trust
