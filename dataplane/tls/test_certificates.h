// Certificates made on the spot, for tests only.
#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "sluice/v1/certificate.pb.h"

namespace sluice::tls::testing {

struct CertificateSpec {
  std::string subject = "test";
  std::vector<std::string> names;  // "DNS:a.example", "IP:127.0.0.1".
  bool rsa = false;                // Otherwise P-256.
  bool ca = false;
  long not_before_seconds = -3600;  // From now.
  long not_after_seconds = 24 * 3600;
};

// A certificate with its key, which may issue others.
class TestCertificate {
 public:
  explicit TestCertificate(const CertificateSpec& spec, const TestCertificate* issuer = nullptr)
      : key_(spec.rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256")), certificate_(X509_new()) {
    SLUICE_CHECK(key_ != nullptr && certificate_ != nullptr);
    static long serial = 0;
    X509_set_version(certificate_, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), spec.not_before_seconds);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), spec.not_after_seconds);
    X509_set_pubkey(certificate_, key_);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate_), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(spec.subject.c_str()), -1, -1,
                               0);
    const TestCertificate& signer = issuer != nullptr ? *issuer : *this;
    X509_set_issuer_name(certificate_, X509_get_subject_name(signer.certificate_));
    AddExtension(NID_basic_constraints, spec.ca ? "critical,CA:TRUE" : "CA:FALSE");
    std::string names;
    for (const std::string& name : spec.names) names += (names.empty() ? "" : ",") + name;
    if (!names.empty()) AddExtension(NID_subject_alt_name, names);
    SLUICE_CHECK(X509_sign(certificate_, signer.key_, EVP_sha256()) > 0);
  }
  ~TestCertificate() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;

  std::string pem() const {
    return Text([this](BIO* bio) { return PEM_write_bio_X509(bio, certificate_); });
  }
  std::string key_pem() const {
    return Text([this](BIO* bio) {
      return PEM_write_bio_PrivateKey(bio, key_, nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  std::string sealed_key_pem() const {
    return Text([this](BIO* bio) {
      return PEM_write_bio_PrivateKey(bio, key_, EVP_aes_128_cbc(), nullptr, 0, nullptr,
                                      const_cast<char*>("secret"));
    });
  }

  v1::Certificate Resource(const std::string& name, const std::string& chain_rest = "") const {
    v1::Certificate resource;
    resource.set_name(name);
    resource.set_chain_pem(pem() + chain_rest);
    resource.set_key_pem(key_pem());
    return resource;
  }

 private:
  void AddExtension(int id, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str());
    SLUICE_CHECK(extension != nullptr);
    X509_add_ext(certificate_, extension, -1);
    X509_EXTENSION_free(extension);
  }

  template <typename Write>
  static std::string Text(const Write& write) {
    BIO* bio = BIO_new(BIO_s_mem());
    SLUICE_CHECK(write(bio) == 1);
    char* data = nullptr;
    const long bytes = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<size_t>(bytes));
    BIO_free(bio);
    return text;
  }

  EVP_PKEY* key_;
  X509* certificate_;
};

}  // namespace sluice::tls::testing
