// The part of the store that keeps rollouts in waves.
#include <fmt/format.h>

#include "common/base/status_macros.h"
#include "controlplane/store/version_store.h"

namespace sluice::store {
namespace {

absl::StatusOr<v1::Rollout> ReadRecord(Statement row, const std::string& missing) {
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return absl::NotFoundError(missing);
  v1::Rollout rollout;
  if (!rollout.ParseFromString(row.Text(0))) {
    return absl::DataLossError("the record of a rollout is damaged");
  }
  return rollout;
}

}  // namespace

absl::Status VersionStore::SaveRollout(const v1::Rollout& rollout, VersionState state) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  RETURN_IF_ERROR(transaction.Begin());
  RETURN_IF_ERROR(database_.Prepare("INSERT OR REPLACE INTO rollout VALUES (?, ?)")
                      .Bind(static_cast<int64_t>(rollout.version().revision()))
                      .BindBlob(rollout.SerializeAsString())
                      .Run());
  RETURN_IF_ERROR(WriteState(rollout.version().revision(), state));
  return transaction.Commit();
}

absl::StatusOr<v1::Rollout> VersionStore::LatestRollout() const {
  const std::lock_guard lock(mutex_);
  return ReadRecord(database_.Prepare("SELECT record FROM rollout ORDER BY revision DESC LIMIT 1"),
                    "nothing was released in waves yet; `sluicectl apply --strategy waves` does");
}

absl::StatusOr<v1::Rollout> VersionStore::GetRollout(uint64_t revision) const {
  const std::lock_guard lock(mutex_);
  Statement row = database_.Prepare("SELECT record FROM rollout WHERE revision = ?");
  row.Bind(static_cast<int64_t>(revision));
  return ReadRecord(std::move(row), fmt::format("version {} was not released in waves", revision));
}

absl::Status VersionStore::MarkBad(const std::string& root, const std::string& why) {
  const std::lock_guard lock(mutex_);
  return InTransaction(database_, [&] {
    return database_.Prepare("INSERT OR REPLACE INTO bad_root VALUES (?, ?)")
        .BindBlob(root)
        .Bind(why)
        .Run();
  });
}

absl::Status VersionStore::ClearBad(const std::string& root) {
  const std::lock_guard lock(mutex_);
  return InTransaction(database_, [&] {
    return database_.Prepare("DELETE FROM bad_root WHERE root = ?").BindBlob(root).Run();
  });
}

absl::StatusOr<std::string> VersionStore::WhyBad(const std::string& root) const {
  const std::lock_guard lock(mutex_);
  Statement row = database_.Prepare("SELECT why FROM bad_root WHERE root = ?");
  ASSIGN_OR_RETURN(const bool found, row.BindBlob(root).Step());
  return found ? row.Text(0) : std::string();
}

}  // namespace sluice::store
