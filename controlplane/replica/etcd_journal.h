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
    int64_t entries = 0;  // That the log has since its base.
    // Of the controllers' own CA, which is in the directory; null or empty: there is none.
    std::function<std::string()> authority;
  };
  // `log` must outlive it.
  EtcdJournal(SharedLog& log, Options options);
  ~EtcdJournal() override;

  absl::StatusOr<std::string> Append(const store::JournalMark& last,
                                     std::string changeset) override;
  void OnBehind(const absl::Status& why) override;

  // Puts the store as it is into etcd, for newcomers. Blocking.
  absl::Status ReplaceBase();
  // The same before long, and again until it succeeds, if the base lacks what is here or is far
  // behind.
  void RequestBase();

 private:
  void Lose(const absl::Status& why);
  void Replacing();
  absl::Status TryAppend(const store::JournalMark& last, const std::string& id,
                         const std::string& changeset);
  bool IsOver() const { return lost_ || stopping_; }

  SharedLog& log_;
  const Options options_;
  std::atomic<bool> lost_{false};
  std::atomic<bool> stopping_{false};
  std::mutex base_mutex_;   // One ReplaceBase at a time.
  std::mutex write_mutex_;  // Held while an entry, or what no entry has, is written or forgotten.
  std::mutex mutex_;        // Guards what follows.
  std::condition_variable changed_;
  int64_t entries_ = 0;  // Since the base.
  uint64_t bytes_ = 0;
  bool base_is_due_ = false;
  std::thread thread_;
};

}  // namespace sluice::replica
