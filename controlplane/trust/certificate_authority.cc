#include "controlplane/trust/certificate_authority.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "common/base/file.h"
#include "common/base/free_with.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/openssl_ptr.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"

namespace sluice::trust {
namespace {

constexpr char kPurpose[] = "ca.key";
constexpr size_t kCommonNameBytesMax = 64;  // ub-common-name.
constexpr size_t kSerialBytes = 16;
constexpr std::chrono::seconds kSkewMax{300};

using base::NamesPtr;
using NumberPtr = std::unique_ptr<BIGNUM, base::FreeWith<BN_free>>;

bool SetSerial(X509* certificate, const std::string& prefix) {
  const auto head = base::HexDecode(prefix);
  if (!head.has_value() || head->size() > 8) return false;
  std::array<char, kSerialBytes> serial;
  base::FillRandom(serial.data(), serial.size());
  std::copy(head->begin(), head->end(), serial.begin());
  const NumberPtr number(BN_bin2bn(reinterpret_cast<const unsigned char*>(serial.data()),
                                   static_cast<int>(serial.size()), nullptr));
  return number != nullptr &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool SetSubject(X509* certificate, const std::string& common_name) {
  const std::string name = common_name.substr(0, kCommonNameBytesMax);
  return X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                    MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(name.data()),
                                    static_cast<int>(name.size()), -1, 0) == 1;
}

bool SetTimes(X509* certificate, int64_t not_before, int64_t not_after) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate), not_before) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), not_after) != nullptr;
}

// `value` in OpenSSL's own words, and never a stranger's.
bool AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_nconf_nid(nullptr, &context, nid, value);
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

bool AddName(GENERAL_NAMES* names, int type, std::string_view bytes) {
  ASN1_STRING* text = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
  GENERAL_NAME* name = GENERAL_NAME_new();
  if (text == nullptr || name == nullptr ||
      ASN1_STRING_set(text, bytes.data(), static_cast<int>(bytes.size())) != 1) {
    ASN1_STRING_free(text);
    GENERAL_NAME_free(name);
    return false;
  }
  GENERAL_NAME_set0_value(name, type, text);
  if (sk_GENERAL_NAME_push(names, name) > 0) return true;
  GENERAL_NAME_free(name);
  return false;
}

bool AddAddress(GENERAL_NAMES* names, const std::string& address) {
  std::array<char, 16> bytes;
  if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) {
    return AddName(names, GEN_IPADD, {bytes.data(), 4});
  }
  return inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1 &&
         AddName(names, GEN_IPADD, {bytes.data(), 16});
}

bool AddNames(X509* certificate, const CertificateRequest& request) {
  const NamesPtr names(GENERAL_NAMES_new());
  if (names == nullptr) return false;
  bool added = true;
  for (const std::string& name : request.dns_names) added &= AddName(names.get(), GEN_DNS, name);
  for (const std::string& uri : request.uris) added &= AddName(names.get(), GEN_URI, uri);
  for (const std::string& address : request.ip_addresses) added &= AddAddress(names.get(), address);
  if (!added || sk_GENERAL_NAME_num(names.get()) == 0) return added;
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) ==
         1;
}

