#include "common/trust/pem.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <ctime>

#include "common/base/hash.h"
#include "common/base/status_macros.h"

namespace sluice::trust {
namespace {

using base::BioPtr;

constexpr size_t kCertificatesMax = 64;

BioPtr ReaderOf(std::string_view bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

std::string TextOf(BIO* bio) {
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(bio, &text);  // NOLINT: OpenSSL's type.
  return {text, static_cast<size_t>(bytes)};
}

// Refuses, instead of asking on the terminal.
int NoPassword(char*, int, int, void*) { return -1; }

int64_t UnixTime(const ASN1_TIME* time) {
  std::tm utc{};
  return ASN1_TIME_to_tm(time, &utc) == 1 ? timegm(&utc) : 0;
}

std::string HashOf(unsigned char* der, int bytes) {
  if (bytes < 0) return "";
  std::string hash = base::Sha256({reinterpret_cast<const char*>(der), static_cast<size_t>(bytes)});
  OPENSSL_free(der);
  return hash;
}

}  // namespace

absl::Status OpenSslError(std::string_view doing) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  absl::Status status = absl::InternalError(
      fmt::format("{}: {}", doing, reason == nullptr ? "unknown reason" : reason));
  ERR_clear_error();
  return status;
}

absl::StatusOr<KeyPtr> MakeKey() {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return OpenSslError("making a key");
  return key;
}

absl::StatusOr<std::string> PemOf(EVP_PKEY* key) {
  // Its memory is wiped when it is freed.
  const BioPtr writer(BIO_new(BIO_s_secmem()));
  if (writer == nullptr || PEM_write_bio_PKCS8PrivateKey(writer.get(), key, nullptr, nullptr, 0,
                                                         nullptr, nullptr) != 1) {
    return OpenSslError("writing a key");
  }
  return TextOf(writer.get());
}

absl::StatusOr<std::string> PemOf(X509* certificate) {
  const BioPtr writer(BIO_new(BIO_s_mem()));
  if (writer == nullptr || PEM_write_bio_X509(writer.get(), certificate) != 1) {
    return OpenSslError("writing a certificate");
  }
  return TextOf(writer.get());
}

absl::StatusOr<KeyPtr> ParseKey(std::string_view pem) {
  if (pem.size() > kPemBytesMax) return absl::InvalidArgumentError("the key is too large");
  ERR_clear_error();
  const BioPtr reader = ReaderOf(pem);
  KeyPtr key(PEM_read_bio_PrivateKey(reader.get(), nullptr, NoPassword, nullptr));
  if (key == nullptr) {
    return absl::InvalidArgumentError(std::string(OpenSslError("no private key found").message()));
  }
  return key;
}

absl::StatusOr<std::vector<X509Ptr>> ParseCertificates(std::string_view pem) {
  if (pem.size() > kPemBytesMax) return absl::InvalidArgumentError("too many bytes of PEM");
  ERR_clear_error();
  const BioPtr reader = ReaderOf(pem);
  std::vector<X509Ptr> certificates;
  for (;;) {
    X509Ptr certificate(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
    if (certificate == nullptr) break;
    if (certificates.size() == kCertificatesMax) {
      return absl::InvalidArgumentError("too many certificates");
    }
    certificates.push_back(std::move(certificate));
  }
  const unsigned long error = ERR_peek_last_error();  // NOLINT: OpenSSL's type.
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (!at_end || certificates.empty()) {
    return absl::InvalidArgumentError(
        std::string(OpenSslError("no well-formed certificate found").message()));
  }
  ERR_clear_error();
  return certificates;
}

absl::StatusOr<X509Ptr> ParseCertificate(std::string_view pem) {
  ASSIGN_OR_RETURN(std::vector<X509Ptr> certificates, ParseCertificates(pem));
  return std::move(certificates.front());
}

int64_t NotBefore(const X509* certificate) { return UnixTime(X509_get0_notBefore(certificate)); }
int64_t NotAfter(const X509* certificate) { return UnixTime(X509_get0_notAfter(certificate)); }

std::string Fingerprint(const X509* certificate) {
  unsigned char* der = nullptr;
  const int bytes = i2d_X509(certificate, &der);
  return HashOf(der, bytes);
}

std::string FingerprintOfKey(const EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int bytes = i2d_PUBKEY(key, &der);
  return HashOf(der, bytes);
}

std::string SerialOf(const X509* certificate) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  const auto* bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial));
  return base::HexEncode({bytes, static_cast<size_t>(ASN1_STRING_length(serial))});
}

std::string CommonName(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return "";
  unsigned char* text = nullptr;
  const int bytes =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (bytes < 0) return "";
  std::string name(reinterpret_cast<const char*>(text), static_cast<size_t>(bytes));
  OPENSSL_free(text);
  return name;
}

}  // namespace sluice::trust
