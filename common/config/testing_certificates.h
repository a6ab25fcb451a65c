// Throwaway certificates for tests.
#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <string>

namespace sluice::config::testing_certificates {

struct Pair {
  std::string chain_pem;
  std::string key_pem;
  std::string encrypted_key_pem;  // Password "secret".
};

struct Wanted {
  std::string common_name = "a.test";
  std::string alt_names = "DNS:a.test,DNS:*.a.test,IP:127.0.0.1,IP:::1";
  int64_t not_before_unix = 1'700'000'000;
  int64_t not_after_unix = 4'000'000'000;
  int rsa_bits = 0;  // 0: EC P-256.
};

inline std::string TextOf(BIO* bio) {
  char* text = nullptr;
  const auto bytes = static_cast<size_t>(BIO_get_mem_data(bio, &text));
  std::string copy(text, bytes);
  BIO_free(bio);
  return copy;
}

inline Pair MakeSelfSigned(const Wanted& wanted = {}) {
  EVP_PKEY* key = wanted.rsa_bits == 0 ? EVP_EC_gen("P-256")
                                       : EVP_RSA_gen(static_cast<unsigned int>(wanted.rsa_bits));
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  ASN1_TIME_set(X509_getm_notBefore(certificate), wanted.not_before_unix);
  ASN1_TIME_set(X509_getm_notAfter(certificate), wanted.not_after_unix);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(wanted.common_name.c_str()), -1,
                             -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_set_pubkey(certificate, key);
  if (!wanted.alt_names.empty()) {
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, wanted.alt_names.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(certificate, key, EVP_sha256());

  BIO* chain = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(chain, certificate);
  BIO* plain = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(plain, key, nullptr, nullptr, 0, nullptr, nullptr);
  BIO* encrypted = BIO_new(BIO_s_mem());
  char password[] = "secret";
  PEM_write_bio_PKCS8PrivateKey(encrypted, key, EVP_aes_256_cbc(), password, 6, nullptr, nullptr);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return {TextOf(chain), TextOf(plain), TextOf(encrypted)};
}

}  // namespace sluice::config::testing_certificates