absl::StatusOr<X509Ptr> MakeCaCertificate(EVP_PKEY* key, int64_t now_unix) {
  X509Ptr certificate(X509_new());
  X509* const x509 = certificate.get();
  const int64_t until =
      now_unix +
      std::chrono::duration_cast<std::chrono::seconds>(CertificateAuthority::kLifetime).count();
  // A name of its own, so that two controllers' CAs are never taken for each other.
  const std::string name =
      fmt::format("Sluice CA {}", base::HexEncode(FingerprintOfKey(key)).substr(0, 12));
  if (x509 == nullptr || X509_set_version(x509, 2) != 1 || !SetSerial(x509, "01") ||
      !SetSubject(x509, name) || X509_set_issuer_name(x509, X509_get_subject_name(x509)) != 1 ||
      !SetTimes(x509, now_unix - kSkewMax.count(), until) || X509_set_pubkey(x509, key) != 1 ||
      !AddExtension(x509, x509, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !AddExtension(x509, x509, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !AddExtension(x509, x509, NID_subject_key_identifier, "hash") ||
      X509_sign(x509, key, EVP_sha256()) == 0) {
    return OpenSslError("making the CA");
  }
  return certificate;
}

absl::StatusOr<KeyPtr> OpenKey(const std::string& path, const Sealer& sealer) {
  ASSIGN_OR_RETURN(const std::string sealed, base::ReadFile(path, kPemBytesMax));
  const auto pem = sealer.Open(sealed, kPurpose);
  if (!pem.ok()) {
    return absl::Status(pem.status().code(),
                        fmt::format("{}: {}", path, std::string(pem.status().message())));
  }
  return ParseKey(*pem);
}

absl::StatusOr<KeyPtr> OpenOrMakeKey(const std::string& path, const Sealer& sealer) {
  auto found = OpenKey(path, sealer);
  if (!absl::IsNotFound(found.status())) return found;
  ASSIGN_OR_RETURN(KeyPtr key, MakeKey());
  ASSIGN_OR_RETURN(const std::string pem, PemOf(key.get()));
  RETURN_IF_ERROR(base::WriteFileAtomically(path, sealer.Seal(pem, kPurpose), 0600));
  return key;
}

}  // namespace

absl::Status PreparePrivateFolder(const std::string& directory) {
  RETURN_IF_ERROR(base::MakeDirectory(directory, 0700));
  if (chmod(directory.c_str(), 0700) != 0) return base::ErrnoStatus(errno, "chmod " + directory);
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with('.') && name.ends_with(".tmp")) unlink(it->path().c_str());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<CertificateAuthority>> CertificateAuthority::Open(
    const std::string& directory, const Sealer& sealer, int64_t now_unix) {
  const std::string certificate_path = directory + "/ca.crt", key_path = directory + "/ca.key";
  std::unique_ptr<CertificateAuthority> authority(new CertificateAuthority());
  auto pem = base::ReadFile(certificate_path, kPemBytesMax);
  if (absl::IsNotFound(pem.status())) {
    ASSIGN_OR_RETURN(authority->key_, OpenOrMakeKey(key_path, sealer));
    ASSIGN_OR_RETURN(authority->certificate_, MakeCaCertificate(authority->key_.get(), now_unix));
    ASSIGN_OR_RETURN(pem, PemOf(authority->certificate_.get()));
    RETURN_IF_ERROR(base::WriteFileAtomically(certificate_path, *pem, 0600));
    base::LogInfo("made a CA in {}", directory);
  } else {
    RETURN_IF_ERROR(pem.status());
    ASSIGN_OR_RETURN(authority->certificate_, ParseCertificate(*pem));
    auto key = OpenKey(key_path, sealer);
    if (absl::IsNotFound(key.status())) {
      return absl::FailedPreconditionError(fmt::format(
          "{} is there and {} is not: restore it from a copy, or remove both to begin anew (then "
          "every proxy and operator needs a new token)",
          certificate_path, key_path));
    }
    RETURN_IF_ERROR(key.status());
    authority->key_ = *std::move(key);
    if (X509_check_private_key(authority->certificate_.get(), authority->key_.get()) != 1) {
      ERR_clear_error();
      return absl::FailedPreconditionError(
          fmt::format("{} and {} do not belong together: restore both from one copy",
                      certificate_path, key_path));
    }
  }
  authority->certificate_pem_ = *std::move(pem);
  authority->fingerprint_ = Fingerprint(authority->certificate_.get());
  return authority;
}

absl::StatusOr<std::string> CertificateAuthority::Issue(EVP_PKEY* key,
                                                        const CertificateRequest& request,
                                                        int64_t now_unix) const {
  X509Ptr certificate(X509_new());
  X509* const x509 = certificate.get();
  X509* const issuer = certificate_.get();
  const auto skew = std::min(kSkewMax, request.lifetime / 10);
  // Nothing outlives what certifies it.
  const int64_t until = std::min(now_unix + request.lifetime.count(), NotAfter(issuer));
  const bool server = request.use == CertificateRequest::Use::kServer;
  if (x509 == nullptr || X509_set_version(x509, 2) != 1 ||
      !SetSerial(x509, request.serial_prefix) || !SetSubject(x509, request.common_name) ||
      X509_set_issuer_name(x509, X509_get_subject_name(issuer)) != 1 ||
      !SetTimes(x509, now_unix - skew.count(), until) || X509_set_pubkey(x509, key) != 1 ||
      !AddExtension(x509, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
      !AddExtension(x509, issuer, NID_key_usage, "critical,digitalSignature") ||
      !AddExtension(x509, issuer, NID_ext_key_usage, server ? "serverAuth" : "clientAuth") ||
      !AddExtension(x509, issuer, NID_subject_key_identifier, "hash") ||
      !AddExtension(x509, issuer, NID_authority_key_identifier, "keyid") ||
      !AddNames(x509, request) || X509_sign(x509, key_.get(), EVP_sha256()) == 0) {
    return OpenSslError("issuing a certificate");
  }
  return PemOf(x509);
}

}  // namespace sluice::trust
