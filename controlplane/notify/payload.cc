#include "controlplane/notify/payload.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <time.h>

#include <nlohmann/json.hpp>

#include "common/base/hash.h"
#include "common/base/random.h"

namespace sluice::notify {
namespace {

std::string Rfc3339(int64_t unix_ms) {
  const time_t seconds = unix_ms / 1000;
  tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     unix_ms % 1000);
}

}  // namespace

std::string_view NameOf(EventKind kind) {
  switch (kind) {
    case EventKind::kVersion:
      return "version";
    case EventKind::kRollout:
      return "rollout";
    case EventKind::kNode:
      return "node";
  }
  __builtin_unreachable();
}

std::string BodyOf(const Event& event, std::string_view delivery_id) {
  nlohmann::ordered_json body;
  body["id"] = delivery_id;
  body["event"] = NameOf(event.kind);
  body["action"] = event.action;
  body["time"] = Rfc3339(event.unix_ms);
  if (!event.node_id.empty()) body["node"] = event.node_id;
  if (!event.version.root().empty()) {
    body["version"] = {{"epoch", event.version.epoch()},
                       {"revision", event.version.revision()},
                       {"root", base::HexEncode(event.version.root())}};
  }
  if (!event.author.empty()) body["author"] = event.author;
  if (!event.message.empty()) body["message"] = event.message;
  // Messages may quote what strangers wrote.
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string NewDeliveryId() {
  char bytes[16];
  base::FillRandom(bytes, sizeof bytes);
  return base::HexEncode({bytes, sizeof bytes});
}

std::string Sign(std::string_view secret, int64_t unix_seconds, std::string_view body) {
  const std::string text = fmt::format("{}.{}", unix_seconds, body);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int bytes = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &bytes);
  return fmt::format("t={},v1={}", unix_seconds,
                     base::HexEncode({reinterpret_cast<const char*>(digest), bytes}));
}

}  // namespace sluice::notify
