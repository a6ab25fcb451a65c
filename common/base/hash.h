// Hashes that are the same on every machine and in every release, and hexadecimal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX.

namespace sluice::base {

// Well mixed, not for secrets: who knows the seed can make collisions. The result is part of how
// requests map to endpoints, so it must never change. Hot path: no allocation.
uint64_t Hash64(std::string_view bytes, uint64_t seed);

// One more word into a hash; for tables and for hashing pieces in turn.
inline uint64_t MixHash(uint64_t hash, uint64_t word) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{hash ^ 0x9e3779b97f4a7c15u ^ word} * (word ^ 0xd6e8feb86659fd93u);
  const uint64_t folded = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  return folded ^ (hash * 0xff51afd7ed558ccdu);
}

// 32 raw bytes.
std::string Sha256(std::string_view bytes);

// SHA-256 of pieces in turn, without joining them.
class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  Sha256Hasher(const Sha256Hasher&) = delete;
  Sha256Hasher& operator=(const Sha256Hasher&) = delete;

  void Update(std::string_view bytes);
  // 32 raw bytes. Once only.
  std::string Finish();

 private:
  evp_md_ctx_st* context_;
};

// Lower case.
std::string HexEncode(std::string_view bytes);
// Either case; nothing for an odd length or any other character.
std::optional<std::string> HexDecode(std::string_view hex);

}  // namespace sluice::base
