#include "controlplane/yaml/draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "controlplane/source/source_tree.h"
#include "controlplane/yaml/format.h"
#include "controlplane/yaml/service_reader.h"
#include "controlplane/yaml/upstream_reader.h"
#include "controlplane/yaml/wave.h"

namespace sluice::yaml {
namespace {

void AddDefaultWaves(v1::RolloutStrategy* strategy) {
  for (const std::string_view wave : kDefaultWaves) strategy->add_waves(std::string(wave));
}

class DraftReader {
 public:
  DraftReader(size_t files, Draft* draft, Problems* problems)
      : files_(files),
        draft_(draft),
        problems_(problems),
        reader_(problems),
        certificates_(draft, problems),
        upstreams_(&reader_, &certificates_, draft, problems),
        services_(&reader_, &upstreams_, &certificates_, draft, problems) {}

  void ReadFile(std::string_view content, uint32_t file) {
    PreparedText text;
    if (!PrepareText(content, file, &text, problems_)) return;
    const std::unique_ptr<const Tree> tree = Tree::Parse(text, file, problems_);
    if (tree == nullptr) {
      ++unread_;
      return;
    }
    const YamlNode root = tree->root();
    if (!root || root.kind() == NodeKind::kNull) {
      ++empty_;
      if (files_ > 1) problems_->Warn({file, 0, 0}, "", "the file is empty");
      return;
    }
    ReadRoot(root);
  }

  // What can be told only when all files are read.
  void Finish() {
    if (files_ == 0 || empty_ == files_) {
      problems_->Error({0, 0, 0}, "", "the document is empty; it needs 'services' at least");
    } else if (!services_given_ && unread_ == 0 && !problems_->has_errors()) {
      problems_->Error({0, 0, 0}, "",
                       "the document has no 'services'; write 'services: []' if none is meant");
    }
    FillSettings();
  }

 private:
  void ReadRoot(YamlNode root) {
    const Path path;
    const Found found = reader_.Read(kDocumentBlock, root, path, nullptr, nullptr, "");
    if (root.kind() != NodeKind::kMapping) return;
    ReadServer(found, path);
    ReadSettings(kAdmin, found, path, "admin", draft_->settings.mutable_admin(), "admin.");
    ReadSettings(kMetrics, found, path, "metrics", draft_->settings.mutable_metrics(), "metrics.");
    ReadSettings(kLogging, found, path, "logging", &draft_->settings, "");
    ReadRollout(found, path);
    // Shared upstreams first: of two definitions that differ, the one in a route is the odd one.
    ForEach(found, path, "upstreams",
            [this](YamlNode node, const Path& at) { upstreams_.ReadShared(node, at); });
    services_given_ |= found.has("services");
    ForEach(found, path, "services",
            [this](YamlNode node, const Path& at) { services_.Read(node, at); });
    ForEach(found, path, "tests", [this](YamlNode node, const Path& at) { ReadTest(node, at); });
  }

  template <typename Each>
  void ForEach(const Found& found, const Path& path, std::string_view key, Each each) {
    const YamlNode list = found.value(key);
    const Path list_path(path, key);
    if (!list || list.kind() == NodeKind::kNull || !reader_.ExpectList(list, list_path)) return;
    size_t index = 0;
    for (YamlNode item = list.first(); item; item = item.next_in(list), ++index) {
      each(item, Path(list_path, index));
    }
  }

  // False when the block is left out, or was given before.
  bool Enter(const Found& found, const Path& path, std::string_view key) {
    const YamlNode node = found.value(key);
    if (!node || node.kind() == NodeKind::kNull) return false;
    for (const Mention& block : blocks_) {
      if (block.text != key) continue;
      problems_->Error(node.place(), Path(path, key).ToString(),
                       fmt::format("'{}' is given at {} already; it may stand in one file only",
                                   key, problems_->Format(block.place)));
      return false;
    }
    blocks_.push_back({std::string(key), node.place(), ""});
    return true;
  }

  bool ReadSettings(const Block& block, const Found& document, const Path& path,
                    std::string_view key, google::protobuf::Message* message,
                    const std::string& prefix) {
    if (!Enter(document, path, key)) return false;
    reader_.Read(block, document.value(key), Path(path, key), message, &draft_->settings_places,
                 prefix);
    return true;
  }

  void ReadServer(const Found& document, const Path& path) {
    if (!ReadSettings(kServer, document, path, "server", &draft_->settings, "")) return;
    const YamlNode list = ValueOf(document.value("server"), "trusted_proxies");
    if (!list || list.kind() != NodeKind::kList) return;
    for (YamlNode item = list.first(); item; item = item.next_in(list)) {
      if (IsText(item)) trusted_proxies_.emplace_back(item.text());
    }
  }

  void ReadRollout(const Found& document, const Path& path) {
    if (!Enter(document, path, "rollout")) return;
    const YamlNode node = document.value("rollout");
    v1::RolloutStrategy& strategy = draft_->rollout.emplace();
    const Path at(path, "rollout");
    const Found found = reader_.Read(kRollout, node, at, &strategy, nullptr, "");
    if (strategy.waves().empty()) AddDefaultWaves(&strategy);
    if (!found.valid()) return;
    if (const std::string problem = WavesProblem(strategy.waves()); !problem.empty()) {
      problems_->Error(found.value("waves").place(), Path(at, "waves").ToString(), problem);
    }
  }

