#include "common/trust/seal.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <memory>

#include "common/base/check.h"
#include "common/base/free_with.h"
#include "common/base/hash.h"
#include "common/base/random.h"
#include "common/trust/pem.h"

namespace sluice::trust {
namespace {

// The magic, the key's name, a nonce, what is sealed, a tag. Magic, name and purpose are
// authenticated too. Nonces are random: 96 bits are enough for 2^32 seals under one key.
constexpr std::string_view kMagic = "sluice sealed 1\n";
constexpr size_t kNameBytes = 16, kNonceBytes = 12, kTagBytes = 16;
constexpr size_t kHeaderBytes = kMagic.size() + kNameBytes + kNonceBytes;

using CipherPtr = std::unique_ptr<EVP_CIPHER_CTX, base::FreeWith<EVP_CIPHER_CTX_free>>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string Associated(std::string_view sealed, std::string_view purpose) {
  return fmt::format("{}{}", sealed.substr(0, kHeaderBytes - kNonceBytes), purpose);
}

}  // namespace

Sealer::Sealer(std::string_view key) : key_(key) {
  SLUICE_CHECK(key_.size() == kKeyBytes);
  name_ = base::HexEncode(base::Sha256("sluice seal key name:" + key_)).substr(0, kNameBytes);
}

bool Sealer::IsSealed(std::string_view bytes) { return bytes.starts_with(kMagic); }

std::string Sealer::KeyNameOf(std::string_view sealed) {
  if (!IsSealed(sealed) || sealed.size() < kHeaderBytes) return "";
  const std::string_view name = sealed.substr(kMagic.size(), kNameBytes);
  return base::HexDecode(name).has_value() ? std::string(name) : "?";
}

std::string Sealer::Seal(std::string_view plain, std::string_view purpose) const {
  std::array<char, kNonceBytes> nonce;
  base::FillRandom(nonce.data(), nonce.size());
  std::string sealed;
  sealed.reserve(kHeaderBytes + plain.size() + kTagBytes);
  sealed.append(kMagic).append(name_).append(nonce.data(), nonce.size());
  const std::string associated = Associated(sealed, purpose);
  sealed.resize(kHeaderBytes + plain.size() + kTagBytes);
  auto* out = reinterpret_cast<unsigned char*>(sealed.data()) + kHeaderBytes;
  const CipherPtr cipher(EVP_CIPHER_CTX_new());
  int bytes = 0;
  const bool done =
      cipher != nullptr &&
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, Bytes(key_),
                         Bytes({nonce.data(), nonce.size()})) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &bytes, Bytes(associated),
                        static_cast<int>(associated.size())) == 1 &&
      EVP_EncryptUpdate(cipher.get(), out, &bytes, Bytes(plain), static_cast<int>(plain.size())) ==
          1 &&
      EVP_EncryptFinal_ex(cipher.get(), out + plain.size(), &bytes) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, out + plain.size()) == 1;
  SLUICE_CHECK(done);  // Only memory could be missing.
  return sealed;
}

absl::StatusOr<std::string> Sealer::Open(std::string_view sealed, std::string_view purpose) const {
  if (!IsSealed(sealed) || sealed.size() < kHeaderBytes + kTagBytes) {
    return absl::DataLossError("it is not sealed, or was cut short");
  }
  if (const std::string name = KeyNameOf(sealed); name != name_) {
    return absl::FailedPreconditionError(
        fmt::format("it was sealed with key {}, and the one given is {}: give the right one "
                    "(--seal-key-file, --seal-key-command or the environment)",
                    name, name_));
  }
  const std::string_view nonce = sealed.substr(kMagic.size() + kNameBytes, kNonceBytes);
  const std::string_view body =
      sealed.substr(kHeaderBytes, sealed.size() - kHeaderBytes - kTagBytes);
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  const std::string associated = Associated(sealed, purpose);
  std::string plain(body.size(), '\0');
  auto* out = reinterpret_cast<unsigned char*>(plain.data());
  const CipherPtr cipher(EVP_CIPHER_CTX_new());
  int bytes = 0;
  const bool opened =
      cipher != nullptr &&
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, Bytes(key_), Bytes(nonce)) ==
          1 &&
      EVP_DecryptUpdate(cipher.get(), nullptr, &bytes, Bytes(associated),
                        static_cast<int>(associated.size())) == 1 &&
      EVP_DecryptUpdate(cipher.get(), out, &bytes, Bytes(body), static_cast<int>(body.size())) ==
          1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), out + body.size(), &bytes) == 1;
  if (!opened) return absl::DataLossError("what is sealed has been changed");
  return plain;
}

}  // namespace sluice::trust
