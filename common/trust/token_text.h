// Tokens as people carry them: sluice-join-1.ID.SECRET.CA and sluice-operator-1.ID.SECRET.
//
// ID tells which token it is and is no secret. CA is the SHA-256 of the controller's CA
// certificate: whoever joins trusts no other controller.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::trust {

inline constexpr size_t kTokenBytesMax = 512;

struct TokenText {
  enum class Kind { kJoin, kOperator };
  Kind kind = Kind::kJoin;
  std::string id;              // 12 hexadecimal digits.
  std::string secret;          // 64 hexadecimal digits, from 32 random bytes.
  std::string ca_fingerprint;  // 32 raw bytes; of a join token only.
};

// With an id and a secret of its own.
TokenText MakeToken(TokenText::Kind kind, const std::string& ca_fingerprint);

std::string FormatToken(const TokenText& token);
// White space around it is fine, as files end with a line end.
absl::StatusOr<TokenText> ParseToken(std::string_view text);

// What is kept of a secret; 32 raw bytes. The secret is random, so no salt is needed.
std::string HashOfSecret(std::string_view secret);
// In a time that does not tell where they differ.
bool SameHash(std::string_view a, std::string_view b);

}  // namespace sluice::trust
