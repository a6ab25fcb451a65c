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
#include "tools/sluicectl/format.h"
#include "tools/sluicectl/node_table.h"
#include "tools/sluicectl/session.h"
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

void AddField(Text* text, const char* label, const std::string& value,
              Style style = Style::kPlain) {
  text->AddPadded(label, 14, Style::kBold).Add(value.empty() ? "-" : value, style).EndLine();
}

std::string ConnectionsText(const v1::Report& report) {
  std::string text = fmt::format("{}", report.downstream_connections());
  if (report.draining_processes() == 0) return text;
  return text + fmt::format(", {} of them with {} that a hot restart replaced and that {} still",
                            report.draining_connections(),
                            report.draining_processes() == 1
                                ? std::string("a process")
                                : fmt::format("{} processes", report.draining_processes()),
                            report.draining_processes() == 1 ? "drains" : "drain");
}

Text NodeText(const v1::NodeStatus& node, int64_t now) {
  Text text;
  const v1::Report& report = node.report();
  AddField(&text, "Name:", node.node_id());
  AddField(&text, "State:", StateName(node.state()), StateStyle(node.state()));
  if (!node.reason().empty()) AddField(&text, "Reason:", node.reason());
  AddField(&text, "Since:", FormatAgeSince(node.since_unix_ms(), now));
  AddField(&text, "Last seen:", FormatAgeSince(node.last_seen_unix_ms(), now));
  AddField(
      &text, "Version:",
      fmt::format("{} (root {})", node.version().revision(), ShortRoot(node.version().root())));
  AddField(&text, "Address:", node.peer_address());
  AddField(&text,
           "Labels:", LabelsText({node.hello().labels().begin(), node.hello().labels().end()}));
  if (!node.labels_set().empty()) {
    const std::map<std::string, std::string> set(node.labels_set().begin(),
                                                 node.labels_set().end());
    AddField(&text, "Set by hand:", LabelsText(set));
  }
  AddField(&text, "Cordoned:", node.cordoned() ? "yes: it is offered nothing" : "no");
  AddField(&text, "Build:", node.hello().build_version());
  AddField(&text, "Bind host:", node.hello().bind_host());
  AddField(&text, "Features:", fmt::format("{}", fmt::join(node.hello().features(), ",")));
  AddField(&text, "Uptime:", FormatAge(static_cast<int64_t>(report.uptime_seconds())));
  AddField(&text, "Memory:", FormatBytes(report.rss_bytes()));
  AddField(&text, "Open files:", fmt::format("{}", report.open_files()));
  AddField(&text, "Connections:", ConnectionsText(report));
  AddField(&text, "Requests:",
           fmt::format("{} in all, {} per second, {} 5xx, p99 {}", report.requests_total(),
                       FormatRate(node.requests_per_second()), FormatRatio(node.error_ratio()),
                       FormatLatency(node.p99_ms())));
  AddField(&text, "Traffic:",
           fmt::format("{} received, {} sent", FormatBytes(report.bytes_received_total()),
                       FormatBytes(report.bytes_sent_total())));
  AddField(&text, "Config sent:", FormatBytes(node.snapshot_bytes_sent()));
  if (!report.endpoints().empty()) {
    text.EndLine();
    Table table({"UPSTREAM", "ENDPOINT", "HEALTH", "SINCE", "LAST CHECK"});
    for (const auto& endpoint : report.endpoints()) {
      table.AddRow({endpoint.cluster(),
                    endpoint.address(),
                    {endpoint.healthy() ? "healthy" : "unhealthy",
                     endpoint.healthy() ? Style::kGreen : Style::kRed},
                    FormatAgeSince(endpoint.since_unix_ms(), now),
                    endpoint.reason()});
    }
    text.Append(table.ToText());
  }
  for (const auto& certificate : report.certificates()) {
    AddField(
        &text, "Certificate:",
        fmt::format("{}, until {}", certificate.name(), FormatTime(certificate.not_after_unix())));
  }
  for (const auto& error : node.errors()) {
    AddField(&text, "Rejected:",
             fmt::format("{}{}{}: {}: {}", error.source(), error.source().empty() ? "" : ": ",
                         NameOf(error.resource()), error.field(), error.message()),
             Style::kRed);
  }
  for (const auto& error : report.last_errors()) AddField(&text, "Error:", error);
  return text;
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
  text.EndLine();
  Table table({"KIND", "NAME", "SIZE", "SHA256"});
  for (const auto& resource : config.resources()) {
    v1::ResourceId id;
    id.set_kind(resource.kind());
    table.AddRow({NameOf(id), resource.name(), FormatBytes(resource.body().size()),
                  ShortRoot(resource.sha256())});
  }
  text.Append(table.ToText());
  return Description{std::move(text), ToJson(config)};
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
