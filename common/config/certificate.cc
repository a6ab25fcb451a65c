#include "common/config/certificate.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

#include "common/base/hash.h"
#include "common/base/openssl_ptr.h"
#include "common/base/status_macros.h"

namespace sluice::config {
namespace {

using base::BioPtr;
using base::KeyPtr;
using base::NamesPtr;
using base::X509Ptr;

constexpr int kSecurityBitsMin = 112;  // RSA 2048, P-224 and better; OpenSSL's level 2.

BioPtr ReaderOf(std::string_view bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

// OpenSSL's last reason; empties its queue, so that nobody later mistakes it for their own.
std::string TakeOpenSslReason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = reason == nullptr ? "unknown reason" : reason;
  ERR_clear_error();
  return text;
}

bool LastErrorIsEndOfFile() {
  const unsigned long error = ERR_peek_last_error();  // NOLINT: OpenSSL's type.
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

absl::StatusOr<std::vector<X509Ptr>> ParseCertificates(std::string_view pem, int count_max) {
  if (pem.size() > kPemBytesMax) {
    return absl::InvalidArgumentError(
        fmt::format("{} bytes of PEM are more than the {} allowed", pem.size(), kPemBytesMax));
  }
  ERR_clear_error();
  const BioPtr reader = ReaderOf(pem);
  std::vector<X509Ptr> certificates;
  for (;;) {
    X509Ptr certificate(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
    if (certificate == nullptr) break;
    if (static_cast<int>(certificates.size()) == count_max) {
      return absl::InvalidArgumentError(fmt::format("more than {} certificates", count_max));
    }
    certificates.push_back(std::move(certificate));
  }
  if (!LastErrorIsEndOfFile()) {
    return absl::InvalidArgumentError(fmt::format("certificate {} is malformed: {}",
                                                  certificates.size() + 1, TakeOpenSslReason()));
  }
  ERR_clear_error();
  if (certificates.empty()) {
    return absl::InvalidArgumentError(
        "no certificate found; give PEM text with -----BEGIN CERTIFICATE-----");
  }
  return certificates;
}

std::string TextOf(BIO* writer) {
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(writer, &text);  // NOLINT: OpenSSL's type.
  return {text, static_cast<size_t>(bytes)};
}

absl::StatusOr<std::string> CertificatesIn(std::string_view pem, int count_max) {
  ASSIGN_OR_RETURN(const std::vector<X509Ptr> certificates, ParseCertificates(pem, count_max));
  const BioPtr writer(BIO_new(BIO_s_mem()));
  for (const X509Ptr& certificate : certificates) {
    if (PEM_write_bio_X509(writer.get(), certificate.get()) != 1) {
      return absl::InternalError(TakeOpenSslReason());
    }
  }
  return TextOf(writer.get());
}

// Refuses, instead of asking on the terminal.
int NoPassword(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

absl::StatusOr<KeyPtr> ParseKey(std::string_view pem) {
  if (pem.size() > kPemBytesMax) return absl::InvalidArgumentError("the key is too large");
  ERR_clear_error();
  const BioPtr reader = ReaderOf(pem);
  bool asked = false;
  KeyPtr key(PEM_read_bio_PrivateKey(reader.get(), nullptr, NoPassword, &asked));
  if (key != nullptr) return key;
  const std::string reason = TakeOpenSslReason();
  if (asked) {
    return absl::InvalidArgumentError(
        "the key is encrypted; store it without a password (openssl pkey -in FILE -out FILE)");
  }
  return absl::InvalidArgumentError(fmt::format(
      "no private key found: {}; give PEM text with -----BEGIN PRIVATE KEY-----", reason));
}

std::string NameText(const X509_NAME* name) {
  const BioPtr writer(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(writer.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  return TextOf(writer.get());
}

std::string IpText(const ASN1_OCTET_STRING* ip) {
  const unsigned char* bytes = ASN1_STRING_get0_data(ip);
  char text[INET6_ADDRSTRLEN];
  switch (ASN1_STRING_length(ip)) {
    case 4:
      return inet_ntop(AF_INET, bytes, text, sizeof text);
    case 16:
      return inet_ntop(AF_INET6, bytes, text, sizeof text);
    default:
      return "malformed address";
  }
}

// DNS names, then addresses.
void AddSubjectNames(const X509* certificate, v1::CertificateInfo* info) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) {
      info->add_dns_names(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                          static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      info->add_dns_names(IpText(name->d.iPAddress));
    }
  }
}

int64_t UnixTime(const ASN1_TIME* time) {
  std::tm utc{};
  return ASN1_TIME_to_tm(time, &utc) == 1 ? timegm(&utc) : 0;
}

std::string KeyType(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return fmt::format("RSA {}", EVP_PKEY_get_bits(key));
    case EVP_PKEY_EC:
      return fmt::format("EC P-{}", EVP_PKEY_get_bits(key));
    case EVP_PKEY_ED25519:
      return "Ed25519";
    case EVP_PKEY_ED448:
      return "Ed448";
    default:
      return "other";
  }
}

std::string DerSha256(X509* certificate) {
  unsigned char* der = nullptr;
  const int bytes = i2d_X509(certificate, &der);
  if (bytes < 0) return {};
  const std::string digest =
      base::Sha256({reinterpret_cast<const char*>(der), static_cast<size_t>(bytes)});
  OPENSSL_free(der);
  return base::HexEncode(digest);
}

}  // namespace

absl::StatusOr<v1::CertificateInfo> DescribeCertificate(const v1::Certificate& certificate) {
  ASSIGN_OR_RETURN(const std::vector<X509Ptr> chain,
                   ParseCertificates(certificate.chain_pem(), kChainCertificatesMax));
  X509* leaf = chain.front().get();
  v1::CertificateInfo info;
  info.set_name(certificate.name());
  info.set_subject(NameText(X509_get_subject_name(leaf)));
  info.set_issuer(NameText(X509_get_issuer_name(leaf)));
  AddSubjectNames(leaf, &info);
  info.set_not_before_unix(UnixTime(X509_get0_notBefore(leaf)));
  info.set_not_after_unix(UnixTime(X509_get0_notAfter(leaf)));
  info.set_sha256(DerSha256(leaf));
  const EVP_PKEY* key = X509_get0_pubkey(leaf);
  info.set_key_type(key == nullptr ? "unreadable" : KeyType(key));
  ERR_clear_error();
  return info;
}

absl::Status CheckChain(std::string_view chain_pem) {
  return ParseCertificates(chain_pem, kChainCertificatesMax).status();
}

absl::Status CheckKey(std::string_view chain_pem, std::string_view key_pem) {
  ASSIGN_OR_RETURN(const KeyPtr key, ParseKey(key_pem));
  if (EVP_PKEY_get_security_bits(key.get()) < kSecurityBitsMin) {
    return absl::InvalidArgumentError(
        fmt::format("the key ({}) is too weak for TLS; use RSA of at least 2048 bits or EC P-256",
                    KeyType(key.get())));
  }
  ASSIGN_OR_RETURN(const std::vector<X509Ptr> chain,
                   ParseCertificates(chain_pem, kChainCertificatesMax));
  if (X509_check_private_key(chain.front().get(), key.get()) == 1) return absl::OkStatus();
  ERR_clear_error();
  for (size_t i = 1; i < chain.size(); ++i) {
    if (X509_check_private_key(chain[i].get(), key.get()) == 1) {
      return absl::InvalidArgumentError(fmt::format(
          "the key belongs to certificate {} of the chain; put that certificate first", i + 1));
    }
    ERR_clear_error();
  }
  return absl::InvalidArgumentError(
      "the key does not belong to the certificate; give the pair that was made together");
}

absl::Status CheckCaBundle(std::string_view ca_pem) {
  return ParseCertificates(ca_pem, kCaCertificatesMax).status();
}

absl::StatusOr<std::string> ChainIn(std::string_view pem) {
  return CertificatesIn(pem, kChainCertificatesMax);
}

absl::StatusOr<std::string> CaBundleIn(std::string_view pem) {
  return CertificatesIn(pem, kCaCertificatesMax);
}

}  // namespace sluice::config
