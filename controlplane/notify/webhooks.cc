#include "controlplane/notify/webhooks.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/config/words.h"
#include "controlplane/yaml/block_reader.h"
#include "controlplane/yaml/checks.h"
#include "controlplane/yaml/node.h"
#include "controlplane/yaml/reference.h"

namespace sluice::notify {
namespace {

using yaml::Found;
using yaml::Key;
using yaml::KeyKind;
using yaml::Path;
using yaml::YamlNode;

constexpr size_t kFileBytesMax = size_t{1} << 20;
constexpr size_t kSecretBytesMax = 4096;
constexpr int64_t kAttemptsDefault = 6;
constexpr std::chrono::milliseconds kTimeoutDefault{10'000};

constexpr yaml::Choice kKinds[] = {{"version", static_cast<int>(EventKind::kVersion)},
                                   {"rollout", static_cast<int>(EventKind::kRollout)},
                                   {"node", static_cast<int>(EventKind::kNode)}};

constexpr Key kKeys[] = {
    {.name = "url",
     .doc = "Where each event is POSTed, as one JSON object. Redirects are not followed.",
     .example = "'https://hooks.example.com/sluice'",
     .required = true,
     .check = yaml::CheckUrl},
    {.name = "name",
     .doc = "What logs and metrics call it.",
     .example = "'pager'",
     .without = "the URL's host and port",
     .check = config::NameProblem},
    {.name = "events",
     .kind = KeyKind::kTexts,
     .doc = "Which events: `version`, `rollout`, `node`.",
     .example = "[version, node]",
     .without = "all",
     .choices = kKinds},
    {.name = "secret_file",
     .doc = "A file with the secret that events are signed with, 16 bytes at least; white space at "
            "its end does not count. A relative path is meant from this file's folder.",
     .example = "'/etc/sluice/hook.secret'",
     .required = true,
     .check = yaml::CheckNotEmpty},
    {.name = "ca_file",
     .doc = "Certificates (PEM) that the receiver's must lead to.",
     .example = "'/etc/sluice/hook-ca.pem'",
     .without = "the system's roots",
     .check = yaml::CheckNotEmpty},
    {.name = "timeout",
     .kind = KeyKind::kDuration,
     .doc = "How long the receiver may take to answer an attempt.",
     .example = "5s",
     .initial = "10s",
     .min = 100,
     .max = 60'000},
    {.name = "attempts",
     .kind = KeyKind::kInteger,
     .doc = "How often an event is tried before it is given up, with a jittered pause in between "
            "that doubles from 1 s up to 30 s. Only what may pass is tried again: no connection, "
            "no answer in time, and 408, 429 and 5xx.",
     .example = "3",
     .initial = "6",
     .min = 1,
     .max = 20},
};

constexpr Key kFileKeys[] = {
    {.name = "webhooks",
     .kind = KeyKind::kBlocks,
     .doc = "Who is told.",
     .example = "[{url: 'https://hooks.example.com/sluice', secret_file: 'hook.secret'}]",
     .required = true,
     .block = &kWebhook},
};

constexpr yaml::Block kFile = {
    .title = "(file)", .doc = "The file that `--webhooks` names.", .keys = kFileKeys};

// "https://hooks.example.com:8443/x" to "hooks.example.com:8443".
std::string HostOf(std::string_view url) {
  url.remove_prefix(std::min(url.size(), url.find("://") + 3));
  url = url.substr(0, url.find_first_of("/?#"));
  const size_t user = url.rfind('@');
  return std::string(user == std::string_view::npos ? url : url.substr(user + 1));
}

class Reader {
 public:
  Reader(const std::string& path, yaml::Problems* problems)
      : folder_(std::filesystem::path(path).parent_path()),
        problems_(problems),
        blocks_(problems) {}

  std::vector<Webhook> Read(YamlNode root) {
    const Path top;
    const Found file = blocks_.Read(kFile, root, top, nullptr, nullptr, "");
    if (!file.has("webhooks")) return {};
    const Path path(top, "webhooks");
    const YamlNode list = file.value("webhooks");
    if (!blocks_.ExpectList(list, path, kWebhooksMax)) return {};
    std::vector<Webhook> webhooks;
    size_t index = 0;
    for (YamlNode item = list.first(); item; item = item.next_in(list), ++index) {
      ReadOne(item, Path(path, index), &webhooks);
    }
    return webhooks;
  }

 private:
  void ReadOne(YamlNode node, const Path& path, std::vector<Webhook>* webhooks) {
    const Found found = blocks_.Read(kWebhook, node, path, nullptr, nullptr, "");
    if (!found.valid()) return;
    Webhook webhook;
    webhook.url = found.text("url");
    webhook.name = found.has("name") ? std::string(found.text("name")) : HostOf(webhook.url);
    for (const Webhook& other : *webhooks) {
      if (other.name != webhook.name) continue;
      problems_->Error(found.value(found.has("name") ? "name" : "url").place(), path.ToString(),
                       fmt::format("another webhook is called '{}': give each a 'name' of its own",
                                   webhook.name));
    }
    webhook.attempts = static_cast<int>(found.integer("attempts", kAttemptsDefault));
    webhook.timeout = found.has("timeout")
                          ? std::chrono::milliseconds(yaml::ParseDuration(found.text("timeout")))
                          : kTimeoutDefault;
    webhook.events = EventsOf(found.value("events"));
    webhook.secret = SecretOf(found.value("secret_file"), Path(path, "secret_file"));
    if (found.has("ca_file")) {
      const Path ca_path(path, "ca_file");
      webhook.ca_file = Resolve(found.text("ca_file"));
      const auto bytes = base::ReadFile(webhook.ca_file, kFileBytesMax);
      if (!bytes.ok()) Refuse(found.value("ca_file"), ca_path, bytes.status().message());
    }
    webhooks->push_back(std::move(webhook));
  }

  static std::vector<EventKind> EventsOf(YamlNode list) {
    std::vector<EventKind> events;
    for (YamlNode item = list ? list.first() : YamlNode(); item; item = item.next_in(list)) {
      for (const yaml::Choice& kind : kKinds) {
        if (item.text() == kind.word) events.push_back(static_cast<EventKind>(kind.number));
      }
    }
    if (events.empty()) events = {EventKind::kVersion, EventKind::kRollout, EventKind::kNode};
    return events;
  }

  std::string SecretOf(YamlNode node, const Path& path) {
    auto secret = base::ReadFile(Resolve(node.text()), kSecretBytesMax);
    if (!secret.ok()) {
      Refuse(node, path, secret.status().message());
      return "";
    }
    secret->resize(secret->find_last_not_of(" \t\r\n") + 1);
    if (secret->size() < kSecretBytesMin) {
      Refuse(node, path,
             fmt::format("the secret has {} bytes; {} at least are needed, such as "
                         "`openssl rand -hex 32` makes them",
                         secret->size(), kSecretBytesMin));
    }
    return *std::move(secret);
  }

  void Refuse(YamlNode node, const Path& path, absl::string_view why) {
    problems_->Error(node.place(), path.ToString(), {why.data(), why.size()});
  }

  std::string Resolve(std::string_view file) const { return (folder_ / file).string(); }

  const std::filesystem::path folder_;
  yaml::Problems* const problems_;
  yaml::BlockReader blocks_;
};

}  // namespace

const constinit yaml::Block kWebhook = {
    .title = "webhooks[]", .doc = "One receiver of events.", .keys = kKeys};

absl::StatusOr<std::vector<Webhook>> ReadWebhooks(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string content, base::ReadFile(path, kFileBytesMax));
  yaml::Problems problems({path});
  yaml::PreparedText text;
  std::unique_ptr<const yaml::Tree> tree;
  if (yaml::PrepareText(content, 0, &text, &problems)) {
    tree = yaml::Tree::Parse(text, 0, &problems);
  }
  std::vector<Webhook> webhooks;
  if (tree != nullptr && tree->root() && tree->root().kind() != yaml::NodeKind::kNull) {
    webhooks = Reader(path, &problems).Read(tree->root());
  } else if (!problems.has_errors()) {
    problems.Error({0, 1, 1}, "", "the file is empty: it needs the key 'webhooks'");
  }
  if (!problems.has_errors()) return webhooks;
  std::string all;
  for (const v1::Problem& problem : problems.Sorted()) {
    const bool error = problem.severity() == v1::Problem::ERROR;
    all += fmt::format("{}{}:{}:{}: {}: {}{}{}", all.empty() ? "" : "\n", problem.file(),
                       problem.line(), problem.column(), error ? "error" : "warning",
                       problem.path(), problem.path().empty() ? "" : ": ", problem.message());
  }
  return absl::InvalidArgumentError(all);
}

std::string WebhooksReference() {
  std::string text = R"(# Webhooks

`sluice-controller --webhooks FILE` tells others of what happens in the fleet. The file is YAML, read at start; what
is wrong with it is told with file, line and column, and the controller does not start.
)";
  text += yaml::BlockReference(kFile) + yaml::BlockReference(kWebhook);
  text += R"(
## What is sent

Each event is one POST with a JSON object. `version`, `node`, `author` and `message` are there where they mean something.

