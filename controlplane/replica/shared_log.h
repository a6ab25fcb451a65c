// The log of a store's transactions in etcd, and the base that a newcomer begins with.
//
// Only who leads writes, under the condition that it still leads and that nothing came in between:
// a leader that was thought dead and wakes up writes nothing. Thread-safe; calls block.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controlplane/etcd/etcd_client.h"
#include "controlplane/store/journal.h"
#include "sluice/v1/replica.pb.h"

namespace sluice::replica {

// One time of one controller at the head. Later ones are greater.
using Term = int64_t;

// What nobody else has.
std::string RandomId();

// etcd takes values up to 1.5 MiB.
inline constexpr size_t kPieceBytesMax = size_t{1} << 20;

class SharedLog {
 public:
  struct Entry {
    int64_t position = 0;
    std::string id, previous;
    uint32_t schema_version = 0;
    std::string changeset;
  };

  // `prefix` ends without a slash. `client` must outlive it.
  SharedLog(etcd::EtcdClient& client, std::string prefix)
      : client_(client), prefix_(std::move(prefix)) {}

  std::string leader_key() const { return prefix_ + "/leader"; }

  // --- By everybody.

  // The newest entry, without the log's id; kNotFound: nobody has ever written here.
  absl::StatusOr<store::JournalMark> Head();
  // Entries after `mark`, in order, as many as are read at once; none: that was all.
  // kOutOfRange: the log begins later; fetch the base. kFailedPrecondition: what is here is no part
  // of this log, or the log has lost what is here.
  absl::StatusOr<std::vector<Entry>> ReadAfter(const store::JournalMark& mark);
  // kNotFound.
  absl::StatusOr<v1::BaseInfo> Base();
  // The bytes of a base, in order. kDataLoss: it was replaced meanwhile, or is damaged.
  absl::Status FetchBase(const v1::BaseInfo& base,
                         const std::function<absl::Status(std::string_view piece)>& take);
  // Tells of every change of the head and of who leads, from now on.
  std::unique_ptr<etcd::EtcdClient::WatchStream> Watch();

  // --- By who leads, in that term.

  // Writes an entry of that id, to follow `last`. It may be tried again with the same id. kAborted:
  // somebody else leads, or wrote there. kUnavailable: whether it was written is not known.
  absl::Status Append(Term term, const store::JournalMark& last, const std::string& id,
                      std::string_view changeset);
  // Puts `pieces`, called until it returns an empty one, as the base in place of the one before;
  // then forgets what of the log is in it. Of `base` all but what follows from the pieces is set.
  // Where the log is another than that of the base before, it begins at the base's position.
  absl::Status ReplaceBase(Term term, v1::BaseInfo base,
                           const std::function<absl::StatusOr<std::string>()>& pieces);
  // Forgets pieces that no entry and no base has: of tries that came to nothing. Not during another
  // write.
  absl::Status Sweep();

 private:
  std::string EntryKey(int64_t position) const;
  std::string PieceKey(const std::string& id, uint32_t index) const;
  etcdserverpb::Compare StillLeads(Term term) const;
  absl::StatusOr<std::string> GetPiece(const std::string& id, uint32_t index);
  absl::StatusOr<std::string> Get(const std::string& key);
  struct FoundBase {
    v1::BaseInfo info;
    int64_t revision = 0;  // etcd's, of its last change; 0: there is none.
  };
  absl::StatusOr<FoundBase> FindBase();
  absl::StatusOr<Entry> ReadEntry(const etcdserverpb::KeyValue& pair);
  absl::Status ForgetUpTo(int64_t position);
  absl::Status ForgetPieces(const std::string& id);

  etcd::EtcdClient& client_;
  const std::string prefix_;
};

}  // namespace sluice::replica
