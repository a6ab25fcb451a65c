// sluicectl node ...: what can be done to one proxy.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/sluicectl/session.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

struct Options {
  std::string node_id;
  std::string argument;
  std::vector<std::string> labels;
};

// A dump is JSON whatever the format: a table has no shape for it.
ExitCode PrintAnswer(const v1::NodeActionResponse& response, Session& session) {
  const bool for_people = IsForPeople(session.format());
  if (response.json().empty()) {
    if (for_people) {
      session.Print(Text().Line(response.message().empty() ? "done" : response.message()));
    } else {
      session.PrintJson(ToJson(response));
    }
    return ExitCode::kDone;
  }
  const auto json = ParseJson(response.json());
  if (!json.ok()) return session.Fail(json.status());
  session.console().write_out(Encode(*json, for_people ? Format::kJson : session.format()));
  return ExitCode::kDone;
}

ExitCode Run(v1::NodeActionRequest::Action action, const Options& options, Session& session) {
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  v1::NodeActionRequest request;
  request.set_node_id(options.node_id);
  request.set_action(action);
  request.set_argument(options.argument);
  request.set_author(DefaultAuthor());
  const auto response = client->NodeAction(request);
  if (!response.ok()) return session.Fail(response.status());
  return PrintAnswer(*response, session);
}

Command Action(const std::string& name, const std::string& summary,
               v1::NodeActionRequest::Action action, Positional argument) {
  auto options = std::make_shared<Options>();
  Command command;
  command.name = name;
  command.summary = summary;
  command.positionals = {{"ID", "The node, as 'get nodes' names it", &options->node_id}};
  if (!argument.name.empty()) {
    argument.target = &options->argument;
    command.positionals.push_back(std::move(argument));
  }
  command.run = [options, action](Session& session) { return Run(action, *options, session); };
  return command;
}

Command Label() {
  auto options = std::make_shared<Options>();
  Command command;
  command.name = "label";
  command.summary = "Set labels of a node, or give its own back";
  command.details =
      "KEY=VALUE sets a label, which wins over what the node says of itself (--label) and over its "
      "join token's; KEY- takes it away again. The controller keeps them, also while the node is "
      "away.";
  command.positionals = {{"ID", "The node, as 'get nodes' names it", &options->node_id},
                         {"LABEL", "KEY=VALUE or KEY-, as many as wanted", &options->labels}};
  command.run = [options](Session& session) {
    options->argument = fmt::format("{}", fmt::join(options->labels, ","));
    return Run(v1::NodeActionRequest::LABEL, *options, session);
  };
  return command;
}

Positional None() { return {"", "", static_cast<std::string*>(nullptr)}; }

}  // namespace

Command NodeCommand() {
  Command command;
  command.name = "node";
  command.summary = "Drain, cordon, label, remove, or look into one proxy";
  command.children = {
      Action("drain", "Stop taking new connections on a node and let the present ones finish",
             v1::NodeActionRequest::DRAIN, None()),
      Action("undrain", "Let a drained node take connections again", v1::NodeActionRequest::UNDRAIN,
             None()),
      Action("cordon",
             "Keep a node on the version it has: offer it nothing, leave it out of rollouts",
             v1::NodeActionRequest::CORDON, None()),
      Action("uncordon", "Let a cordoned node have the current version, and those that follow",
             v1::NodeActionRequest::UNCORDON, None()),
      Label(),
      Action(
          "remove",
          "Revoke an enrolled node's certificate and end its stream, or forget one that has gone",
          v1::NodeActionRequest::REMOVE, None()),
      Action("log-level", "Set how much a node logs, until it restarts",
             v1::NodeActionRequest::LOG_LEVEL,
             {"LEVEL",
              "Least severe level to log",
              static_cast<std::string*>(nullptr),
              {"trace", "debug", "info", "warn", "error", "off"}}),
      Action("dump", "Print a node's own state as JSON (default: config)",
             v1::NodeActionRequest::DUMP,
             {"WHAT",
              "Which part: config, clusters, listeners, connections or stats",
              static_cast<std::string*>(nullptr),
              {"config", "clusters", "listeners", "connections", "stats"},
              false}),
  };
  return command;
}

}  // namespace sluice::sluicectl
