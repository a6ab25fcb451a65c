// sluicectl rollback: release an earlier version's content as a new version.
#include <memory>

#include "tools/sluicectl/release.h"
#include "tools/sluicectl/strategy_flags.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

struct Options {
  uint64_t to = 0;
  bool wait = false;
  std::string message;
  bool partial = false;
  DurationMs timeout;
  StrategyFlags strategy;
};

ExitCode Run(const Options& options, Session& session) {
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  v1::RollbackRequest request;
  request.set_to_revision(options.to);
  request.set_wait(options.wait);
  request.set_message(options.message);
  request.set_author(DefaultAuthor());
  request.set_partial(options.partial);
  request.set_timeout_ms(static_cast<uint32_t>(options.timeout.value));

  *request.mutable_strategy() = ChoiceOf(options.strategy);
  request.set_force(options.strategy.force);
  return FollowRollback(*client, request, session);
}

}  // namespace

Command RollbackCommand() {
  auto options = std::make_shared<Options>();
  Command command;
  command.name = "rollback";
  command.summary = "Release an earlier version again, as a new one";
  command.flags = {
      {"--to", "N",
       "The version to go back to (default: out of a rollout that is under way, else the last "
       "effective one before the current)",
       &options->to},
      {"--wait", "", "Show every node's progress and end when all are effective", &options->wait},
      {"-m,--message", "TEXT", "Why, for the history", &options->message},
      {"--partial", "", "Release to the nodes that can take it even if others reject it",
       &options->partial},
      {"--timeout", "DURATION", "Give up waiting after this (default 60s; in waves: never)",
       &options->timeout}};
  for (Flag& flag : StrategyFlagsOf(&options->strategy)) command.flags.push_back(std::move(flag));
  command.run = [options](Session& session) { return Run(*options, session); };
  return command;
}

}  // namespace sluice::sluicectl
