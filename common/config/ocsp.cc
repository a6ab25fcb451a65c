#include "common/config/ocsp.h"

#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "common/base/openssl_ptr.h"
#include "common/base/status_macros.h"
#include "common/config/certificate.h"

namespace sluice::config {
namespace {

using base::BioPtr;
using base::FreeWith;
using base::X509Ptr;
using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, FreeWith<OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, FreeWith<OCSP_BASICRESP_free>>;

// Whom a response must be about. The issuer is null where the chain does not have it.
struct Subject {
  X509Ptr leaf;
  X509Ptr issuer;
};

absl::StatusOr<Subject> ReadSubject(std::string_view chain_pem) {
  RETURN_IF_ERROR(CheckChain(chain_pem));
  const BioPtr reader(BIO_new_mem_buf(chain_pem.data(), static_cast<int>(chain_pem.size())));
  Subject subject;
  subject.leaf.reset(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
  subject.issuer.reset(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
  if (subject.issuer != nullptr &&
      X509_check_issued(subject.issuer.get(), subject.leaf.get()) != X509_V_OK) {
    subject.issuer.reset();
  }
  return subject;
}

bool Equals(const ASN1_OCTET_STRING* stated, const unsigned char* digest, unsigned int bytes) {
  const unsigned char* data = ASN1_STRING_get0_data(stated);
  return ASN1_STRING_length(stated) == static_cast<int>(bytes) &&
         std::equal(data, data + bytes, digest);
}

// RFC 6960 section 4.1.1: serial number, digest of the issuer's name, digest of its key.
bool IsAbout(OCSP_CERTID* id, const Subject& subject) {
  ASN1_OCTET_STRING* name_digest = nullptr;
  ASN1_OBJECT* algorithm = nullptr;
  ASN1_OCTET_STRING* key_digest = nullptr;
  ASN1_INTEGER* serial = nullptr;
  if (OCSP_id_get0_info(&name_digest, &algorithm, &key_digest, &serial, id) != 1) return false;
  const EVP_MD* digest = EVP_get_digestbyobj(algorithm);
  if (digest == nullptr) return false;
  if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(subject.leaf.get())) != 0) return false;
  unsigned char made[EVP_MAX_MD_SIZE];
  unsigned int bytes = 0;
  const X509_NAME* issuer_name = X509_get_issuer_name(subject.leaf.get());
  if (X509_NAME_digest(issuer_name, digest, made, &bytes) != 1) return false;
  if (!Equals(name_digest, made, bytes)) return false;
  if (subject.issuer == nullptr) return true;
  return X509_pubkey_digest(subject.issuer.get(), digest, made, &bytes) == 1 &&
         Equals(key_digest, made, bytes);
}

absl::StatusOr<BasicPtr> ReadBasic(std::string_view der) {
  if (der.size() > kOcspBytesMax) {
    return absl::InvalidArgumentError(
        fmt::format("{} bytes are more than the {} allowed", der.size(), kOcspBytesMax));
  }
  const auto* data = reinterpret_cast<const unsigned char*>(der.data());
  const auto* const end = data + der.size();
  const ResponsePtr response(d2i_OCSP_RESPONSE(nullptr, &data, static_cast<long>(der.size())));
  if (response == nullptr || data != end) {
    return absl::InvalidArgumentError(
        "no OCSP response; give it in DER, as 'openssl ocsp -respout FILE' writes it");
  }
  const int status = OCSP_response_status(response.get());
  if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return absl::InvalidArgumentError(fmt::format(
        "the responder refused to answer ({}); ask it again", OCSP_response_status_str(status)));
  }
  BasicPtr basic(OCSP_response_get1_basic(response.get()));
  if (basic == nullptr) {
    return absl::InvalidArgumentError("the OCSP response is of a type nobody understands");
  }
  return basic;
}

absl::StatusOr<int64_t> UnixTime(const ASN1_GENERALIZEDTIME* time) {
  std::tm utc{};
  if (time != nullptr && ASN1_TIME_to_tm(time, &utc) == 1) return timegm(&utc);
  return absl::InvalidArgumentError(
      "the OCSP response does not say until when it holds (nextUpdate); ask a responder that does");
}

absl::StatusOr<OcspFacts> Describe(std::string_view chain_pem, std::string_view der) {
  ASSIGN_OR_RETURN(const Subject subject, ReadSubject(chain_pem));
  ASSIGN_OR_RETURN(const BasicPtr basic, ReadBasic(der));
  for (int i = 0; i < OCSP_resp_count(basic.get()); ++i) {
    OCSP_SINGLERESP* single = OCSP_resp_get0(basic.get(), i);
    if (!IsAbout(const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single)), subject)) continue;
    ASN1_GENERALIZEDTIME* this_update = nullptr;
    ASN1_GENERALIZEDTIME* next_update = nullptr;
    const int status =
        OCSP_single_get0_status(single, nullptr, nullptr, &this_update, &next_update);
    OcspFacts facts{.good = status == V_OCSP_CERTSTATUS_GOOD};
    ASSIGN_OR_RETURN(facts.this_update_unix, UnixTime(this_update));
    ASSIGN_OR_RETURN(facts.next_update_unix, UnixTime(next_update));
    return facts;
  }
  return absl::InvalidArgumentError(
      "the OCSP response is about another certificate; ask for the one beside it");
}

}  // namespace

absl::StatusOr<OcspFacts> DescribeOcspResponse(std::string_view chain_pem, std::string_view der) {
  auto facts = Describe(chain_pem, der);
  ERR_clear_error();  // Nobody shall later mistake what is left for their own.
  return facts;
}

}  // namespace sluice::config
