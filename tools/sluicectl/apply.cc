// sluicectl apply: validate, store and release a document.
#include <memory>

#include "tools/sluicectl/document.h"
#include "tools/sluicectl/release.h"
#include "tools/sluicectl/strategy_flags.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

struct Options {
  std::string path;
  bool wait = false;
  std::string dry_run;
  uint64_t if_version = 0;
  std::string message;
  bool partial = false;
  bool allow_shrink = false;
  DurationMs timeout;
  StrategyFlags strategy;
};

v1::ApplyRequest::DryRun DryRunOf(const std::string& word) {
  if (word == "server") return v1::ApplyRequest::SERVER;
  if (word == "nodes") return v1::ApplyRequest::NODES;
  return v1::ApplyRequest::NONE;
}

ExitCode Run(const Options& options, Session& session) {
  auto document = LoadDocument(options.path, session.console());
  if (!document.ok())
    return session.Fail(ExitCode::kFailed, std::string(document.status().message()));
  AttachReferenced(options.path, &*document);
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;

  v1::ApplyRequest request;
  *request.mutable_document() = *std::move(document);
  request.set_message(options.message);
  request.set_author(DefaultAuthor());
  request.set_if_version(options.if_version);
  request.set_wait(options.wait);
  request.set_partial(options.partial);
  request.set_allow_shrink(options.allow_shrink);
  request.set_dry_run(DryRunOf(options.dry_run));
  request.set_timeout_ms(static_cast<uint32_t>(options.timeout.value));
  *request.mutable_strategy() = ChoiceOf(options.strategy);
  request.set_force(options.strategy.force);

  ReleaseView view(session, {options.wait, request.dry_run(), &request.document()});
  StreamHandler<v1::ApplyProgress> handler;
  handler.on_message = [&view](const v1::ApplyProgress& progress) {
    view.OnProgress(progress);
    return true;
  };
  handler.on_tick = [&view] { view.OnTick(); };
  return view.Finish(client->Apply(request, TimeoutOf(options.wait, options.timeout), handler));
}

}  // namespace

Command ApplyCommand() {
  auto options = std::make_shared<Options>();
  Command command;
  command.name = "apply";
  command.summary = "Validate, store and release a configuration";
  command.details =
      "Certificates and keys that the document names and this machine has are sent along. Every "
      "node "
      "prepares the version before any takes it; one that rejects it keeps all on the old version "
      "unless --partial is given.";
  command.flags = {
      {"-f,--file",
       "FILE|DIR",
       "YAML file, directory of them, or - for standard input",
       &options->path,
       {},
       true},
      {"--wait", "", "Show every node's progress and end when all are effective", &options->wait},
      {"--dry-run",
       "WHERE",
       "server: validate and compare only; nodes: also prepare on every node",
       &options->dry_run,
       {"server", "nodes"}},
      {"--if-version", "N", "Refuse unless version N is the current one", &options->if_version},
      {"-m,--message", "TEXT", "Why, for the history", &options->message},
      {"--partial", "", "Release to the nodes that can take it even if others reject it",
       &options->partial},
      {"--allow-shrink", "", "Allow a version without most of the present routes or upstreams",
       &options->allow_shrink},
      {"--timeout", "DURATION", "Give up waiting after this (default 60s; in waves: never)",
       &options->timeout}};
  for (Flag& flag : StrategyFlagsOf(&options->strategy)) command.flags.push_back(std::move(flag));
  command.run = [options](Session& session) { return Run(*options, session); };
  return command;
}

}  // namespace sluice::sluicectl
