// sluicectl apply: validate, store and release a document.
#include <memory>

#include "tools/sluicectl/document.h"
#include "tools/sluicectl/release.h"
#include "tools/sluicectl/release_flags.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

struct Options {
  std::string path;
  std::string dry_run;
  uint64_t if_version = 0;
  bool allow_shrink = false;
  ReleaseFlags release;
};

v1::ApplyRequest::DryRun DryRunOf(const std::string& word) {
  if (word == "server") return v1::ApplyRequest::SERVER;
  if (word == "nodes") return v1::ApplyRequest::NODES;
  return v1::ApplyRequest::NONE;
}

ExitCode Run(const Options& options, Session& session) {
  auto document = LoadWithReferenced(options.path, session.console());
  if (!document.ok())
    return session.Fail(ExitCode::kFailed, std::string(document.status().message()));
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;

  v1::ApplyRequest request;
  *request.mutable_document() = *std::move(document);
  request.set_if_version(options.if_version);
  request.set_allow_shrink(options.allow_shrink);
  request.set_dry_run(DryRunOf(options.dry_run));
  Fill(&request, options.release);
  return FollowApply(*client, request, session);
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
      {"--dry-run",
       "WHERE",
       "server: validate and compare only; nodes: also prepare on every node",
       &options->dry_run,
       {"server", "nodes"}},
      {"--if-version", "N", "Refuse unless version N is the current one", &options->if_version},
      {"--allow-shrink", "", "Allow a version without most of the present routes or upstreams",
       &options->allow_shrink}};
  for (Flag& flag : ReleaseFlagsOf(&options->release)) command.flags.push_back(std::move(flag));
  command.run = [options](Session& session) { return Run(*options, session); };
  return command;
}

}  // namespace sluice::sluicectl
