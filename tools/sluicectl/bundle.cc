#include "tools/sluicectl/bundle.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "common/base/version.h"
#include "tools/redact/known_secrets.h"
#include "tools/redact/redact.h"
#include "tools/sluicectl/format.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/status_text.h"

namespace sluice::sluicectl {
namespace {

constexpr uint32_t kVersionsMax = 200;
constexpr uint32_t kAuditMax = 500;
constexpr size_t kFileNameBytesMax = 64;
// What a node is asked for. Not its connections: they tell of people.
constexpr const char* kDumps[] = {"config", "clusters", "listeners", "stats"};

class Collector {
 public:
  Collector(ControllerClient& client, const BundleOptions& options)
      : client_(client), options_(options) {}

  void AddText(const std::string& path, std::string_view text) {
    bundle_.files.push_back({options_.folder + "/" + path, Clean(text)});
  }
  void AddJson(const std::string& path, Json json) {
    redact::RedactJson(&json);
    secrets_.RemoveFrom(&json);
    bundle_.files.push_back({options_.folder + "/" + path, Encode(json, Format::kJson)});
  }
  void Miss(const std::string& what, const std::string& why) {
    // It may quote what it is about.
    bundle_.missing.push_back(Clean(fmt::format("{}: {}", what, why)));
  }
  void Miss(const std::string& what, const absl::Status& status) {
    Miss(what, std::string(status.message()));
  }

  // First: what it holds is secret in every other file, too.
  void FetchConfig();
  void AddController();
  void AddVersions();
  void AddRollout(const v1::FleetStatus& status);
  void AddNodes(const v1::FleetStatus& status);

  Bundle Take() { return std::move(bundle_); }

 private:
  std::string Clean(std::string_view text) const {
    return secrets_.Without(redact::RedactText(text));
  }
  std::vector<const v1::NodeStatus*> Chosen(const v1::FleetStatus& status);
  void AddNode(const v1::NodeStatus& node);

