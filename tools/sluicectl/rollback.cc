// sluicectl rollback: release an earlier version's content as a new version.
#include <memory>

#include "tools/sluicectl/release.h"
#include "tools/sluicectl/release_flags.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

struct Options {
  uint64_t to = 0;
  ReleaseFlags release;
};

ExitCode Run(const Options& options, Session& session) {
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  v1::RollbackRequest request;
  request.set_to_revision(options.to);
  Fill(&request, options.release);
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
       &options->to}};
  for (Flag& flag : ReleaseFlagsOf(&options->release)) command.flags.push_back(std::move(flag));
  command.run = [options](Session& session) { return Run(*options, session); };
  return command;
}

}  // namespace sluice::sluicectl
