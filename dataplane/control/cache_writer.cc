#include "dataplane/control/cache_writer.h"

#include <utility>

namespace sluice::control {

CacheWriter::CacheWriter(SnapshotCache& cache) : cache_(cache), thread_([this] { Run(); }) {}

CacheWriter::~CacheWriter() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void CacheWriter::Store(v1::Version version, snapshot::Resources resources) {
  {
    const std::lock_guard lock(mutex_);
    waiting_ = Job{std::move(version), std::move(resources)};
  }
  changed_.notify_all();
}

void CacheWriter::WaitUntilIdle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !busy_ && !waiting_.has_value(); });
}

std::vector<std::string> CacheWriter::TakeErrors() {
  const std::lock_guard lock(mutex_);
  return std::exchange(errors_, {});
}

void CacheWriter::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || waiting_.has_value(); });
    if (!waiting_.has_value()) return;
    const Job job = *std::exchange(waiting_, std::nullopt);
    busy_ = true;
    lock.unlock();
    const absl::Status status = cache_.Store(job.version, job.resources);
    lock.lock();
    busy_ = false;
    if (!status.ok() && errors_.size() < kErrorsMax) {
      errors_.push_back("snapshot cache: " + std::string(status.message()));
    }
    changed_.notify_all();
  }
}

}  // namespace sluice::control
