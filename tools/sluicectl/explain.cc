// sluicectl explain: which route a request takes and why.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/sluicectl/format.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

struct Options {
  std::string node;
  std::string service;
  std::string method;
  std::string url;
  std::vector<std::string> headers;
};

constexpr size_t kLabelColumns = 11;

void AddCandidates(Text* text, const v1::ExplainResponse& response) {
  if (response.candidates().empty()) return;
  text->Line("Routes, in order:", Style::kBold);
  for (const auto& candidate : response.candidates()) {
    text->Add("  ").AddPadded(candidate.matched() ? "won" : "lost", 6,
                              candidate.matched() ? Style::kGreen : Style::kDim);
    text->Add(candidate.route(), Style::kBold);
    if (!candidate.reason().empty()) text->Add(": ").Add(candidate.reason());
    text->EndLine();
  }
}

void AddUpstreams(Text* text, const v1::ExplainResponse& response) {
  for (const auto& upstream : response.upstreams()) {
    text->AddPadded("Upstream:", kLabelColumns, Style::kBold)
        .Add(upstream.upstream(), Style::kCyan);
    text->Add(fmt::format(" ({})", FormatRatio(upstream.share()))).EndLine();
    for (const auto& endpoint : upstream.endpoints()) {
      text->Add("  ").Add(endpoint.address()).Add(": ");
      text->Add(endpoint.healthy() ? "healthy" : "unhealthy",
                endpoint.healthy() ? Style::kGreen : Style::kRed);
      if (!endpoint.reason().empty()) text->Add(fmt::format(" ({})", endpoint.reason()));
      text->EndLine();
    }
  }
}

Text ExplainText(const v1::ExplainResponse& response, const std::string& node) {
  Text text;
  const auto line = [&text](const char* label, const std::string& value) {
    if (!value.empty()) text.AddPadded(label, kLabelColumns, Style::kBold).Add(value).EndLine();
  };
  line("Node:", node);
  if (response.version().revision() != 0) {
    line("Version:", fmt::format("{}", response.version().revision()));
  }
  line("Service:", response.service());
  AddCandidates(&text, response);
  line("Route:", response.route().empty() ? "none matches" : response.route());
  line("Because:", response.reason());
  if (response.status() != 0)
    line("Answer:", fmt::format("{}, by the proxy itself", response.status()));
  line("Path sent:", response.path_sent());
  line("Host sent:", response.host_sent());
  AddUpstreams(&text, response);
  return text;
}

ExitCode Run(const Options& options, Session& session) {
  for (const std::string& header : options.headers) {
    if (header.find(':') == std::string::npos || header.front() == ':') {
      return session.Fail(ExitCode::kUsage,
                          fmt::format("-H '{}': write it as 'Name: value'", header));
    }
  }
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  v1::ExplainRequest request;
  request.set_node_id(options.node);
  request.set_method(options.method);
  request.set_url(options.url);
  request.set_service(options.service);
  for (const std::string& header : options.headers) request.add_headers(header);
  const auto response = client->Explain(request);
  if (!response.ok()) return session.Fail(response.status());
  if (!IsForPeople(session.format())) {
    session.PrintJson(ToJson(*response));
    return ExitCode::kDone;
  }
  session.Print(ExplainText(*response, options.node));
  if (response->node_json().empty()) return ExitCode::kDone;
  const auto own = ParseJson(response->node_json());
  if (!own.ok()) return session.Fail(own.status());
  session.Print(Text().Line("The node's own answer:", Style::kBold));
  session.console().write_out(Encode(*own, Format::kJson));
  return ExitCode::kDone;
}

}  // namespace

Command ExplainCommand() {
  auto options = std::make_shared<Options>();
  Command command;
  command.name = "explain";
  command.summary = "Show which route a request takes, why each earlier one lost, and what follows";
  command.details =
      "Without --node the controller answers from the current version, by the code the proxies "
      "run.";
  command.positionals = {{"METHOD", "GET, POST, ...", &options->method},
                         {"URL", "http://host:port/path?query", &options->url}};
  command.flags = {
      {"--node", "ID", "Ask this node instead of the controller", &options->node},
      {"--service", "NAME", "The service asked (default: by the URL's port)", &options->service},
      {"-H,--header", "'NAME: VALUE'", "A header of the request; repeatable", &options->headers}};
  command.run = [options](Session& session) { return Run(*options, session); };
  return command;
}

}  // namespace sluice::sluicectl
