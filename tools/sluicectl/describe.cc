// sluicectl describe KIND NAME: everything known of one thing.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/base/hash.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "tools/sluicectl/change_text.h"
#include "tools/sluicectl/config_view.h"
#include "tools/sluicectl/field_line.h"
#include "tools/sluicectl/format.h"
#include "tools/sluicectl/node_text.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/traffic_text.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

struct Options {
  std::string kind;
  std::string name;
};

// What to print, in both forms.
struct Description {
  Text text;
  Json json;
};
using Answer = absl::StatusOr<Description>;

absl::Status NotFound(const std::string& kind, const std::string& name,
                      const std::vector<std::string>& known) {
  const std::vector<std::string_view> words(known.begin(), known.end());
  const std::string_view nearest = base::NearestWord(name, words);
  std::string message = fmt::format("there is no {} '{}'", kind, name);
  if (!nearest.empty()) message += fmt::format("; did you mean '{}'?", nearest);
  return absl::NotFoundError(message);
}

// The message's own fields are all there is to say: YAML reads well enough, made safe line by line.
void AppendYaml(Text* text, const Json& json) {
  const std::string yaml = Encode(json, Format::kYaml);
  for (size_t start = 0; start < yaml.size();) {
    const size_t end = std::min(yaml.find('\n', start), yaml.size());
    text->Line(yaml.substr(start, end - start));
    start = end + 1;
  }
}

Answer DescribeNode(const std::string& name, ControllerClient& client, int64_t now) {
  v1::GetStatusRequest request;
  request.set_node_id(name);
  ASSIGN_OR_RETURN(const auto status, client.GetStatus(request));
  for (const auto& node : status.nodes()) {
    if (node.node_id() == name) return Description{NodeText(node, now), ToJson(node)};
  }
  std::vector<std::string> known;
  for (const auto& node : status.nodes()) known.push_back(node.node_id());
  return NotFound("node", name, known);
}

Answer DescribeVersion(const std::string& name, ControllerClient& client, int64_t now) {
  uint64_t revision = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), revision);
  if (error != std::errc() || end != name.data() + name.size()) {
    return absl::InvalidArgumentError(fmt::format("'{}' is no version; they are numbers", name));
  }
  v1::GetConfigRequest request;
  request.set_revision(revision);
  ASSIGN_OR_RETURN(const auto config, client.GetConfig(request));
  const v1::VersionInfo& info = config.info();
  Text text;
  AddField(&text, "Version:", fmt::format("{}", info.version().revision()));
  AddField(&text, "Epoch:", fmt::format("{}", info.version().epoch()));
  AddField(&text, "Root:", base::HexEncode(info.version().root()));
  AddField(&text, "State:", info.state());
  AddField(
      &text, "Created:",
      fmt::format("{} ({} ago)", FormatTime(static_cast<int64_t>(info.created_unix_ms() / 1000)),
                  FormatAgeSince(info.created_unix_ms(), now)));
  AddField(&text, "Author:", info.author());
  AddField(&text, "Message:", info.message());
  AddField(&text, "Source:", info.source());
  for (const auto& file : config.files()) {
    AddField(&text,
             "File:", fmt::format("{} ({})", file.path(), FormatBytes(file.content().size())));
  }
  ASSIGN_OR_RETURN(const auto status, client.GetStatus({}));
  const FleetTraffic traffic = SumTraffic(status, info.version());
  AddField(&text, "Effective on:",
           fmt::format("{} of {} now", traffic.nodes_now,
                       Count(static_cast<uint64_t>(status.nodes_size()), "node")));
  if (traffic.nodes_ever > 0) text.EndLine().Append(FleetTrafficText(traffic, now));
  text.EndLine();
  Table table({"KIND", "NAME", "SIZE", "SHA256"});
  for (const auto& resource : config.resources()) {
    v1::ResourceId id;
    id.set_kind(resource.kind());
    table.AddRow({NameOf(id), resource.name(), FormatBytes(resource.body().size()),
                  ShortRoot(resource.sha256())});
  }
  text.Append(table.ToText());
  Json json = ToJson(config);
  json["traffic"] = FleetTrafficJson(traffic, now);
  return Description{std::move(text), std::move(json)};
}