  void FillSettings() {
    const auto given = [this](std::string_view key) {
      for (const Mention& block : blocks_) {
        if (block.text == key) return true;
      }
      return false;
    };
    v1::Settings& settings = draft_->settings;
    if (!given("server")) reader_.ApplyDefaults(kServer, &settings);
    if (!given("admin")) reader_.ApplyDefaults(kAdmin, settings.mutable_admin());
    if (!given("metrics")) reader_.ApplyDefaults(kMetrics, settings.mutable_metrics());
    if (!given("logging")) reader_.ApplyDefaults(kLogging, &settings);
    if (settings.access_log().format().empty()) {
      settings.mutable_access_log()->set_format(settings.log_format());
    }
    for (ServiceDraft& service : draft_->services) {
      const auto is_trust = [](const auto& entry) { return entry.first == "trusted_proxies"; };
      const FieldPlaces& places = service.listener_places;
      if (std::any_of(places.begin(), places.end(), is_trust)) continue;
      for (const std::string& block : trusted_proxies_) service.listener.add_trusted_proxies(block);
    }
  }

  void ReadTest(YamlNode node, const Path& path) {
    TestDraft test;
    const Found found = reader_.Read(kTest, node, path, nullptr, nullptr, "");
    if (node.kind() != NodeKind::kMapping) return;
    const bool request = ReadTestRequest(found.value("request"), Path(path, "request"), &test);
    const bool expect = ReadTestExpect(found.value("expect"), Path(path, "expect"), &test);
    if (!request || !expect || !found.valid()) return;
    test.name = MentionOf(found, path, "name");
    draft_->tests.push_back(std::move(test));
  }

  bool ReadTestRequest(YamlNode node, const Path& path, TestDraft* test) {
    if (!node || node.kind() == NodeKind::kNull) return false;
    const Found found = reader_.Read(kTestRequest, node, path, nullptr, nullptr, "");
    if (!found.valid()) return false;
    test->url = MentionOf(found, path, "url");
    test->service = MentionOf(found, path, "service");
    test->request.set_url(test->url.text);
    test->request.set_service(test->service.text);
    test->request.set_method(found.has("method") ? std::string(found.text("method")) : "GET");
    const YamlNode headers = found.value("headers");
    if (!headers) return true;
    for (YamlNode name = headers.first(); name;) {
      const YamlNode value = name.next_in(headers);
      if (!value) break;
      test->request.add_headers(fmt::format("{}: {}", name.text(), value.text()));
      name = value.next_in(headers);
    }
    return true;
  }

  bool ReadTestExpect(YamlNode node, const Path& path, TestDraft* test) {
    if (!node || node.kind() == NodeKind::kNull) return false;
    const Found found = reader_.Read(kTestExpect, node, path, nullptr, nullptr, "");
    if (!found.valid()) return false;
    const auto take = [&](std::string_view key, std::optional<Mention>* into) {
      if (found.has(key)) *into = MentionOf(found, path, key);
    };
    take("route", &test->route);
    take("upstream", &test->upstream);
    take("path", &test->path);
    take("status", &test->status);
    if (test->route || test->upstream || test->path || test->status) return true;
    problems_->Error(node.place(), path.ToString(),
                     "expects nothing; name a route, an upstream, a path or a status");
    return false;
  }

  const size_t files_;
  Draft* const draft_;
  Problems* const problems_;
  BlockReader reader_;
  CertificateCollector certificates_;
  UpstreamReader upstreams_;
  ServiceReader services_;
  std::vector<Mention> blocks_;  // server, admin, ...: may be given once.
  std::vector<std::string> trusted_proxies_;
  bool services_given_ = false;
  size_t empty_ = 0;
  size_t unread_ = 0;
};

}  // namespace

Draft ReadDraft(const v1::Document& document, Problems* problems) {
  Draft draft;
  size_t bytes = 0;
  for (const v1::SourceFile& file : document.files()) bytes += file.content().size();
  if (bytes > source::kDocumentBytesMax) {
    problems->Error({0, 0, 0}, "",
                    fmt::format("the document has {} bytes; {} MiB are allowed", bytes,
                                source::kDocumentBytesMax / (1024 * 1024)));
    return draft;
  }
  DraftReader reader(static_cast<size_t>(document.files_size()), &draft, problems);
  uint32_t index = 0;
  for (const v1::SourceFile& file : document.files()) reader.ReadFile(file.content(), index++);
  reader.Finish();
  return draft;
}

v1::RolloutStrategy DefaultRollout() {
  Problems none({});
  v1::RolloutStrategy strategy;
  BlockReader(&none).ApplyDefaults(kRollout, &strategy);
  AddDefaultWaves(&strategy);
  return strategy;
}

}  // namespace sluice::yaml
