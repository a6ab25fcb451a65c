#include "dataplane/control/admin_pages.h"

#include <fmt/format.h>

#include <vector>

#include "common/base/log.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "dataplane/control/config_dump.h"
#include "dataplane/control/node_explain.h"
#include "dataplane/control/query.h"

namespace sluice::control {
namespace {

using nlohmann::json;

struct Path {
  std::string_view method, path, parameters, help;
};

// Answered here and listed at "/".
constexpr Path kPaths[] = {
    {"GET", "/", "", "this list"},
    {"GET", "/healthz", "", "the process runs"},
    {"GET", "/readyz", "", "a snapshot is served and nothing drains"},
    {"GET", "/config", "", "the snapshot that is served; private keys as digests"},
    {"GET", "/clusters", "", "upstreams, their endpoints and health"},
    {"GET", "/listeners", "", "addresses and how many connections they have"},
    {"GET", "/connections", "", "every client connection"},
    {"GET", "/stats", "", "counters"},
    {"GET", "/metrics", "", "counters, for Prometheus"},
    {"GET", "/explain", "?method=GET&url=http://host/path&header=Name:+value",
     "which route a request takes, and why"},
    {"POST", "/drain", "", "stop accepting, let connections finish"},
    {"POST", "/undrain", "", "accept again"},
    {"POST", "/log-level", "?level=debug", "trace, debug, info, warn, error or off"},
};

std::string Index() {
  std::string text = "sluice-proxy\n\n";
  for (const Path& path : kPaths) {
    text += fmt::format("{:<5}{:<14}{}\n", path.method, path.path, path.help);
    if (!path.parameters.empty()) text += fmt::format("     {}{}\n", path.path, path.parameters);
  }
  return text + "\nJSON pages are indented with ?pretty.\n";
}

web::HttpResponse Text(unsigned status, std::string body) {
  return {.status = status,
          .content_type = "text/plain; charset=utf-8",
          .body = std::move(body),
          .allow = {}};
}

web::HttpResponse Problem(const absl::Status& status) {
  return Text(400, std::string(status.message()) + "\n");
}

web::HttpResponse WrongMethod(std::string_view allowed) {
  web::HttpResponse refused = Text(405, fmt::format("use {}\n", allowed));
  refused.allow = std::string(allowed);
  return refused;
}

web::HttpResponse NotFound(std::string_view path) {
  std::vector<std::string_view> known;
  for (const Path& one : kPaths) known.push_back(one.path);
  const std::string_view nearest = base::NearestWord(path, known);
  return Text(404, fmt::format("not found{}\nGET / lists the paths.\n",
                               nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest)));
}

std::string ToText(const json& page, int indent) {
  return page.dump(indent, ' ', false, json::error_handler_t::replace);
}

}  // namespace

web::HttpResponse AdminPages::Answer(const web::HttpRequest& request) {
  const size_t question = std::min(request.target.find('?'), request.target.size());
  const std::string_view path = request.target.substr(0, question);
  const std::string_view query =
      request.target.substr(std::min(question + 1, request.target.size()));
  const Path* known = nullptr;
  for (const Path& one : kPaths) {
    if (one.path == path) known = &one;
  }
  if (known == nullptr) return NotFound(path);
  if (request.method != known->method) return WrongMethod(known->method);
  if (path == "/") return Text(200, Index());
  if (path == "/healthz") return Text(200, "ok\n");
  if (path == "/metrics") return AnswerMetrics(request);
  if (path == "/readyz") {
    if (!dataplane_.serving()) return Text(503, "no snapshot is served yet\n");
    if (dataplane_.draining()) return Text(503, "draining\n");
    return Text(200, "ready\n");
  }
  if (known->method == "POST") return AnswerAction(path.substr(1), query);
  return AnswerPage(path.substr(1), query);
}

