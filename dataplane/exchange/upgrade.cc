#include "dataplane/exchange/upgrade.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "dataplane/http/char_class.h"

namespace sluice::exchange {

using http::Failure;
using http::FieldId;

namespace {

constexpr std::string_view kWebSocket = "websocket";
constexpr std::string_view kKeyName = "sec-websocket-key";
constexpr std::string_view kAcceptName = "sec-websocket-accept";

// The value of the only field of this name; empty if there is none, or several.
std::string_view OnlyValue(const std::vector<http::Field>& fields, std::string_view name) {
  std::string_view value;
  size_t count = 0;
  for (const http::Field& field : fields) {
    if (!http::EqualsLower(field.name, name)) continue;
    value = field.value;
    ++count;
  }
  return count == 1 ? value : std::string_view();
}

std::string_view OnlyValue(const std::vector<http::Field>& fields, FieldId id) {
  std::string_view value;
  size_t count = 0;
  for (const http::Field& field : fields) {
    if (field.id != id) continue;
    value = field.value;
    ++count;
  }
  return count == 1 ? value : std::string_view();
}

bool IsAllowed(std::string_view protocol, std::span<const std::string> allowed) {
  return std::any_of(allowed.begin(), allowed.end(), [protocol](const std::string& one) {
    return http::EqualsLower(protocol, one);
  });
}

// Sixteen bytes in base64.
bool IsWebSocketKey(std::string_view key) {
  if (key.size() != kWebSocketKeyChars || !key.ends_with("==")) return false;
  return std::all_of(key.begin(), key.end() - 2, [](char c) {
    return http::IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '/';
  });
}

void MakeKey(base::Random& random, char* key) {
  const uint64_t bytes[2] = {random.Next(), random.Next()};
  unsigned char text[kWebSocketKeyChars + 1];
  EVP_EncodeBlock(text, reinterpret_cast<const unsigned char*>(bytes), sizeof bytes);
  std::memcpy(key, text, kWebSocketKeyChars);
}

}  // namespace

Failure ReadUpgrade(const IncomingRequest& request, std::span<const std::string> allowed,
                    base::Random& random, Upgrade* upgrade) {
  const http::RequestHead& head = *request.head;
  if (!request.connect_protocol.empty()) {
    if (!IsAllowed(request.connect_protocol, allowed)) return Failure::kUpgradeRefused;
    upgrade->protocol = request.connect_protocol;
    upgrade->by_connect = true;
    if (http::EqualsLower(upgrade->protocol, kWebSocket)) {
      MakeKey(random, upgrade->key_made);
      upgrade->key = {upgrade->key_made, kWebSocketKeyChars};
    }
    return Failure::kNone;
  }
  if (!head.has_upgrade) return Failure::kNone;
  const std::string_view protocol = OnlyValue(head.fields, FieldId::kUpgrade);
  if (!IsAllowed(protocol, allowed)) return Failure::kNone;
  const bool has_body = head.framing != http::Framing::kNone;
  if (http::EqualsLower(protocol, kWebSocket)) {
    const std::string_view key = OnlyValue(head.fields, kKeyName);
    if (head.method != http::Method::kGet || has_body || !IsWebSocketKey(key)) {
      return Failure::kBadRequest;
    }
    upgrade->key = key;
  } else if (has_body) {
    // Where the body ends and the other protocol begins, some upstream would see differently.
    return Failure::kNone;
  }
  upgrade->protocol = protocol;
  return Failure::kNone;
}

bool AcceptsUpgrade(const Upgrade& upgrade, const http::ResponseHead& response) {
  if (!upgrade ||
      !http::EqualsIgnoreCase(OnlyValue(response.fields, FieldId::kUpgrade), upgrade.protocol)) {
    return false;
  }
  return !upgrade.is_websocket() ||
         OnlyValue(response.fields, kAcceptName) == WebSocketAccept(upgrade.key);
}

bool IsWebSocketAccept(std::string_view field_name) {
  return http::EqualsLower(field_name, kAcceptName);
}

std::string WebSocketAccept(std::string_view key) {
  std::string text(key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 section 1.3.
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  unsigned char encoded[4 * (SHA_DIGEST_LENGTH + 2) / 3 + 1];
  const int count = EVP_EncodeBlock(encoded, digest, SHA_DIGEST_LENGTH);
  return {reinterpret_cast<const char*>(encoded), static_cast<size_t>(count)};
}

}  // namespace sluice::exchange
