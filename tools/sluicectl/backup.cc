// sluicectl backup: a copy of the controller's store as a file.
#include "controlplane/store/backup.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "common/base/atomic_file.h"
#include "common/base/status_macros.h"
#include "tools/sluicectl/format.h"
#include "tools/sluicectl/session.h"
#include "tools/sluicectl/verbs.h"

namespace sluice::sluicectl {
namespace {

absl::StatusOr<v1::BackupHeader> Fetch(const std::string& path, ControllerClient& client,
                                       uint64_t* bytes) {
  ASSIGN_OR_RETURN(base::AtomicFile file, base::AtomicFile::Create(path, 0600));
  v1::BackupRequest request;
  request.set_author(DefaultAuthor());
  RETURN_IF_ERROR(client.Backup(request, [&](std::string_view piece) {
    *bytes += piece.size();
    return file.Append(piece);
  }));
  // What cannot be restored must not pass for a backup.
  ASSIGN_OR_RETURN(const v1::BackupHeader header, store::CheckBackup(file.temporary()));
  RETURN_IF_ERROR(file.Commit());
  return header;
}

ExitCode Run(const std::string& path, Session& session) {
  ControllerClient* client = session.Client();
  if (client == nullptr) return ExitCode::kUsage;
  uint64_t bytes = 0;
  const auto header = Fetch(path, *client, &bytes);
  if (!header.ok()) return session.Fail(header.status());
  if (!IsForPeople(session.format())) {
    session.PrintJson(ToJson(*header));
    return ExitCode::kDone;
  }
  Text text;
  text.Line(fmt::format("{}: {}, up to version {} (current: {}), epoch {}.", path,
                        FormatBytes(bytes), header->revision(), header->current_revision(),
                        header->epoch()));
  text.Line(header->seal_key_name().empty()
                ? "The private keys in it lie open."
                : fmt::format("The private keys in it are sealed with key {}, which is not in it: "
                              "keep a copy of that key apart.",
                              header->seal_key_name()));
  session.Print(text);
  return ExitCode::kDone;
}

}  // namespace

Command BackupCommand() {
  // Not `-o` alone: that is the format of what is printed.
  auto path = std::make_shared<std::string>();
  Command command;
  command.name = "backup";
  command.summary = "Copy the controller's store to a file while it works";
  command.details =
      "The copy is of one moment: versions, audit log, nodes, tokens and the controller's CA, as a "
      "file for 'sluicectl restore'. Private keys in it are sealed. The key that they are sealed "
      "with (seal.key in the data directory, or what --seal-key-file and the like gave the "
      "controller) is not in it, and neither is the credential in operator/, which is made anew: "
      "keep a copy of the seal key apart, neither is of any use alone. Documents and the audit log "
      "can be read in it: only its owner can (0600), and so it should stay wherever it is kept.";
  command.positionals = {{"FILE", "Where to write it; replaced if it is there", path.get()}};
  command.run = [path](Session& session) { return Run(*path, session); };
  return command;
}

}  // namespace sluice::sluicectl
