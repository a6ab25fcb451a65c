#include "dataplane/tls/certificate.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <utility>

#include "common/base/status_macros.h"
#include "dataplane/tls/ssl_common.h"

namespace sluice::tls {
namespace {

using base::BioPtr;
using base::NamesPtr;

BioPtr BioOf(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Without it OpenSSL asks on the terminal.
int NoPassphrase(char*, int, int, void*) { return 0; }

absl::StatusOr<KeyPtr> ParseKey(const std::string& pem) {
  ERR_clear_error();
  const BioPtr bio = BioOf(pem);
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) {
    return absl::InvalidArgumentError(fmt::format(
        "no usable private key ({}); it must be PEM without a passphrase", TakeErrors()));
  }
  return key;
}

int64_t UnixTimeOf(const ASN1_TIME* time) {
  tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

std::string TextOf(const ASN1_STRING* value) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
          static_cast<size_t>(ASN1_STRING_length(value))};
}

std::vector<std::string> NamesOf(X509* leaf) {
  std::vector<std::string> names;
  const NamesPtr alternatives(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type == GEN_DNS) names.push_back(LowerCase(TextOf(name->d.dNSName)));
  }
  if (alternatives != nullptr) return names;

  X509_NAME* subject = X509_get_subject_name(leaf);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) {
    const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    names.push_back(LowerCase(TextOf(value)));
  }
  return names;
}

}  // namespace

absl::StatusOr<std::vector<X509Ptr>> ParseCertificatesPem(const std::string& pem) {
  ERR_clear_error();
  const BioPtr bio = BioOf(pem);
  std::vector<X509Ptr> certificates;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (certificates.empty() || !at_end) {
    return absl::InvalidArgumentError(fmt::format("certificate {} is not readable PEM ({})",
                                                  certificates.size() + 1, TakeErrors()));
  }
  ERR_clear_error();
  return certificates;
}

absl::StatusOr<ParsedCertificate> ParseCertificate(const v1::Certificate& certificate) {
  const auto refuse = [&certificate](const absl::Status& status) {
    return absl::InvalidArgumentError(
        fmt::format("certificate {}: {}", certificate.name(), std::string(status.message())));
  };
  auto chain = ParseCertificatesPem(certificate.chain_pem());
  if (!chain.ok()) return refuse(chain.status());
  auto key = ParseKey(certificate.key_pem());
  if (!key.ok()) return refuse(key.status());

  ParsedCertificate parsed;
  parsed.name = certificate.name();
  parsed.leaf = std::move(chain->front());
  for (size_t i = 1; i < chain->size(); ++i) parsed.intermediates.push_back(std::move((*chain)[i]));
  parsed.key = *std::move(key);
  if (X509_check_private_key(parsed.leaf.get(), parsed.key.get()) != 1) {
    ERR_clear_error();
    return refuse(absl::InvalidArgumentError(
        "the private key does not belong to the first certificate of the chain"));
  }
  parsed.key_type = EVP_PKEY_get_base_id(parsed.key.get());
  parsed.names = NamesOf(parsed.leaf.get());
  parsed.not_after_unix = UnixTimeOf(X509_get0_notAfter(parsed.leaf.get()));
  return parsed;
}

absl::Status UseCertificate(SSL_CTX* context, const ParsedCertificate& certificate) {
  ERR_clear_error();
  bool good = SSL_CTX_use_certificate(context, certificate.leaf.get()) == 1 &&
              SSL_CTX_use_PrivateKey(context, certificate.key.get()) == 1;
  for (const X509Ptr& intermediate : certificate.intermediates) {
    good = good && SSL_CTX_add1_chain_cert(context, intermediate.get()) == 1;
  }
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("certificate {}: refused by OpenSSL: {}", certificate.name, TakeErrors()));
}

absl::StatusOr<int64_t> CertificateNotAfterUnix(const v1::Certificate& certificate) {
  ASSIGN_OR_RETURN(const std::vector<X509Ptr> chain, ParseCertificatesPem(certificate.chain_pem()));
  return UnixTimeOf(X509_get0_notAfter(chain.front().get()));
}

}  // namespace sluice::tls
