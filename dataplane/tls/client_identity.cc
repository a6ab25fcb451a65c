#include "dataplane/tls/client_identity.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <string_view>

#include "common/base/hash.h"
#include "common/base/openssl_ptr.h"

namespace sluice::tls {
namespace {

using base::BioPtr;
using base::NamesPtr;

// Whatever is not printable ASCII is escaped.
std::string SubjectOf(const X509* certificate) {
  const BioPtr writer(BIO_new(BIO_s_mem()));
  if (writer == nullptr) return {};
  X509_NAME_print_ex(writer.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(writer.get(), &text);  // NOLINT: OpenSSL's type.
  return {text, static_cast<size_t>(bytes)};
}

std::string DigestOf(const X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int bytes = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &bytes) != 1) return {};
  return base::HexEncode({reinterpret_cast<const char*>(digest), bytes});
}

bool IsPrintable(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

class ForwardedWriter {
 public:
  explicit ForwardedWriter(std::string* out) : out_(out) {}

  void Add(std::string_view key, std::string_view value, bool always_quoted = false) {
    std::string pair(out_->empty() ? "" : ";");
    pair.append(key).push_back('=');
    if (always_quoted || value.find_first_of(" ,;=\"\\") != std::string_view::npos) {
      pair.push_back('"');
      for (const char c : value) {
        if (c == '"' || c == '\\') pair.push_back('\\');
        pair.push_back(c);
      }
      pair.push_back('"');
    } else {
      pair.append(value);
    }
    if (out_->size() + pair.size() <= ClientIdentity::kForwardedBytesMax) *out_ += pair;
  }

  // The alternative names of one type. A name with bytes that have no place in a field is nobody's.
  void AddNames(std::string_view key, const X509* certificate, int type) {
    const NamesPtr names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
      const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
      if (name->type != type) continue;
      const ASN1_STRING* text = name->d.ia5;  // Of DNS names and URIs alike.
      const std::string_view value(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                   static_cast<size_t>(ASN1_STRING_length(text)));
      if (IsPrintable(value)) Add(key, value);
    }
  }

 private:
  std::string* const out_;
};

}  // namespace

std::unique_ptr<const ClientIdentity> IdentifyClient(const SSL* ssl) {
  const X509* certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr || SSL_get_verify_result(ssl) != X509_V_OK) return nullptr;
  auto identity = std::make_unique<ClientIdentity>();
  identity->subject = SubjectOf(certificate);
  ForwardedWriter writer(&identity->forwarded);
  if (const X509* own = SSL_get_certificate(ssl)) writer.AddNames("By", own, GEN_URI);
  writer.Add("Hash", DigestOf(certificate));
  writer.Add("Subject", identity->subject, /*always_quoted=*/true);
  writer.AddNames("URI", certificate, GEN_URI);
  writer.AddNames("DNS", certificate, GEN_DNS);
  ERR_clear_error();
  return identity;
}

}  // namespace sluice::tls
