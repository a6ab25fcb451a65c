// A serving side that does as tests say, and small snapshots for it.
#pragma once

#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "common/snapshot/snapshot.h"
#include "dataplane/control/dataplane.h"

namespace sluice::control::testing {

class FakeDataplane final : public Dataplane {
 public:
  std::vector<v1::ResourceError> Prepare(config::ParsedSnapshot parsed,
                                         const v1::Version& version) override {
    ++prepares;
    if (!refusals.empty()) return refusals;
    parsed_ = std::move(parsed);
    prepared_revision = version.revision();
    return {};
  }
  void WarmUp(std::function<void()> warm) override {
    if (warm_at_once) return warm();
    warming = std::move(warm);
  }
  void BecomeWarm() {
    if (warming) std::exchange(warming, nullptr)();
  }
  void BeginPreflight(uint32_t sample_percent) override { preflight_percent = sample_percent; }
  v1::PreflightReport ReadPreflight() const override { return preflight_to_report; }
  void Discard() override {
    ++discards;
    preflight_percent = 0;
    warming = nullptr;
    prepared_revision = 0;
  }
  void Commit(std::function<void()> on_effective) override {
    warming = nullptr;
    preflight_percent = 0;
    current = std::move(parsed_);
    prepared_revision = 0;
    if (effective_at_once) {
      serving_now = true;
      on_effective();
    } else {
      waiting.push_back(std::move(on_effective));
    }
  }
  void Renumber(const v1::Version& version) override { renumbered = version.revision(); }
  void BecomeEffective() {
    serving_now = true;
    for (auto& function : std::exchange(waiting, {})) function();
  }

  void SetDraining(bool on) override {
    if (!on && undrain_fails) return;
    draining_now = on;
  }
  bool draining() const override { return draining_now; }
  bool serving() const override { return serving_now; }
  void FillReport(v1::Report* report) const override { *report = report_to_fill; }
  nlohmann::json DumpClusters() const override { return clusters; }
  nlohmann::json DumpListeners() const override { return {{{"service", "web"}}}; }
  nlohmann::json DumpConnections() const override { return nlohmann::json::array(); }
  nlohmann::json DumpStats() const override { return {{"requests_total", 7}}; }

  std::vector<v1::ResourceError> refusals;
  v1::Report report_to_fill;
  v1::PreflightReport preflight_to_report;
  uint32_t preflight_percent = 0;  // 0: none runs.
  nlohmann::json clusters = nlohmann::json::array();
  config::ParsedSnapshot current;
  std::vector<std::function<void()>> waiting;
  uint64_t prepared_revision = 0;  // 0: nothing prepared.
  uint64_t renumbered = 0;         // To what, last.
  int prepares = 0, discards = 0;
  std::function<void()> warming;
  bool effective_at_once = true;
  bool warm_at_once = true;
  bool undrain_fails = false;
  bool draining_now = false, serving_now = false;

 private:
  config::ParsedSnapshot parsed_;
};

inline snapshot::Resources SnapshotOf(const v1::Settings& settings, const v1::RouteTable& routes) {
  v1::Listener listener;
  listener.set_name(routes.service());
  listener.set_address("127.0.0.1:8000");
  return {snapshot::MakeResource(v1::RESOURCE_KIND_SETTINGS, "settings", settings),
          snapshot::MakeResource(v1::RESOURCE_KIND_LISTENER, listener.name(), listener),
          snapshot::MakeResource(v1::RESOURCE_KIND_ROUTE_TABLE, routes.service(), routes)};
}

// One service "web" whose only route answers with `body`: another body, another root.
inline snapshot::Resources SnapshotWith(const std::string& body,
                                        const v1::Settings& settings = {}) {
  v1::RouteTable routes;
  routes.set_service("web");
  v1::Route& route = *routes.add_routes();
  route.set_name("all");
  route.mutable_respond()->set_status(200);
  route.mutable_respond()->set_body(body);
  return SnapshotOf(settings, routes);
}

// About a megabyte: several chunks.
inline snapshot::Resources LargeSnapshot() {
  v1::RouteTable routes;
  routes.set_service("web");
  for (int i = 0; i < 1000; ++i) {
    v1::Route& route = *routes.add_routes();
    route.set_name(fmt::format("route-{}", i));
    route.set_path_prefix(fmt::format("/{}", i));
    route.mutable_respond()->set_status(200);
    route.mutable_respond()->set_body(std::string(1000, 'b'));
  }
  return SnapshotOf({}, routes);
}

inline v1::Version VersionOf(const snapshot::Resources& resources, uint64_t revision) {
  v1::Version version;
  version.set_epoch(1);
  version.set_revision(revision);
  version.set_root(snapshot::RootOf(resources));
  return version;
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    char name[] = "/tmp/sluice-control-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace sluice::control::testing