web::HttpResponse AdminPages::AnswerMetrics(const web::HttpRequest& request) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  if (path != "/metrics") return Text(404, "not found; metrics are at /metrics\n");
  if (request.method != "GET") return WrongMethod("GET");
  return {.status = 200,
          .content_type = "text/plain; version=0.0.4; charset=utf-8",
          .body = metrics_(),
          .allow = {}};
}

web::HttpResponse AdminPages::AnswerPage(std::string_view name, std::string_view query) {
  const QueryValues values = ParseQuery(query);
  absl::StatusOr<json> page;
  if (name == "explain") {
    v1::ExplainOnNode request;
    request.set_method(ValueOf(values, "method", "GET"));
    request.set_url(ValueOf(values, "url", ""));
    request.set_service(ValueOf(values, "service", ""));
    for (auto [it, end] = values.equal_range("header"); it != end; ++it) {
      request.add_headers(it->second);
    }
    page = Explain(request);
  } else {
    page = Dump(name);
  }
  if (!page.ok()) return Problem(page.status());
  return {.status = 200,
          .content_type = "application/json",
          .body = ToText(*page, values.contains("pretty") ? 2 : -1) + "\n",
          .allow = {}};
}

web::HttpResponse AdminPages::AnswerAction(std::string_view name, std::string_view query) {
  if (name == "log-level") {
    const absl::Status status = base::SetLogLevel(ValueOf(ParseQuery(query), "level", ""));
    if (!status.ok()) return Problem(status);
    return Text(200, std::string(base::CurrentLogLevel()) + "\n");
  }
  const absl::Status status = SetDraining(name == "drain", "the admin address");
  if (!status.ok()) return Text(503, std::string(status.message()) + "\n");
  return Text(200, dataplane_.draining() ? "draining\n" : "accepting\n");
}

absl::Status AdminPages::SetDraining(bool draining, std::string_view asked_by) {
  if (dataplane_.draining() == draining) return absl::OkStatus();
  base::LogInfo("{} asked for by {}", draining ? "drain" : "undrain", asked_by);
  dataplane_.SetDraining(draining);
  if (dataplane_.draining() == draining) return absl::OkStatus();
  return absl::UnavailableError("an address could not be listened on again; the log says which");
}

absl::StatusOr<json> AdminPages::Dump(std::string_view name) const {
  if (name == "config") return DumpConfig(activator_.active(), activator_.active_version());
  if (name == "clusters") return dataplane_.DumpClusters();
  if (name == "listeners") return dataplane_.DumpListeners();
  if (name == "connections") return dataplane_.DumpConnections();
  if (name == "stats") return dataplane_.DumpStats();
  return absl::NotFoundError(fmt::format(
      "no dump is called \"{}\"; there are config, clusters, listeners, connections, stats", name));
}

absl::StatusOr<json> AdminPages::Explain(const v1::ExplainOnNode& request) const {
  if (!activator_.has_active()) return absl::FailedPreconditionError("no snapshot is served yet");
  return ExplainOnNode(activator_.active(), dataplane_.DumpClusters(), request);
}

absl::StatusOr<std::string> AdminPages::Run(const v1::Command& command) {
  absl::StatusOr<json> answer = json::object();
  switch (command.command_case()) {
    case v1::Command::kDrain:
    case v1::Command::kUndrain:
      RETURN_IF_ERROR(SetDraining(command.has_drain(), "the controller"));
      answer = json{{"draining", dataplane_.draining()}};
      break;
    case v1::Command::kSetLogLevel:
      RETURN_IF_ERROR(base::SetLogLevel(command.set_log_level().level()));
      answer = json{{"log_level", base::CurrentLogLevel()}};
      break;
    case v1::Command::kExplain:
      answer = Explain(command.explain());
      break;
    case v1::Command::kDump:
      answer = Dump(command.dump().what());
      break;
    case v1::Command::COMMAND_NOT_SET:
      return absl::UnimplementedError("this proxy does not know the command; it is older");
  }
  if (!answer.ok()) return answer.status();
  return ToText(*answer, -1);
}

}  // namespace sluice::control