  ControllerClient& client_;
  const BundleOptions& options_;
  absl::StatusOr<v1::GetConfigResponse> config_;
  redact::KnownSecrets secrets_;
  std::set<std::string> node_folders_;
  Bundle bundle_;
};

void Collector::FetchConfig() {
  config_ = client_.GetConfig({});
  if (!config_.ok()) return;
  for (const v1::SourceFile& file : config_->files()) secrets_.Learn(file.content());
}

void Collector::AddController() {
  const auto diagnostics = client_.GetDiagnostics({});
  if (!diagnostics.ok()) {
    Miss("the controller's metrics and last errors", diagnostics.status());
    return;
  }
  AddText("controller/build.txt",
          fmt::format("{}\n{}\n", diagnostics->build(), diagnostics->system()));
  AddText("controller/metrics.txt", diagnostics->metrics_text());
  if (diagnostics->recent_problems_withheld()) {
    return Miss("the controller's last errors", "they need the role operator");
  }
  AddText("controller/problems.txt",
          fmt::format("{}\n", fmt::join(diagnostics->recent_problems(), "\n")));
}

void Collector::AddVersions() {
  v1::ListVersionsRequest versions_request;
  versions_request.set_limit(kVersionsMax);
  if (const auto versions = client_.ListVersions(versions_request); versions.ok()) {
    AddJson("history.json", ToJson(*versions)["versions"]);
  } else {
    Miss("the history", versions.status());
  }
  v1::ListAuditRequest audit_request;
  audit_request.set_limit(kAuditMax);
  if (const auto audit = client_.ListAudit(audit_request); audit.ok()) {
    AddJson("audit.json", ToJson(*audit)["entries"]);
  } else {
    Miss("the audit log", audit.status());
  }
  if (!config_.ok()) {
    Miss("the current version", config_.status());
    return;
  }
  Json json = ToJson(*config_);
  json.erase("files");  // As text beside it.
  AddJson("config.json", std::move(json));
  for (const v1::SourceFile& file : config_->files()) {
    AddText("document/" + SafeFileName(file.path()), file.content());
  }
}

void Collector::AddRollout(const v1::FleetStatus& status) {
  const auto rollout = client_.GetRollout({});
  if (rollout.ok()) return AddJson("rollout.json", ToJson(*rollout));
  // Many fleets have had none.
  if (status.rollout().waves_size() > 0) Miss("the rollout", rollout.status());
}

// Those that something is wrong with come first.
std::vector<const v1::NodeStatus*> Collector::Chosen(const v1::FleetStatus& status) {
  std::vector<const v1::NodeStatus*> nodes;
  if (!options_.nodes.empty()) {
    for (const std::string& name : options_.nodes) {
      const auto found = std::find_if(status.nodes().begin(), status.nodes().end(),
                                      [&](const auto& node) { return node.node_id() == name; });
      if (found == status.nodes().end()) {
        Miss("node " + name, "the controller knows no such node");
      } else {
        nodes.push_back(&*found);
      }
    }
    return nodes;
  }
  for (const v1::NodeStatus& node : status.nodes()) nodes.push_back(&node);
  std::stable_partition(nodes.begin(), nodes.end(), [](const v1::NodeStatus* node) {
    return node->state() != v1::NodeStatus::SYNCED;
  });
  if (nodes.size() > options_.nodes_max) {
    Miss(fmt::format("dumps of {} more nodes", nodes.size() - options_.nodes_max),
         "choose them with --node, or raise --nodes-max");
    nodes.resize(options_.nodes_max);
  }
  return nodes;
}

void Collector::AddNodes(const v1::FleetStatus& status) {
  for (const v1::NodeStatus* node : Chosen(status)) AddNode(*node);
}

void Collector::AddNode(const v1::NodeStatus& node) {
  std::string folder = "nodes/" + SafeFileName(node.node_id());
  while (!node_folders_.insert(folder).second) folder += "_";
  AddJson(folder + "/status.json", ToJson(node));
  if (node.state() == v1::NodeStatus::UNREACHABLE) {
    Miss("dumps of node " + node.node_id(),
         "it is unreachable" + (node.reason().empty() ? "" : ": " + node.reason()));
    return;
  }
  for (const char* what : kDumps) {
    v1::NodeActionRequest request;
    request.set_node_id(node.node_id());
    request.set_action(v1::NodeActionRequest::DUMP);
    request.set_argument(what);
    request.set_author(DefaultAuthor());
    const auto response = client_.NodeAction(request);
    if (!response.ok()) {
      // Who does not answer once would be waited for again and again.
      Miss(fmt::format("dump '{}' and what follows it of node {}", what, node.node_id()),
           response.status());
      return;
    }
    auto json = ParseJson(response->json());
    if (!json.ok()) {
      Miss(fmt::format("dump '{}' of node {}", what, node.node_id()), json.status());
      continue;
    }
    AddJson(fmt::format("{}/{}.json", folder, what), *std::move(json));
  }
}

std::string ReadMe(const Bundle& bundle, int64_t now_unix_ms) {
  std::string text = fmt::format(
      "A support bundle of Sluice, made {} by sluicectl {}.\n\n"
      "Secrets were taken out by name and by form. Addresses, names of hosts, routes and people "
      "(audit.json) are in it:\nlook through it before you hand it on.\n\nMissing:\n",
      FormatTime(now_unix_ms / 1000), base::BuildInfo());
  if (bundle.missing.empty()) text += "  nothing\n";
  for (const std::string& missing : bundle.missing) {
    text += "  " + EscapeForTerminal(missing) + "\n";
  }
  return text;
}

}  // namespace

Bundle CollectBundle(ControllerClient& client, const v1::FleetStatus& status,
                     const BundleOptions& options, int64_t now_unix_ms) {
  Collector collector(client, options);
  collector.FetchConfig();
  collector.AddJson("status.json", ToJson(status));
  collector.AddText("status.txt", StatusText(status, now_unix_ms, /*wide=*/true).Render(false));
  collector.AddController();
  collector.AddVersions();
  collector.AddRollout(status);
  collector.AddNodes(status);
  Bundle bundle = collector.Take();
  bundle.files.insert(bundle.files.begin(),
                      ArchiveFile{options.folder + "/README.txt", ReadMe(bundle, now_unix_ms)});
  return bundle;
}

std::string SafeFileName(const std::string& text) {
  std::string name = text.substr(text.size() - std::min(text.size(), kFileNameBytesMax));
  char before = 0;
  for (char& c : name) {
    const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      (c == '.' && before != '.') || c == '_' || c == '-';
    if (!safe) c = '_';
    before = c;
  }
  if (name.empty() || name[0] == '.' || name[0] == '-') name.insert(0, "_");
  return name;
}

}  // namespace sluice::sluicectl
