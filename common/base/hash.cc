#include "common/base/hash.h"

#include <openssl/evp.h>

#include <bit>
#include <cstring>

#include "common/base/check.h"

namespace sluice::base {
namespace {

__extension__ using Wide = unsigned __int128;

// Odd words with about as many ones as zeros.
constexpr uint64_t kMultiplierA = 0xa0761d6478bd642fu;
constexpr uint64_t kMultiplierB = 0xe7037ed1a0b428dbu;
constexpr uint64_t kMultiplierC = 0x8ebc6af09c88c6e3u;

// Every bit of the 128-bit product depends on bits of both words; folding keeps that.
uint64_t Fold(uint64_t a, uint64_t b) {
  const Wide product = Wide{a} * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

template <typename Word>
uint64_t LoadLittleEndian(const char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  if constexpr (std::endian::native == std::endian::big) {
    word = sizeof word == 8 ? __builtin_bswap64(word) : __builtin_bswap32(word);
  }
  return word;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

uint64_t Hash64(std::string_view bytes, uint64_t seed) {
  const char* next = bytes.data();
  size_t left = bytes.size();
  uint64_t hash = Fold(seed ^ kMultiplierA, kMultiplierB);
  for (; left > 16; next += 16, left -= 16) {
    hash = Fold(LoadLittleEndian<uint64_t>(next) ^ kMultiplierA,
                LoadLittleEndian<uint64_t>(next + 8) ^ hash);
  }
  // The last 1 to 16 bytes as two words, which overlap when they are few.
  uint64_t first = 0;
  uint64_t last = 0;
  if (left >= 8) {
    first = LoadLittleEndian<uint64_t>(next);
    last = LoadLittleEndian<uint64_t>(next + left - 8);
  } else if (left >= 4) {
    first = LoadLittleEndian<uint32_t>(next);
    last = LoadLittleEndian<uint32_t>(next + left - 4);
  } else if (left > 0) {
    const auto byte = [next](size_t i) { return uint64_t{static_cast<uint8_t>(next[i])}; };
    first = byte(0) << 16 | byte(left / 2) << 8 | byte(left - 1);
  }
  hash = Fold(first ^ kMultiplierB, last ^ hash);
  return Fold(hash ^ kMultiplierC, bytes.size() ^ kMultiplierA);
}

std::string Sha256(std::string_view bytes) {
  std::string digest(32, '\0');
  unsigned int digest_bytes = 0;
  const int done =
      EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                 &digest_bytes, EVP_sha256(), nullptr);
  SLUICE_CHECK(done == 1 && digest_bytes == digest.size());
  return digest;
}

Sha256Hasher::Sha256Hasher() : context_(EVP_MD_CTX_new()) {
  SLUICE_CHECK(context_ != nullptr && EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) == 1);
}

Sha256Hasher::~Sha256Hasher() { EVP_MD_CTX_free(context_); }

void Sha256Hasher::Update(std::string_view bytes) {
  SLUICE_CHECK(EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1);
}

std::string Sha256Hasher::Finish() {
  std::string digest(32, '\0');
  auto* out = reinterpret_cast<unsigned char*>(digest.data());
  SLUICE_CHECK(EVP_DigestFinal_ex(context_, out, nullptr) == 1);
  return digest;
}

std::string HexEncode(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    hex += kDigits[static_cast<uint8_t>(c) >> 4];
    hex += kDigits[static_cast<uint8_t>(c) & 0xF];
  }
  return hex;
}

std::optional<std::string> HexDecode(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = HexValue(hex[i]);
    const int low = HexValue(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

}  // namespace sluice::base
