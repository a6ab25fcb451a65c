// OCSP responses for tests.
#pragma once

#include <openssl/bio.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdint>
#include <string>

namespace sluice::config::testing_ocsp {

struct WantedResponse {
  std::string certificate_pem;
  std::string issuer_pem;
  std::string issuer_key_pem;
  int64_t this_update_unix = 1'750'000'000;
  int64_t next_update_unix = 4'000'000'000;  // 0: left out.
  int status = V_OCSP_CERTSTATUS_GOOD;
};

inline X509* ReadCertificate(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return certificate;
}

inline std::string DerOf(OCSP_RESPONSE* response) {
  unsigned char* data = nullptr;
  const int bytes = i2d_OCSP_RESPONSE(response, &data);
  std::string der(reinterpret_cast<const char*>(data), static_cast<size_t>(bytes));
  OPENSSL_free(data);
  OCSP_RESPONSE_free(response);
  return der;
}

inline std::string MakeResponse(const WantedResponse& wanted) {
  X509* certificate = ReadCertificate(wanted.certificate_pem);
  X509* issuer = ReadCertificate(wanted.issuer_pem);
  BIO* bio = BIO_new_mem_buf(wanted.issuer_key_pem.data(), -1);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  OCSP_CERTID* id = OCSP_cert_to_id(EVP_sha1(), certificate, issuer);
  ASN1_TIME* from = ASN1_GENERALIZEDTIME_set(nullptr, wanted.this_update_unix);
  ASN1_TIME* until = wanted.next_update_unix == 0
                         ? nullptr
                         : ASN1_GENERALIZEDTIME_set(nullptr, wanted.next_update_unix);
  OCSP_BASICRESP* basic = OCSP_BASICRESP_new();
  const bool revoked = wanted.status == V_OCSP_CERTSTATUS_REVOKED;
  OCSP_basic_add1_status(basic, id, wanted.status, OCSP_REVOKED_STATUS_UNSPECIFIED,
                         revoked ? from : nullptr, from, until);
  OCSP_basic_sign(basic, issuer, key, EVP_sha256(), nullptr, 0);
  std::string der = DerOf(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic));
  OCSP_BASICRESP_free(basic);
  ASN1_TIME_free(until);
  ASN1_TIME_free(from);
  OCSP_CERTID_free(id);
  EVP_PKEY_free(key);
  X509_free(issuer);
  X509_free(certificate);
  return der;
}

}  // namespace sluice::config::testing_ocsp
