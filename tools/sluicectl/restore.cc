// sluicectl restore: puts a backup in the place of a data directory. Without a controller.
#include "controlplane/store/restore.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "tools/sluicectl/format.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

struct Options {
  std::string path, data_dir;
  bool force = false;
};

std::string SealKeyText(const store::RestoredStore& restored, const std::string& data_dir) {
  const std::string& name = restored.header.seal_key_name();
  const std::string remedy = fmt::format(
      "put it into {}/seal.key, or give it to the controller (--seal-key-file, --seal-key-command, "
      "SLUICE_CONTROLLER_SEAL_KEY), which does not start without",
      data_dir);
  switch (restored.seal_key) {
    case store::SealKey::kNone:
      return "";
    case store::SealKey::kInPlace:
      return fmt::format("Its private keys are sealed with key {}, which is in {}/seal.key.", name,
                         data_dir);
    case store::SealKey::kMissing:
      return fmt::format("Its private keys are sealed with key {}, which is in no backup: {}.",
                         name, remedy);
    case store::SealKey::kOther:
      return fmt::format(
          "Its private keys are sealed with key {}; the seal.key that was here is another one and "
          "is set aside: {}.",
          name, remedy);
  }
  __builtin_unreachable();
}

ExitCode Run(const Options& options, Session& session) {
  const auto restored = store::RestoreBackup(options.path, options.data_dir,
                                             {.force = options.force, .author = DefaultAuthor()});
  if (!restored.ok()) {
    return session.Fail(ExitCode::kFailed, std::string(restored.status().message()));
  }
  if (!IsForPeople(session.format())) {
    Json json = ToJson(restored->header);
    json["new_epoch"] = restored->epoch;
    json["replaced"] = restored->replaced;
    json["seal_key_in_place"] = restored->seal_key == store::SealKey::kInPlace ||
                                restored->seal_key == store::SealKey::kNone;
    session.PrintJson(json);
    return ExitCode::kDone;
  }
  Text text;
  text.Line(fmt::format(
      "{} holds the store of {} now: up to version {} (current: {}), epoch {} (was {}).",
      options.data_dir, FormatTime(static_cast<int64_t>(restored->header.created_unix_ms() / 1000)),
      restored->header.revision(), restored->header.current_revision(), restored->epoch,
      restored->header.epoch()));
  if (!restored->replaced.empty()) {
    text.Line(fmt::format("What was there is in {}; remove it when it is not needed any more.",
                          restored->replaced));
  }
  const std::string seal_key = SealKeyText(*restored, options.data_dir);
  if (!seal_key.empty()) text.Line(seal_key);
  text.Line("Start the controller on it; the nodes come to what it says is current.");
  session.Print(text);
  return ExitCode::kDone;
}

}  // namespace

Command RestoreCommand() {
  auto options = std::make_shared<Options>();
  Command command;
  command.name = "restore";
  command.summary = "Make a controller's data directory from a backup";
  command.details =
      "Runs on the controller's machine, while no controller does. The file is checked whole "
      "before anything is touched; one that was cut short or altered, or that a newer release "
      "wrote, is refused. Revisions go on from where the backup ended, under a new epoch, so that "
      "a version made after the backup is never taken for one made after the restore; nodes that "
      "are ahead come back to what the restored store says is current, without losing a request. A "
      "rollout in waves that was under way is aborted. Who is trusted is as it was then: what was "
      "revoked since is trusted again, and who joined since needs a new token; join tokens that "
      "had not been used are revoked. The key that private keys are sealed with is in no backup: a "
      "seal.key that is there stays if it is the right one, and is refused if it is another.";
  command.flags = {
      {.names = "--data-dir",
       .value_name = "DIR",
       .help = "The controller's data directory",
       .target = &options->data_dir,
       .required = true},
      {"--force", "", "Also where the directory is not empty; what is there is set aside, below it",
       &options->force}};
  command.positionals = {{"FILE", "What 'sluicectl backup' wrote", &options->path}};
  command.run = [options](Session& session) { return Run(*options, session); };
  return command;
}

}  // namespace sluice::sluicectl
