// The file that says who is told of what: read once, at start.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controlplane/notify/event.h"
#include "controlplane/yaml/key_table.h"

namespace sluice::notify {

inline constexpr size_t kWebhooksMax = 16;
inline constexpr size_t kSecretBytesMin = 16;

struct Webhook {
  std::string name;
  std::string url;                // http or https.
  std::vector<EventKind> events;  // Never empty.
  std::string secret;
  std::string ca_file;  // Empty: the system's roots.
  std::chrono::milliseconds timeout{10'000};
  int attempts = 6;
};

// The keys of a webhook, as the reader and the reference know them.
extern const yaml::Block kWebhook;

// Secrets are read, too. On problems kInvalidArgument, all of them, each as
// "file:line:column: error: path: message" on a line of its own.
absl::StatusOr<std::vector<Webhook>> ReadWebhooks(const std::string& path);

// docs/reference/webhooks.md.
std::string WebhooksReference();

}  // namespace sluice::notify
