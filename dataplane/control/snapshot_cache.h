// The last effective snapshots on disk, so that a proxy serves without its controller.
//
// Blocking file access; one thread at a time. Files hold private keys: they are sealed (and 0600,
// folder 0700), which also proves that they are whole; without a sealer they carry a checksum. They
// are replaced whole: a torn or damaged one is never believed, and a whole one is never given up
// for it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "common/snapshot/snapshot.h"
#include "common/trust/seal.h"

namespace sluice::control {

class SnapshotCache {
 public:
  struct Entry {
    v1::Version version;
    snapshot::Resources resources;  // Sorted; hashes and root recomputed.
  };

  // Makes the directory (and its parents) and locks it for this process. Another proxy on it is an
  // error that says so. Removes what an interrupted write left.
  static absl::StatusOr<SnapshotCache> Open(const std::string& directory);

  // Shares the lock of the process that is handing the directory over (a copy of its
  // lock_handle()): the lock is held until both have let go. Until then that process writes, this
  // one reads.
  static absl::StatusOr<SnapshotCache> Adopt(const std::string& directory, base::UniqueFd lock);
  int lock_handle() const { return lock_.get(); }

  // What is stored from now on is sealed. To be called before Load, which also reads what was never
  // sealed.
  void SetSealer(const trust::Sealer& sealer) { sealer_ = sealer; }
  bool has_sealed() const;
  // Not OK: Load found a file that was sealed with another key; the message names both.
  const absl::Status& seal_problem() const { return seal_problem_; }
  // Seals what Load found open. Only for whoever writes.
  absl::Status SealPresent() const;

  // Keeps what was newest as the previous one, unless that has the same root or is damaged. On disk
  // when it returns. After an error, and after a crash at any point, at least one snapshot that was
  // whole before still is.
  absl::Status Store(const v1::Version& version, const snapshot::Resources& resources);

  // The newest that is whole; nothing if there is none. `*problem` (not null) says what was wrong
  // with a newer one.
  std::optional<Entry> Load(std::string* problem);

  // Gives up the newest for the one before, which is newest from here on. Nothing, and nothing is
  // given up, where that one is not there, not whole, or not `acceptable`.
  std::optional<Entry> FallBack(const std::function<bool(const Entry&)>& acceptable);

  const std::string& directory() const { return directory_; }

 private:
  SnapshotCache(std::string directory, base::UniqueFd lock)
      : directory_(std::move(directory)), lock_(std::move(lock)) {}
  std::string CurrentPath() const { return directory_ + "/current.snapshot"; }
  std::string PreviousPath() const { return directory_ + "/previous.snapshot"; }
  std::string NextPath() const { return directory_ + "/next.snapshot"; }
  void RemoveLeftovers() const;
  absl::Status Rotate() const;
  absl::StatusOr<Entry> ReadEntry(const std::string& path) const;
  std::string Encode(const std::string& body) const;

  std::string directory_;
  base::UniqueFd lock_;
  // Of current.snapshot: nothing when not looked at yet, empty when there is none that is whole.
  std::optional<std::string> current_root_;
  std::optional<trust::Sealer> sealer_;
  absl::Status seal_problem_;
};

}  // namespace sluice::control