    {"id": "0f3c…", "event": "version", "action": "released", "time": "2026-11-28T17:20:39.120Z",
     "version": {"epoch": 1764350000000, "revision": 42, "root": "3fa2…"},
     "author": "ann@desk", "message": "version 42 is released"}

| event | actions |
| --- | --- |
| `version` | `released` (in waves: when the last is through), `refused` (a node or a guard refused it; nothing changed), `invalid` (the document has errors) |
| `rollout` | `wave` (the next nodes get the version), `paused` (it waits for an operator), `completed`, `taken_back` (it failed, was aborted or superseded; the message says why) |
| `node` | `connected`, `disconnected`, `unreachable` (it is connected, but silent), `rejected` (it refuses what is released), `recovered` (from either) |

| header | holds |
| --- | --- |
| `Sluice-Event` | the event's kind |
| `Sluice-Delivery` | the event's `id`: the same in every attempt, so that a receiver can tell a repetition |
| `Sluice-Signature` | `t=UNIX,v1=HEX`: HMAC-SHA256 with the secret over `UNIX.BODY`, in hexadecimal |

A receiver computes the signature over the bytes it got, compares it in constant time, and refuses a `t` that is
minutes away from its own clock. Any 2xx says that the event has arrived.

    expected = hmac.new(secret, f"{t}.".encode() + body, hashlib.sha256).hexdigest()
    ok = hmac.compare_digest(expected, v1) and abs(time.time() - int(t)) < 300

## What can be relied on

The controller never waits for a receiver. Events go out one at a time for each webhook, in the order they happened;
256 wait at most, then the oldest is dropped. What was given up or dropped is counted
(`sluice_controller_webhook_failed_total`, `sluice_controller_webhook_dropped_total`) and logged. Nothing is kept over
a restart: who must know the state of the fleet asks for it (`sluicectl status -o json`).
)";
  return text;
}

}  // namespace sluice::notify
