#include "controlplane/replica/etcd_journal.h"

#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "controlplane/store/backup.h"
#include "controlplane/store/data_folder.h"
#include "controlplane/store/database.h"

namespace sluice::replica {

EtcdJournal::EtcdJournal(SharedLog& log, Options options)
    : log_(log), options_(std::move(options)), thread_([this] { Replacing(); }) {}

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
  base::LogError("this controller leads no more: {}", std::string(why.message()));
  options_.on_lost();
}

absl::Status EtcdJournal::Append(int64_t position, std::string changeset) {
  if (lost_) return absl::UnavailableError("this controller leads no more: ask again");
  const uint64_t bytes = changeset.size();
  const absl::Status status = log_.Append(options_.term, position, std::move(changeset));
  if (!status.ok()) {
    Lose(status);
    if (absl::IsAborted(status)) return status;
    return absl::UnavailableError(
        "etcd did not answer in time: whether this was kept is not known; look before you repeat "
        "it");
  }
  const std::lock_guard lock(mutex_);
  ++entries_;
  bytes_ += bytes;
  changed_.notify_all();
  return absl::OkStatus();
}

void EtcdJournal::OnBehind(const absl::Status& why) { Lose(why); }

absl::Status EtcdJournal::ReplaceBase() {
  {
    const std::lock_guard lock(mutex_);
    entries_ = 0;
    bytes_ = 0;
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
  return log_.ReplaceBase(options_.term, std::move(base),
                          [&backup] { return backup.Next(kPieceBytesMax); });
}

void EtcdJournal::Replacing() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock,
                  [this] { return stopping_ || entries_ > kEntriesMax || bytes_ > kBytesMax; });
    if (stopping_) return;
    lock.unlock();
    if (const absl::Status status = ReplaceBase(); !status.ok()) {
      base::LogWarn("the base in etcd could not be replaced: {}", std::string(status.message()));
    }
    lock.lock();
  }
}

}  // namespace sluice::replica
