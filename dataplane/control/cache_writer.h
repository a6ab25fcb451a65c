// Writes snapshots to the cache on a thread of its own: an fsync on a busy disk may take seconds,
// and the control thread has health checks and the controller to answer.
//
// At most one snapshot waits; a newer one takes its place. The destructor writes what waits.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/control/snapshot_cache.h"

namespace sluice::control {

class CacheWriter {
 public:
  // `cache` must outlive it and is used by nobody else meanwhile.
  explicit CacheWriter(SnapshotCache& cache);
  ~CacheWriter();
  CacheWriter(const CacheWriter&) = delete;
  CacheWriter& operator=(const CacheWriter&) = delete;

  // Any thread, as all below.
  void Store(v1::Version version, snapshot::Resources resources);
  // Returns when nothing waits or is being written.
  void WaitUntilIdle();
  // What went wrong since the last call.
  std::vector<std::string> TakeErrors();

 private:
  struct Job {
    v1::Version version;
    snapshot::Resources resources;
  };

  void Run();

  SnapshotCache& cache_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Job> waiting_;       // The rest is guarded by mutex_.
  std::vector<std::string> errors_;  // At most kErrorsMax.
  bool busy_ = false;
  bool ending_ = false;
  std::thread thread_;  // Last: it uses all of the above.

  static constexpr size_t kErrorsMax = 4;
};

}  // namespace sluice::control
