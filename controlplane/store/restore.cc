#include "controlplane/store/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/trust/seal_key.h"
#include "controlplane/store/backup.h"
#include "controlplane/store/data_folder.h"
#include "controlplane/store/database.h"
#include "controlplane/store/schema.h"
#include "controlplane/store/version_store.h"
#include "sluice/v1/rollout.pb.h"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

// The names at the top of the directory that are there to stay.
absl::StatusOr<std::vector<std::string>> Present(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name == "lock" || name.starts_with(kTemporaryPrefix) || name.starts_with(kReplacedPrefix)) {
      continue;
    }
    names.push_back(name);
  }
  if (error) return base::ErrnoStatus(error.value(), "list " + directory);
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status Move(const fs::path& from, const fs::path& to) {
  if (rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return base::ErrnoStatus(errno, fmt::format("rename {} to {}", from.string(), to.string()));
}

absl::Status SyncFolder(const std::string& folder) {
  const base::UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || fsync(fd.get()) != 0) return base::ErrnoStatus(errno, "sync " + folder);
  return absl::OkStatus();
}

// The rollout in waves that was under way. Everybody goes to what is current.
absl::Status AbortRollout(Database& database, int64_t now_ms) {
  std::vector<v1::Rollout> under_way;
  {
    Statement rows = database.Prepare(
        "SELECT record FROM rollout JOIN version USING (revision) WHERE version.state = ?");
    rows.Bind(static_cast<int64_t>(VersionState::kRolling));
    for (;;) {
      ASSIGN_OR_RETURN(const bool row, rows.Step());
      if (!row) break;
      if (!under_way.emplace_back().ParseFromString(rows.Text(0))) {
        return absl::DataLossError("the record of its rollout is damaged");
      }
    }
  }
  for (v1::Rollout& rollout : under_way) {
    const auto revision = static_cast<int64_t>(rollout.version().revision());
    rollout.set_state(v1::Rollout::ABORTED);
    rollout.set_reason("the store was restored from a backup");
    rollout.set_ended_unix_ms(static_cast<uint64_t>(now_ms));
    RETURN_IF_ERROR(database.Prepare("UPDATE rollout SET record = ? WHERE revision = ?")
                        .BindBlob(rollout.SerializeAsString())
                        .Bind(revision)
                        .Run());
    RETURN_IF_ERROR(database.Prepare("UPDATE version SET state = ? WHERE revision = ?")
                        .Bind(static_cast<int64_t>(VersionState::kTakenBack))
                        .Bind(revision)
                        .Run());
  }
  return absl::OkStatus();
}

absl::Status RevokeUnusedJoinTokens(Database& database, int64_t now_ms) {
  return database
      .Prepare("UPDATE token SET revoked_ms = ? WHERE role = '' AND used_ms = 0 AND revoked_ms = 0")
      .Bind(now_ms)
      .Run();
}

// Begins the new life: `epoch`.
absl::Status BeginAnew(Database& database, const v1::BackupHeader& header, int64_t epoch,
                       const std::string& author, int64_t now_ms) {
  Transaction transaction(database);
  RETURN_IF_ERROR(transaction.Begin());
  RETURN_IF_ERROR(
      database.Prepare("UPDATE meta SET value = ? WHERE key = 'epoch'").Bind(epoch).Run());
  if (database.changes() != 1) return absl::DataLossError("its store has no epoch");
  RETURN_IF_ERROR(AbortRollout(database, now_ms));
  RETURN_IF_ERROR(RevokeUnusedJoinTokens(database, now_ms));
  RETURN_IF_ERROR(
      database
          .Prepare(
              "INSERT INTO audit (unix_ms, author, peer, action, detail) VALUES (?, ?, ?, ?, ?)")
          .Bind(now_ms)
          .Bind(author)
          .Bind("the controller's machine")
          .Bind("restore")
          .Bind(fmt::format("a backup of version {}, epoch {}, now epoch {}", header.revision(),
                            header.epoch(), epoch))
          .Run());
  return transaction.Commit();
}

