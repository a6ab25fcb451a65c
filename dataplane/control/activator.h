// Takes snapshots through their stages: checked, prepared, committed, effective, on disk.
//
// Control thread. One prepared snapshot at a time; the newest wins.
//
// A snapshot goes to disk after it is effective, in the background: no change waits for an fsync,
// and only what really serves is kept. A crash in between starts from the version before, and the
// controller sends this one again.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/snapshot/snapshot.h"
#include "dataplane/admin/admin_server.h"
#include "dataplane/control/cache_writer.h"
#include "dataplane/control/crash_guard.h"
#include "dataplane/control/dataplane.h"

namespace sluice::control {

struct ActivatorOptions {
  // The command line named them: it wins over the settings.
  bool keep_log_level = false;
  bool keep_log_format = false;
  CrashGuard* crash_guard = nullptr;  // Outlives the activator; null: crashes are not noticed.
};

class Activator {
 public:
  // All must outlive it. `admin` and `cache` may be null: then addresses are not managed and
  // nothing is kept on disk. Nobody else uses `cache` from here on.
  Activator(Dataplane& dataplane, admin::AdminServer* admin, SnapshotCache* cache,
            ActivatorOptions options = {});
  ~Activator();  // What waits to be written to disk is written.
  Activator(const Activator&) = delete;
  Activator& operator=(const Activator&) = delete;

  // Everything that can go wrong goes wrong here, and then nothing has changed. Empty: prepared.
  std::vector<v1::ResourceError> Prepare(snapshot::Resources resources, const v1::Version& version);
  void Discard();
  // Of what is prepared; see Dataplane.
  void BeginPreflight(uint32_t sample_percent);
  // False when the root is not what is prepared. `on_effective` runs when every worker serves it.
  bool Commit(const v1::Version& version, std::function<void()> on_effective);
  // The active resources under a new version number, for a rollback to the same root for example.
  // `on_effective` runs at once, or when the commit that is under way has become effective.
  void Renumber(const v1::Version& version, std::function<void()> on_effective);

  bool has_active() const { return !active_version_.root().empty(); }
  const v1::Version& active_version() const { return active_version_; }
  const snapshot::Resources& active() const { return active_; }
  const std::string& prepared_root() const { return prepared_version_.root(); }

  int64_t compile_micros() const { return compile_micros_; }  // Of the last Prepare.
  int64_t swap_micros() const { return swap_micros_; }  // Of the last commit, until effective.

  // The last things that went wrong, newest last.
  static constexpr size_t kErrorsKept = 16;
  static constexpr size_t kErrorBytesMax = 1024;  // Longer ones are cut.
  const std::deque<std::string>& last_errors();
  void NoteError(std::string error);

  // False: a commit is under way.
  bool settled() const { return effective_commit_ == commits_; }
  // Returns when the disk has everything.
  void WaitUntilStored();
  // Nothing is written any more; what waits is, first. The cache belongs to the caller again.
  void ReleaseCache() { cache_.reset(); }

 private:
  std::vector<v1::ResourceError> Compile(const snapshot::Resources& resources,
                                         const v1::Version& version, v1::Settings* settings);
  void OnEffective(uint64_t commit, const v1::Version& version, int64_t started_micros);
  void ApplyLogSettings(const v1::Settings& settings);
  void Store();

  Dataplane& dataplane_;
  admin::AdminServer* const admin_;
  std::unique_ptr<CacheWriter> cache_;  // Null: nothing is kept on disk.
  const ActivatorOptions options_;
  v1::Version active_version_, prepared_version_;
  snapshot::Resources active_, prepared_;
  v1::Settings prepared_settings_;
  std::string log_level_, log_format_;                 // As the settings last said.
  uint64_t commits_ = 0;                               // Number of the newest commit.
  uint64_t effective_commit_ = 0;                      // The newest that is effective.
  std::vector<std::function<void()>> when_effective_;  // What waits for the newest commit.
  int64_t compile_micros_ = 0, swap_micros_ = 0;
  std::deque<std::string> last_errors_;
};

}  // namespace sluice::control
