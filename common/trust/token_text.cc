#include "common/trust/token_text.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <array>
#include <vector>

#include "common/base/hash.h"
#include "common/base/random.h"

namespace sluice::trust {
namespace {

constexpr std::string_view kJoin = "sluice-join-1";
constexpr std::string_view kOperator = "sluice-operator-1";
constexpr size_t kIdBytes = 6, kSecretBytes = 32, kFingerprintBytes = 32;

template <size_t kCount>
std::string RandomHex() {
  std::array<char, kCount> bytes;
  base::FillRandom(bytes.data(), bytes.size());
  return base::HexEncode({bytes.data(), bytes.size()});
}

bool IsHexOf(std::string_view text, size_t bytes) {
  return text.size() == 2 * bytes && base::HexDecode(text).has_value();
}

}  // namespace

TokenText MakeToken(TokenText::Kind kind, const std::string& ca_fingerprint) {
  return {.kind = kind,
          .id = RandomHex<kIdBytes>(),
          .secret = RandomHex<kSecretBytes>(),
          .ca_fingerprint = kind == TokenText::Kind::kJoin ? ca_fingerprint : ""};
}

std::string FormatToken(const TokenText& token) {
  if (token.kind == TokenText::Kind::kOperator) {
    return fmt::format("{}.{}.{}", kOperator, token.id, token.secret);
  }
  return fmt::format("{}.{}.{}.{}", kJoin, token.id, token.secret,
                     base::HexEncode(token.ca_fingerprint));
}

absl::StatusOr<TokenText> ParseToken(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  text = begin == std::string_view::npos ? "" : text.substr(begin);
  text = text.substr(0, text.find_last_not_of(kSpace) + 1);
  const absl::Status malformed = absl::InvalidArgumentError(
      "this is no token: give it whole, as `sluicectl token create` printed it");
  if (text.size() > kTokenBytesMax) return malformed;
  std::vector<std::string_view> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t dot = std::min(text.find('.', at), text.size());
    parts.push_back(text.substr(at, dot - at));
    at = dot + 1;
  }
  if (parts.size() < 3 || !IsHexOf(parts[1], kIdBytes) || !IsHexOf(parts[2], kSecretBytes)) {
    return malformed;
  }
  TokenText token{.id = std::string(parts[1]), .secret = std::string(parts[2])};
  if (parts[0] == kOperator && parts.size() == 3) {
    token.kind = TokenText::Kind::kOperator;
    return token;
  }
  if (parts[0] != kJoin || parts.size() != 4 || !IsHexOf(parts[3], kFingerprintBytes)) {
    return malformed;
  }
  token.ca_fingerprint = *base::HexDecode(parts[3]);
  return token;
}

std::string HashOfSecret(std::string_view secret) { return base::Sha256(secret); }

bool SameHash(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace sluice::trust
