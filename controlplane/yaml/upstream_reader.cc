#include "controlplane/yaml/upstream_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "controlplane/yaml/format.h"

namespace sluice::yaml {
namespace {

constexpr uint32_t kHealthCheckTimeoutMs = 2000;

// Only a name, and a weight perhaps: refers to an upstream defined elsewhere.
bool IsReference(const Block& block, const Found& found) {
  return std::none_of(block.keys.begin(), block.keys.end(), [&found](const Key& key) {
    return key.name != "name" && key.name != "weight" && found.has(key.name);
  });
}

}  // namespace

bool IsText(YamlNode node) {
  return node && node.kind() == NodeKind::kScalar && !node.text().empty();
}

Mention MentionOf(YamlNode node, const Path& path) {
  return {std::string(node.text()), node.place(), path.ToString()};
}

Mention MentionOf(const Found& found, const Path& path, std::string_view key) {
  const YamlNode value = found.value(key);
  return {std::string(found.text(key)), value ? value.place() : found.node().place(),
          Path(path, key).ToString()};
}

std::string CertificateCollector::Add(Mention certificate, Mention key,
                                      std::optional<Mention> ocsp) {
  const std::string name = certificate.text;
  const auto [known, inserted] = by_path_.emplace(name, draft_->certificates.size());
  if (inserted) {
    draft_->certificates.push_back({std::move(certificate), std::move(key), std::move(ocsp)});
    return name;
  }
  CertificateFiles& first = draft_->certificates[known->second];
  Compare(name, first.key, key, "key");
  if (first.ocsp && ocsp) {
    Compare(name, *first.ocsp, *ocsp, "OCSP response");
  } else if (ocsp) {
    first.ocsp = std::move(ocsp);
  }
  return name;
}

void CertificateCollector::Compare(const std::string& name, const Mention& known,
                                   const Mention& given, std::string_view what) {
  if (known.text == given.text) return;
  problems_->Error(
      given.place, given.path,
      fmt::format("{} has another {} ({}) at {}; one certificate has one {}", Quoted(name), what,
                  Quoted(known.text), problems_->Format(known.place), what));
}

void UpstreamReader::ReadShared(YamlNode node, const Path& path) {
  int64_t weight = 0;
  ReadEntry(kSharedUpstream, node, path, true, &weight);
}

std::optional<v1::WeightedCluster> UpstreamReader::ReadInRoute(YamlNode node, const Path& path) {
  int64_t weight = 1;
  std::optional<Mention> name = ReadEntry(kUpstream, node, path, false, &weight);
  if (!name) return std::nullopt;
  v1::WeightedCluster choice;
  choice.set_cluster(name->text);
  choice.set_weight(static_cast<uint32_t>(weight));
  draft_->upstream_uses.push_back(*std::move(name));
  return choice;
}

std::optional<Mention> UpstreamReader::ReadEntry(const Block& block, YamlNode node,
                                                 const Path& path, bool shared, int64_t* weight) {
  UpstreamDraft upstream;
  const Found found = reader_->Read(block, node, path, &upstream.cluster, &upstream.places, "");
  if (found.node().kind() != NodeKind::kMapping || found.text("name").empty()) return std::nullopt;
  upstream.name = MentionOf(found, path, "name");
  upstream.shared = shared;
  if (!shared) *weight = found.integer("weight", 1);
  if (!shared && IsReference(block, found)) return upstream.name;
  if (!found.has("nodes")) {
    problems_->Error(node.place(), path.ToString(),
                     shared
                         ? "the key 'nodes' is missing"
                         : "the key 'nodes' is missing; to refer to an upstream defined elsewhere, "
                           "give its name (and a weight) only");
  }
  CheckNodes(found, path, upstream.cluster);
  CheckHealthCheck(found, path, &upstream.cluster);
  ReadTlsFiles(found, path, &upstream);
  Mention name = upstream.name;
  Define(std::move(upstream), found);
  return name;
}

void UpstreamReader::Define(UpstreamDraft upstream, const Found& found) {
  std::string content = upstream.cluster.SerializeAsString();
  if (upstream.ca) content += '\0' + upstream.ca->text;
  const Place place = upstream.name.place;
  const auto [known, inserted] =
      definitions_.try_emplace(upstream.name.text, Definition{content, place, found.valid()});
  if (inserted) {
    draft_->upstreams.push_back(std::move(upstream));
    return;
  }
  // What is refused for other reasons need not be compared.
  const Definition& first = known->second;
  if (!first.valid || !found.valid() || first.content == content) return;
  problems_->Error(
      place, upstream.name.path,
      fmt::format("upstream {} has other content at {}; make them equal, give only its "
                  "name here, or rename one",
                  Quoted(upstream.name.text), problems_->Format(first.place)));
}

void UpstreamReader::CheckNodes(const Found& upstream, const Path& path,
                                const v1::Cluster& cluster) {
  const YamlNode list = upstream.value("nodes");
  if (!list || list.kind() != NodeKind::kList) return;
  const Path list_path(path, "nodes");
  if (!list.first()) {
    problems_->Error(list.place(), list_path.ToString(),
                     "the upstream has no node; give one at least");
  }
  std::unordered_map<std::string_view, YamlNode> seen;
  size_t index = 0;
  for (YamlNode node = list.first(); node; node = node.next_in(list), ++index) {
    const YamlNode addr = ValueOf(node, "addr");
    if (!IsText(addr) || index >= static_cast<size_t>(cluster.endpoints_size())) continue;
    const auto [first, inserted] = seen.emplace(addr.text(), addr);
    if (inserted) continue;
    const Path node_path(list_path, index);
    problems_->Error(addr.place(), Path(node_path, "addr").ToString(),
                     fmt::format("{} occurs twice, first at {}; give it a weight instead",
                                 Quoted(addr.text()), problems_->Format(first->second.place())));
  }
}

void UpstreamReader::CheckHealthCheck(const Found& upstream, const Path& path,
                                      v1::Cluster* cluster) {
  if (!cluster->has_health_check()) return;
  v1::HealthCheck& check = *cluster->mutable_health_check();
  const YamlNode timeout = ValueOf(upstream.value("health_check"), "timeout");
  if (!timeout) {
    check.set_timeout_ms(std::min(kHealthCheckTimeoutMs, check.interval_ms()));
  } else if (check.timeout_ms() > check.interval_ms() && check.interval_ms() > 0) {
    const Path block(path, "health_check");
    problems_->Error(timeout.place(), Path(block, "timeout").ToString(),
                     fmt::format("{} is longer than frequency_secs ({}); make it shorter",
                                 Quoted(timeout.text()), check.interval_ms() / 1000));
  }
}

void UpstreamReader::ReadTlsFiles(const Found& upstream, const Path& path, UpstreamDraft* draft) {
  const YamlNode tls = upstream.value("tls");
  if (!tls || tls.kind() != NodeKind::kMapping) return;
  const Path block(path, "tls");
  if (const YamlNode ca = ValueOf(tls, "ca_path"); IsText(ca)) {
    draft->ca = MentionOf(ca, Path(block, "ca_path"));
  }
  const YamlNode certificate = ValueOf(tls, "cert_path");
  const YamlNode key = ValueOf(tls, "key_path");
  if (IsText(certificate) && IsText(key)) {
    draft->cluster.mutable_tls()->set_client_certificate(certificates_->Add(
        MentionOf(certificate, Path(block, "cert_path")), MentionOf(key, Path(block, "key_path"))));
  } else if (static_cast<bool>(certificate) != static_cast<bool>(key)) {
    const YamlNode given = certificate ? certificate : key;
    problems_->Error(
        given.place(), Path(block, certificate ? "cert_path" : "key_path").ToString(),
        fmt::format("'{}' is missing beside it", certificate ? "key_path" : "cert_path"));
  }
}

}  // namespace sluice::yaml
