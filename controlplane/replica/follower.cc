#include "controlplane/replica/follower.h"

#include <errno.h>
#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/base/atomic_file.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "controlplane/store/backup.h"
#include "controlplane/store/data_folder.h"
#include "controlplane/store/schema.h"

namespace sluice::replica {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<uint64_t> EpochOf(store::Database& database) {
  store::Statement row = database.Prepare("SELECT value FROM meta WHERE key = 'epoch'");
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return absl::DataLossError("the store has no epoch");
  return static_cast<uint64_t>(row.Int(0));
}

absl::StatusOr<uint32_t> SchemaOf(store::Database& database) {
  store::Statement row = database.Prepare("PRAGMA user_version");
  ASSIGN_OR_RETURN(const bool found, row.Step());
  return found ? static_cast<uint32_t>(row.Int(0)) : 0;
}

bool NeedsBase(const absl::Status& status) {
  return absl::IsOutOfRange(status) || absl::IsDataLoss(status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Follower>> Follower::Open(const std::string& directory,
                                                         SharedLog& log) {
  ASSIGN_OR_RETURN(base::UniqueFd lock, store::LockDataFolder(directory));
  std::unique_ptr<Follower> follower(new Follower(directory, std::move(lock), log));
  if (fs::exists(fs::path(directory) / store::kDatabaseName)) {
    RETURN_IF_ERROR(follower->OpenDatabase());
  }
  return follower;
}

absl::Status Follower::OpenDatabase() {
  ASSIGN_OR_RETURN(store::Database database,
                   store::Database::Open(fmt::format("{}/{}", directory_, store::kDatabaseName)));
  ASSIGN_OR_RETURN(schema_, SchemaOf(database));
  mark_ = {};
  if (schema_ >= store::kJournalSchemaVersion) {
    ASSIGN_OR_RETURN(mark_, database.Mark());
  }
  database_.emplace(std::move(database));
  return absl::OkStatus();
}

absl::Status Follower::CatchUp() {
  ASSIGN_OR_RETURN(const v1::BaseInfo base, log_.Base());
  if (base.schema_version() > store::kSchemaVersion) {
    return absl::FailedPreconditionError(fmt::format(
        "the store in etcd was written by a newer release (schema {}, this one knows {}): run "
        "that release here, too",
        base.schema_version(), store::kSchemaVersion));
  }
  if (database_.has_value()) RETURN_IF_ERROR(CheckIsSameStore(base));
  if (!database_.has_value() || IsOutdated(base)) RETURN_IF_ERROR(FetchBase());
  const absl::Status applied = ApplyNew();
  if (!NeedsBase(applied)) return applied;
  base::LogWarn("{}: the whole store is fetched", std::string(applied.message()));
  RETURN_IF_ERROR(FetchBase());
  return ApplyNew();
}

absl::Status Follower::CheckIsSameStore(const v1::BaseInfo& base) {
  ASSIGN_OR_RETURN(const uint64_t epoch, EpochOf(*database_));
  if (epoch == base.epoch() && mark_.position != store::JournalMark::kNone) return absl::OkStatus();
  const std::string what =
      epoch == base.epoch()
          ? std::string("a copy of the store in etcd that was used without it since")
          : fmt::format("a store of its own (epoch {}), the one in etcd is another (epoch {})",
                        epoch, base.epoch());
  return absl::FailedPreconditionError(
      fmt::format("the data directory {} has {}: give an empty --data-dir to join the one in etcd, "
                  "or another prefix in --store to begin with this one",
                  directory_, what));
}

// What cannot be brought up to date entry by entry.
bool Follower::IsOutdated(const v1::BaseInfo& base) const {
  const bool lacks_authority =
      !base.authority().empty() && !fs::exists(fs::path(directory_) / "trust" / "ca.crt");
  return mark_.log != base.log() || schema_ != base.schema_version() || lacks_authority;
}

absl::Status Follower::BeginLog(bool was_copy) {
  if (!database_.has_value()) RETURN_IF_ERROR(OpenDatabase());
  return store::InTransaction(*database_, [this, was_copy]() -> absl::Status {
    if (was_copy) {
      RETURN_IF_ERROR(database_
                          ->Prepare("UPDATE meta SET value = max(value + 1, ?) "
                                    "WHERE key = 'epoch'")
                          .Bind(base::UnixMillis())
                          .Run());
    }
    mark_ = {.log = RandomId(), .position = 0, .entry = ""};
    return database_->SetMark(mark_);
  });
}

absl::Status Follower::ApplyNew() {
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<SharedLog::Entry> entries, log_.ReadAfter(mark_));
    if (entries.empty()) return absl::OkStatus();
    for (const SharedLog::Entry& entry : entries) {
      if (entry.schema_version != schema_) {
        return absl::OutOfRangeError("the store in etcd was written by another release");
      }
      RETURN_IF_ERROR(database_->Apply(entry.position, entry.id, entry.changeset));
      mark_.position = entry.position;
      mark_.entry = entry.id;
    }
  }
}

absl::Status Follower::FetchBase() {
  ASSIGN_OR_RETURN(const v1::BaseInfo base, log_.Base());
  const std::string fresh = fmt::format("{}/{}base", directory_, store::kTemporaryPrefix);
  const std::string path = fmt::format("{}/{}base.backup", directory_, store::kTemporaryPrefix);
  RETURN_IF_ERROR(base::MakeDirectory(fresh, 0700));
  const auto fill = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(base::AtomicFile file, base::AtomicFile::Create(path, 0600));
    RETURN_IF_ERROR(
        log_.FetchBase(base, [&file](std::string_view piece) { return file.Append(piece); }));
    RETURN_IF_ERROR(file.Commit());
    RETURN_IF_ERROR(store::ExtractBackup(path, fresh).status());
    database_.reset();
    RETURN_IF_ERROR(PutInPlace(fresh));
    return OpenDatabase();
  };
  const absl::Status filled = fill();
  std::error_code ignored;
  fs::remove_all(fresh, ignored);
  fs::remove(path, ignored);
  return filled;
}

// What is here already is part of what comes, or was. The CA's certificate comes after its key, and
// the store last: without them the directory does not pass for whole.
absl::Status Follower::PutInPlace(const std::string& fresh) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator it(fresh, error), end; !error && it != end;
       it.increment(error)) {
    const fs::path path = fs::relative(it->path(), fresh);
    if (it->is_directory()) {
      RETURN_IF_ERROR(base::MakeDirectory((fs::path(directory_) / path).string(), 0700));
    } else {
      files.push_back(path);
    }
  }
  if (error) return base::ErrnoStatus(error.value(), "list " + fresh);
  const auto rank = [](const fs::path& path) {
    return path == store::kDatabaseName ? 2 : path.filename() == "ca.crt" ? 1 : 0;
  };
  std::stable_sort(files.begin(), files.end(),
                   [rank](const fs::path& a, const fs::path& b) { return rank(a) < rank(b); });
  for (const char* suffix : {"-wal", "-shm"}) {
    fs::remove(fs::path(directory_) / (std::string(store::kDatabaseName) + suffix), error);
  }
  for (const fs::path& path : files) {
    const fs::path target = fs::path(directory_) / path;
    if (rename((fs::path(fresh) / path).c_str(), target.c_str()) != 0) {
      return base::ErrnoStatus(errno, "rename to " + target.string());
    }
  }
  return absl::OkStatus();
}

}  // namespace sluice::replica