Answer DescribeUpstream(const ConfigView& config, const std::string& name,
                        const HealthView& health) {
  ConfigView one;
  std::vector<std::string> known;
  for (const auto& cluster : config.clusters) {
    if (cluster.name() == name) one.clusters.push_back(cluster);
    known.push_back(cluster.name());
  }
  if (one.clusters.empty()) return NotFound("upstream", name, known);
  Text text = UpstreamsText(one, health, /*wide=*/true);
  text.EndLine();
  AppendYaml(&text, ToJson(one.clusters.front()));
  return Description{std::move(text), UpstreamsJson(one, health).front()};
}

Answer DescribeService(const ConfigView& config, const std::string& name) {
  ConfigView one;
  std::vector<std::string> known;
  for (const auto& listener : config.listeners) {
    if (listener.name() == name) one.listeners.push_back(listener);
    known.push_back(listener.name());
  }
  if (one.listeners.empty()) return NotFound("service", name, known);
  for (const auto& table : config.tables) {
    if (table.service() == name) one.tables.push_back(table);
  }
  Json json = ToJson(one.listeners.front());
  Text text;
  AppendYaml(&text, json);
  text.EndLine().Append(RoutesText(one, /*wide=*/true));
  json["routes"] = one.tables.empty() ? Json::array() : ToJson(one.tables.front())["routes"];
  return Description{std::move(text), std::move(json)};
}

// NAME is a route's name or SERVICE/NAME; a name that several services use needs the latter.
Answer DescribeRoute(const ConfigView& config, const std::string& name) {
  Json found;
  std::vector<std::string> services;
  std::vector<std::string> known;
  for (const auto& table : config.tables) {
    for (const auto& route : table.routes()) {
      const std::string full = fmt::format("{}/{}", table.service(), route.name());
      known.push_back(route.name());
      if (route.name() != name && full != name) continue;
      if (services.empty()) {
        found = Json::object();
        found["service"] = table.service();
        found.update(ToJson(route));
      }
      services.push_back(table.service());
    }
  }
  if (services.empty()) return NotFound("route", name, known);
  if (services.size() > 1) {
    return absl::InvalidArgumentError(fmt::format("several services have a route '{}': write {}/{}",
                                                  name, services.front(), name));
  }
  Text text;
  AppendYaml(&text, found);
  return Description{std::move(text), std::move(found)};
}

Answer Describe(const Options& options, ControllerClient& client, int64_t now) {
  if (options.kind == "node") return DescribeNode(options.name, client, now);
  if (options.kind == "version") return DescribeVersion(options.name, client, now);
  ASSIGN_OR_RETURN(const auto response, client.GetConfig({}));
  ASSIGN_OR_RETURN(const ConfigView config, DecodeConfig(response));
  if (options.kind == "service") return DescribeService(config, options.name);
  if (options.kind == "route") return DescribeRoute(config, options.name);
  ASSIGN_OR_RETURN(const auto status, client.GetStatus({}));
  return DescribeUpstream(config, options.name, CollectHealth(status));
}

ExitCode Run(const Options& options, Session& session) {
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  const Answer answer = Describe(options, *client, session.console().now_unix_ms());
  if (!answer.ok()) return session.Fail(answer.status());
  if (IsForPeople(session.format())) {
    session.Print(answer->text);
  } else {
    session.PrintJson(answer->json);
  }
  return ExitCode::kDone;
}

}  // namespace

Command DescribeCommand() {
  auto options = std::make_shared<Options>();
  Command command;
  command.name = "describe";
  command.summary = "Show everything known of one node, version, upstream, service or route";
  command.positionals = {
      {"KIND", "What it is", &options->kind, {"node", "version", "upstream", "service", "route"}},
      {"NAME", "Its name; a version's number; SERVICE/ROUTE where several services have the route",
       &options->name}};
  command.run = [options](Session& session) { return Run(*options, session); };
  return command;
}

}  // namespace sluice::sluicectl
