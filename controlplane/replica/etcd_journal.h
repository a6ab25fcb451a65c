// The journal of the store of who leads: in etcd, so that the others have every transaction.
//
// Thread-safe. When it fails this controller leads no more: `on_lost` is called, once, and nothing
// is written from then on.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "controlplane/replica/shared_log.h"
#include "controlplane/store/journal.h"

namespace sluice::replica {

class EtcdJournal final : public store::Journal {
 public:
  // The log is replaced by a base when it is longer than either.
  static constexpr int64_t kEntriesMax = 512;
  static constexpr uint64_t kBytesMax = uint64_t{64} << 20;

  struct Options {
    Term term = 0;
    std::string directory;  // Of the store.
    std::function<void()> on_lost;
    // Of the controllers' own CA, which is in the directory; null or empty: there is none.
    std::function<std::string()> authority;
  };
  // `log` must outlive it.
  EtcdJournal(SharedLog& log, Options options);
  ~EtcdJournal() override;

  absl::Status Append(int64_t position, std::string changeset) override;
  void OnBehind(const absl::Status& why) override;

  // Puts the store as it is into etcd, for newcomers. Blocking.
  absl::Status ReplaceBase();

 private:
  void Lose(const absl::Status& why);
  void Replacing();

  SharedLog& log_;
  const Options options_;
  std::atomic<bool> lost_{false};
  std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  int64_t entries_ = 0;  // Since the base.
  uint64_t bytes_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice::replica
