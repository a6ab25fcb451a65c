#include "controlplane/replica/etcd_journal.h"

#include <chrono>

#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "controlplane/store/backup.h"
#include "controlplane/store/data_folder.h"
#include "controlplane/store/database.h"

namespace sluice::replica {

namespace {

using Clock = std::chrono::steady_clock;

// For etcd to get over a stall, as long as this controller leads.
constexpr std::chrono::seconds kAppendAtMost{10};
constexpr std::chrono::seconds kBaseRetry{2};

}  // namespace

EtcdJournal::EtcdJournal(SharedLog& log, Options options)
    : log_(log),
      options_(std::move(options)),
      entries_(options_.entries),
      thread_([this] { Replacing(); }) {}

EtcdJournal::~EtcdJournal() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void EtcdJournal::Lose(const absl::Status& why) {
  if (lost_.exchange(true)) return;
  changed_.notify_all();
  base::LogError("this controller leads no more: {}", std::string(why.message()));
  options_.on_lost();
}

absl::StatusOr<std::string> EtcdJournal::Append(const store::JournalMark& last,
                                                std::string changeset) {
  if (IsOver()) return absl::UnavailableError("this controller leads no more: ask again");
  const std::string id = RandomId();
  if (const absl::Status status = TryAppend(last, id, changeset); !status.ok()) {
    Lose(status);
    if (absl::IsAborted(status)) return status;
    return absl::UnavailableError(
        "etcd did not answer in time, and whether this was kept is not known");
  }
  const std::lock_guard lock(mutex_);
  ++entries_;
  bytes_ += changeset.size();
  changed_.notify_all();
  return id;
}

// The same entry again and again: it is written once, whichever try comes through.
absl::Status EtcdJournal::TryAppend(const store::JournalMark& last, const std::string& id,
                                    const std::string& changeset) {
  const std::lock_guard lock(write_mutex_);
  const auto end = Clock::now() + kAppendAtMost;
  for (;;) {
    const absl::Status status = log_.Append(options_.term, last, id, changeset);
    if (status.ok() || absl::IsAborted(status) || IsOver() || Clock::now() >= end) return status;
  }
}

void EtcdJournal::OnBehind(const absl::Status& why) { Lose(why); }

absl::Status EtcdJournal::ReplaceBase() {
  const std::lock_guard one_at_a_time(base_mutex_);
  {
    const std::lock_guard lock(mutex_);
    entries_ = 0;
    bytes_ = 0;
    base_is_due_ = false;
  }
  // Read before the copy is made: it has this entry, and perhaps further ones.
  ASSIGN_OR_RETURN(store::Database database,
                   store::Database::Open(options_.directory + "/" + store::kDatabaseName));
  ASSIGN_OR_RETURN(const store::JournalMark mark, database.Mark());
  ASSIGN_OR_RETURN(store::Backup backup, store::Backup::Take(options_.directory));
  v1::BaseInfo base;
  base.set_log(mark.log);
  base.set_position(mark.position);
  base.set_epoch(backup.header().epoch());
  base.set_schema_version(backup.header().schema_version());
  if (options_.authority) base.set_authority(options_.authority());
  RETURN_IF_ERROR(log_.ReplaceBase(options_.term, std::move(base),
                                   [this, &backup]() -> absl::StatusOr<std::string> {
                                     if (IsOver())
                                       return absl::CancelledError("this controller leads no more");
                                     return backup.Next(kPieceBytesMax);
                                   }));
  const std::lock_guard writing(write_mutex_);
  return log_.Sweep();
}

void EtcdJournal::RequestBase() {
  {
    const std::lock_guard lock(mutex_);
    base_is_due_ = true;
  }
  changed_.notify_all();
}

void EtcdJournal::Replacing() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] {
      return IsOver() || base_is_due_ || entries_ > kEntriesMax || bytes_ > kBytesMax;
    });
    if (IsOver()) return;
    lock.unlock();
    const absl::Status status = ReplaceBase();
    lock.lock();
    if (status.ok() || IsOver()) continue;
    base::LogWarn("the base in etcd could not be replaced: {}", std::string(status.message()));
    base_is_due_ = true;
    changed_.wait_for(lock, kBaseRetry, [this] { return IsOver(); });
  }
}

}  // namespace sluice::replica
