// sluicectl get KIND: lists of what the controller knows.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "common/base/status_macros.h"
#include "tools/sluicectl/certificate_view.h"
#include "tools/sluicectl/config_view.h"
#include "tools/sluicectl/node_table.h"
#include "tools/sluicectl/show.h"
#include "tools/sluicectl/verbs.h"
#include "tools/sluicectl/version_table.h"

namespace sluice::sluicectl {
namespace {

struct Options {
  std::string kind;
  uint64_t revision = 0;
  bool watch = false;
};

template <typename Messages>
Json ArrayOf(const Messages& messages) {
  Json array = Json::array();
  for (const auto& message : messages) array.push_back(ToJson(message));
  return array;
}

Subject NodesSubject(bool wide) {
  Subject subject;
  subject.fetch = [wide](ControllerClient&, const v1::FleetStatus& status) -> absl::StatusOr<View> {
    const auto shared = std::make_shared<const v1::FleetStatus>(status);
    return View{[shared, wide](int64_t now) { return NodesText(*shared, now, wide); },
                [shared] { return ArrayOf(shared->nodes()); }};
  };
  return subject;
}

struct Fetched {
  ConfigView config;
  HealthView health;
};

View ViewOf(const std::string& kind, std::shared_ptr<const Fetched> fetched, bool wide) {
  if (kind == "services") {
    return {[fetched, wide](int64_t) { return ServicesText(fetched->config, wide); },
            [fetched] { return ArrayOf(fetched->config.listeners); }};
  }
  if (kind == "routes") {
    return {[fetched, wide](int64_t) { return RoutesText(fetched->config, wide); },
            [fetched] { return ArrayOf(fetched->config.tables); }};
  }
  if (kind == "certificates") {
    return {[fetched, wide](int64_t now) { return CertificatesText(fetched->config, now, wide); },
            [fetched] { return CertificatesJson(fetched->config); }};
  }
  return {
      [fetched, wide](int64_t) { return UpstreamsText(fetched->config, fetched->health, wide); },
      [fetched] { return UpstreamsJson(fetched->config, fetched->health); }};
}

Subject ConfigSubject(const Options& options, bool wide) {
  Subject subject;
  subject.needs = options.kind == "upstreams" ? Subject::Needs::kStatus : Subject::Needs::kVersion;
  subject.fetch = [options, wide](ControllerClient& client,
                                  const v1::FleetStatus& status) -> absl::StatusOr<View> {
    v1::GetConfigRequest request;
    request.set_revision(options.revision);
    ASSIGN_OR_RETURN(const auto response, client.GetConfig(request));
    auto fetched = std::make_shared<Fetched>();
    ASSIGN_OR_RETURN(fetched->config, DecodeConfig(response));
    fetched->health = CollectHealth(status);
    return ViewOf(options.kind, fetched, wide);
  };
  return subject;
}

ExitCode Run(const Options& options, Session& session) {
  const bool of_a_version = options.kind != "nodes" && options.kind != "versions";
  if (options.revision != 0 && !of_a_version) {
    return session.Fail(ExitCode::kUsage,
                        fmt::format("--revision does not go with '{}'", options.kind));
  }
  const bool wide = session.wide();
  if (options.kind == "nodes") return Show(session, NodesSubject(wide), options.watch);
  if (options.kind == "versions") return Show(session, VersionsSubject(0, wide), options.watch);
  return Show(session, ConfigSubject(options, wide), options.watch);
}

}  // namespace

Command GetCommand() {
  auto options = std::make_shared<Options>();
  Command command;
  command.name = "get";
  command.summary = "List nodes, services, routes, upstreams, certificates or versions";
  command.details =
      "Upstreams show on how many of the connected nodes each endpoint is healthy. -o wide adds "
      "columns.";
  command.positionals = {
      {"KIND",
       "What to list",
       &options->kind,
       {"nodes", "services", "routes", "upstreams", "certificates", "versions"}}};
  command.flags = {
      {"-w,--watch", "", "Go on: show it again after every change", &options->watch},
      {"--revision", "N", "Of this version instead of the current one", &options->revision}};
  command.run = [options](Session& session) { return Run(*options, session); };
  return command;
}

}  // namespace sluice::sluicectl
