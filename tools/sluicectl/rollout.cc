// sluicectl rollout ...: how a version goes through the fleet, and what can be done about it.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/sluicectl/release.h"
#include "tools/sluicectl/rollout_text.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

using Action = v1::RolloutActionRequest;

void Print(const v1::Rollout& rollout, Session& session) {
  if (IsForPeople(session.format())) {
    session.Print(RolloutText(rollout, session.console().now_unix_ms()));
  } else {
    session.PrintJson(ToJson(rollout));
  }
}

ExitCode Answer(const absl::StatusOr<v1::Rollout>& rollout, Session& session) {
  if (!rollout.ok()) return session.Fail(rollout.status());
  Print(*rollout, session);
  return ExitCode::kDone;
}

// Redrawn in place on a terminal; else a block, or a JSON line, for each change.
ExitCode Watch(ControllerClient& client, const v1::GetRolloutRequest& request, Session& session) {
  LiveBlock block(session.console());
  const bool live = session.console().out_is_terminal && IsForPeople(session.format());
  std::string printed;
  StreamHandler<v1::Rollout> handler;
  handler.on_message = [&](const v1::Rollout& rollout) {
    if (live) {
      block.Draw(RolloutText(rollout, session.console().now_unix_ms()));
      return true;
    }
    const std::string bytes = rollout.SerializeAsString();
    if (bytes == printed) return true;
    printed = bytes;
    if (IsForPeople(session.format())) {
      Print(rollout, session);
    } else {
      session.console().write_out(Encode(ToJson(rollout), session.format(), Layout::kStream));
    }
    return true;
  };
  const absl::Status ended = client.WatchRollout(request, handler);
  return ended.ok() ? ExitCode::kDone : session.Fail(ended);
}

struct StatusOptions {
  uint64_t revision = 0;
  bool watch = false;
};

ExitCode RunStatus(const StatusOptions& options, Session& session) {
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  v1::GetRolloutRequest request;
  request.set_revision(options.revision);
  if (options.watch) return Watch(*client, request, session);
  return Answer(client->GetRollout(request), session);
}

Command StatusVerb() {
  auto options = std::make_shared<StatusOptions>();
  Command command;
  command.name = "status";
  command.summary = "Show waves, nodes, and gates with the figures they judge";
  command.flags = {
      {"-w,--watch", "", "Follow it to its end", &options->watch},
      {"--of", "N", "The rollout of version N (default: the newest)", &options->revision}};
  command.run = [options](Session& session) { return RunStatus(*options, session); };
  return command;
}

ExitCode RunAction(Action::Action action, const std::string& reason, Session& session) {
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  Action request;
  request.set_action(action);
  request.set_reason(reason);
  request.set_author(DefaultAuthor());
  return Answer(client->ActOnRollout(request), session);
}

Command ActionVerb(const std::string& name, const std::string& summary, Action::Action action) {
  auto reason = std::make_shared<std::string>();
  Command command;
  command.name = name;
  command.summary = summary;
  command.flags = {{"-m,--message", "TEXT", "Why, for the audit log", reason.get()}};
  command.run = [reason, action](Session& session) { return RunAction(action, *reason, session); };
  return command;
}

struct RetryOptions {
  std::string message;
  bool wait = false;
  DurationMs timeout;
};

// The same content again, as a new version, in the same waves.
ExitCode RunRetry(const RetryOptions& options, Session& session) {
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  const auto rollout = client->GetRollout({});
  if (!rollout.ok()) return session.Fail(rollout.status());
  if (!IsOver(rollout->state()) || rollout->state() == v1::Rollout::COMPLETED) {
    return session.Fail(ExitCode::kFailed,
                        fmt::format("there is nothing to retry: the rollout of version {} is {}",
                                    rollout->version().revision(), RolloutSummary(*rollout)));
  }
  v1::RollbackRequest request;
  request.set_to_revision(rollout->version().revision());
  request.set_wait(options.wait);
  request.set_message(options.message.empty()
                          ? fmt::format("retry of version {}", rollout->version().revision())
                          : options.message);
  request.set_author(DefaultAuthor());
  request.mutable_strategy()->set_kind(v1::StrategyChoice::WAVES);
  request.set_force(true);
  request.set_timeout_ms(static_cast<uint32_t>(options.timeout.value));
  return FollowRollback(*client, request, session);
}

Command RetryVerb() {
  auto options = std::make_shared<RetryOptions>();
  Command command;
  command.name = "retry";
  command.summary = "Release what was taken back once more, in the same waves";
  command.flags = {
      {"-m,--message", "TEXT", "Why, for the history", &options->message},
      {"--wait", "", "Follow it to its end", &options->wait},
      {"--timeout", "DURATION", "Give up waiting after this (default: never)", &options->timeout}};
  command.run = [options](Session& session) { return RunRetry(*options, session); };
  return command;
}

}  // namespace

Command RolloutCommand() {
  Command command;
  command.name = "rollout";
  command.summary = "Follow or steer a version on its way through the fleet";
  command.children = {
      StatusVerb(),
      ActionVerb("pause", "Release no further wave", Action::PAUSE),
      ActionVerb("resume", "Go on after a pause; the wave is judged anew", Action::RESUME),
      ActionVerb("promote", "Release the next wave now, without the rest of bake and gates",
                 Action::PROMOTE),
      ActionVerb("abort", "Take every node back to the version before", Action::ABORT),
      RetryVerb(),
  };
  return command;
}

}  // namespace sluice::sluicectl
