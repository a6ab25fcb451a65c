// A controller's copy of the shared store: a data directory like any other, kept up with the log.
//
// One thread. While it is open nobody else uses the directory; who is to lead closes it and opens
// the store in its place.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "controlplane/replica/shared_log.h"
#include "controlplane/store/database.h"

namespace sluice::replica {

class Follower {
 public:
  // `log` must outlive it.
  static absl::StatusOr<std::unique_ptr<Follower>> Open(const std::string& directory,
                                                        SharedLog& log);

  // Until everything is here that was in the log when this was called. kNotFound: nobody has begun
  // one, whatever is here. kFailedPrecondition: what is here is another store.
  absl::Status CatchUp();

  // Begins a log with what is here, which is a whole store: its first entry follows what is here
  // now. By who leads, before it puts a base. `was_copy`: of a store that was shared before. Other
  // copies of it may have more, and are told apart by another epoch from now on.
  absl::Status BeginLog(bool was_copy);

  // Of the last entry that is here.
  int64_t position() const { return mark_.position; }
  // Null: there is no store here yet.
  store::Database* database() { return database_.has_value() ? &*database_ : nullptr; }

 private:
  Follower(std::string directory, base::UniqueFd lock, SharedLog& log)
      : directory_(std::move(directory)), lock_(std::move(lock)), log_(log) {}
  absl::Status OpenDatabase();
  absl::Status CheckIsSameStore(const v1::BaseInfo& base);
  bool IsOutdated(const v1::BaseInfo& base) const;
  absl::Status FetchBase();
  absl::Status PutInPlace(const std::string& fresh);
  // kOutOfRange, kDataLoss: the base is needed.
  absl::Status ApplyNew();

  const std::string directory_;
  const base::UniqueFd lock_;
  SharedLog& log_;
  std::optional<store::Database> database_;  // None: there is no store yet.
  uint32_t schema_ = 0;
  store::JournalMark mark_;
};

}  // namespace sluice::replica