// Of the extracted store. The epoch.
absl::StatusOr<uint64_t> BringUpToDate(const std::string& path, const v1::BackupHeader& header,
                                       const std::string& author) {
  ASSIGN_OR_RETURN(Database database, Database::Open(path));
  {
    Statement check = database.Prepare("PRAGMA quick_check(1)");
    ASSIGN_OR_RETURN(const bool checked, check.Step());
    if (!checked || check.Text(0) != "ok") return absl::DataLossError("its store is damaged");
  }
  RETURN_IF_ERROR(PrepareSchema(database, static_cast<int64_t>(header.epoch())));
  const int64_t now_ms = base::UnixMillis();
  const int64_t epoch = std::max(now_ms, static_cast<int64_t>(header.epoch()) + 1);
  RETURN_IF_ERROR(BeginAnew(database, header, epoch, author, now_ms));
  // One file, without a log beside it.
  RETURN_IF_ERROR(database.Execute("PRAGMA journal_mode=DELETE"));
  return static_cast<uint64_t>(epoch);
}

SealKey FindSealKey(const std::string& directory, const v1::BackupHeader& header) {
  if (header.seal_key_name().empty()) return SealKey::kNone;
  trust::SealKeySource source;
  source.file = fmt::format("{}/{}", directory, kSealKeyName);
  const auto found = trust::LoadSealer(source);
  if (absl::IsNotFound(found.status())) return SealKey::kMissing;
  return found.ok() && found->key_name() == header.seal_key_name() ? SealKey::kInPlace
                                                                   : SealKey::kOther;
}

// Old ones aside, then the new ones in.
absl::StatusOr<std::string> Exchange(const std::string& directory, const std::string& fresh,
                                     const std::vector<std::string>& present) {
  std::string replaced;
  if (!present.empty()) {
    replaced = fmt::format("{}/{}{}", directory, kReplacedPrefix, base::UnixMillis());
    RETURN_IF_ERROR(base::MakeDirectory(replaced, 0700));
    for (const std::string& name : present) {
      RETURN_IF_ERROR(Move(fs::path(directory) / name, fs::path(replaced) / name));
    }
  }
  ASSIGN_OR_RETURN(std::vector<std::string> names, Present(fresh));
  // The store last: without it the directory does not pass for a whole one.
  std::erase(names, kDatabaseName);
  names.push_back(kDatabaseName);
  for (const std::string& name : names) {
    RETURN_IF_ERROR(Move(fs::path(fresh) / name, fs::path(directory) / name));
  }
  RETURN_IF_ERROR(SyncFolder(directory));
  return replaced;
}

}  // namespace

absl::StatusOr<RestoredStore> RestoreBackup(const std::string& path, const std::string& directory,
                                            const RestoreOptions& options) {
  RestoredStore restored;
  ASSIGN_OR_RETURN(restored.header, CheckBackup(path));
  ASSIGN_OR_RETURN(const base::UniqueFd lock, LockDataFolder(directory));
  restored.seal_key = FindSealKey(directory, restored.header);
  if (restored.seal_key == SealKey::kOther && !options.force) {
    return absl::FailedPreconditionError(
        fmt::format("{}: its secrets are sealed with key {}, and {}/{} is another: put the right "
                    "one there, or --force to set this one aside",
                    path, restored.header.seal_key_name(), directory, kSealKeyName));
  }
  ASSIGN_OR_RETURN(std::vector<std::string> present, Present(directory));
  if (restored.seal_key == SealKey::kInPlace) std::erase(present, kSealKeyName);
  if (!present.empty() && !options.force) {
    return absl::FailedPreconditionError(
        fmt::format("the data directory {} is not empty (it has {}): give another --data-dir, or "
                    "--force to set aside what is there",
                    directory, present.front()));
  }
  const std::string fresh = fmt::format("{}/{}restore", directory, kTemporaryPrefix);
  RETURN_IF_ERROR(base::MakeDirectory(fresh, 0700));
  const auto fill = [&]() -> absl::Status {
    RETURN_IF_ERROR(ExtractBackup(path, fresh).status());
    const auto epoch =
        BringUpToDate(fmt::format("{}/{}", fresh, kDatabaseName), restored.header, options.author);
    if (!epoch.ok()) {
      return absl::Status(epoch.status().code(),
                          fmt::format("{}: {}; take another backup, nothing of this one is used",
                                      path, std::string(epoch.status().message())));
    }
    restored.epoch = *epoch;
    ASSIGN_OR_RETURN(restored.replaced, Exchange(directory, fresh, present));
    return absl::OkStatus();
  };
  const absl::Status filled = fill();
  std::error_code ignored;
  fs::remove_all(fresh, ignored);
  RETURN_IF_ERROR(filled);
  return restored;
}

}  // namespace sluice::store
