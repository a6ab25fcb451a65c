// Every version, the audit log and the nodes seen, on disk.
//
// Thread-safe. A write that returned OK survives kill -9 and the machine's sudden end. Resources
// and files of documents are kept once however many versions have them. Certificates, which come
// with their private keys, are sealed; the folder is for its owner only all the same.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "common/snapshot/snapshot.h"
#include "common/trust/seal.h"
#include "controlplane/store/database.h"
#include "sluice/v1/admin_service.pb.h"
#include "sluice/v1/rollout.pb.h"

namespace sluice::store {

enum class VersionState {
  kPending,
  kCurrent,
  kSuperseded,
  kRefused,
  kRolling,    // Out in waves, not yet the fleet's.
  kTakenBack,  // Was, and is not any more: see its rollout.
};

struct StoredVersion {
  v1::Version version;
  int64_t created_unix_ms = 0;
  std::string author, message, source;  // source: file, api, rollback.
  VersionState state = VersionState::kPending;
  int64_t changes = 0;
  int64_t resource_count = 0;
};

struct KnownNode {
  std::string node_id;
  int64_t first_seen_unix_ms = 0, last_seen_unix_ms = 0;
  std::string hello;  // Serialised v1::Hello of its last visit.
};

using NodeLabels = std::map<std::string, std::string>;

// What operators said of a node.
struct NodeSettings {
  bool cordoned = false;  // It is offered nothing.
  NodeLabels labels;      // Each wins over what the node says of itself.
};

class VersionStore {
 public:
  static constexpr int kVersionsKept = 1000;
  // Room beyond kVersionsKept, so that what old versions alone had is looked for once in a while.
  static constexpr int kVersionsSlack = 16;
  static constexpr int kAuditKept = 100'000;

  // `may_make`: nothing has been sealed yet, so that a new key is as good as any.
  using LoadSealer = std::function<absl::StatusOr<trust::Sealer>(bool may_make)>;

  // Makes `directory` (0700). Refuses a directory that another controller uses, a file of a newer
  // schema, a damaged one and one that was sealed with another key, each by name. `load_sealer` is
  // called when the directory is ours. A store that was not sealed is sealed there and then;
  // without `load_sealer` (tests) nothing is. With a `journal`, which must outlive it, every change
  // is written down there first; without one the store leaves the log that it was in.
  static absl::StatusOr<std::unique_ptr<VersionStore>> Open(const std::string& directory,
                                                            const LoadSealer& load_sealer = {},
                                                            Journal* journal = nullptr);

  // The key that the store in `path`, opened as `database`, was sealed with, proven by what is
  // sealed there. Nothing: it was not.
  static absl::StatusOr<std::optional<trust::Sealer>> SealerOf(Database& database,
                                                               const std::string& path,
                                                               const LoadSealer& load_sealer);

  // Null if nothing is sealed. Lives as long as this.
  const trust::Sealer* sealer() const { return sealer_.has_value() ? &*sealer_ : nullptr; }

  // Given at the first start, and anew by a restore: tells versions of one life of a store from
  // another's. Never smaller than it was.
  uint64_t epoch() const { return epoch_; }
  const std::string& directory() const { return directory_; }

  // Adds a version with the next revision; `version->version` is filled but for the root, which
  // must be set. Of the document its files are kept; what is sent along with them (keys) is in the
  // resources.
  absl::Status Add(StoredVersion* version, const snapshot::Resources& resources,
                   const v1::Document& document);
  // At most one version is kCurrent: making one so supersedes the other, in one transaction.
  absl::Status SetState(uint64_t revision, VersionState state);
  // Forgets all but the newest kVersionsKept versions and what only they had, once there are
  // kVersionsSlack more. The current one stays, however old. For after a change, not during one.
  absl::Status Prune();

  absl::StatusOr<StoredVersion> Get(uint64_t revision) const;
  // kNotFound if there is none yet.
  absl::StatusOr<StoredVersion> Current() const;
  absl::StatusOr<std::vector<StoredVersion>> List(int limit) const;  // Newest first.
  absl::StatusOr<snapshot::Resources> Resources(uint64_t revision) const;
  // What it was made from.
  absl::StatusOr<v1::Document> Document(uint64_t revision) const;
  // The newest version with this root; kNotFound.
  absl::StatusOr<uint64_t> RevisionOfRoot(const std::string& root) const;

  absl::Status Audit(const v1::AuditEntry& entry);
  absl::StatusOr<std::vector<v1::AuditEntry>> ListAudit(int limit) const;

  // Rollouts in waves, by the revision they release. Also sets the version's state, in the same
  // transaction: kRolling while the rollout is under way, else what became of it.
  absl::Status SaveRollout(const v1::Rollout& rollout, VersionState state);
  // kNotFound. The newest: whether it is over or not.
  absl::StatusOr<v1::Rollout> LatestRollout() const;
  absl::StatusOr<v1::Rollout> GetRollout(uint64_t revision) const;
  // Content that was taken back since it failed, with the reason; empty: it was not.
  absl::Status MarkBad(const std::string& root, const std::string& why);
  absl::Status ClearBad(const std::string& root);
  absl::StatusOr<std::string> WhyBad(const std::string& root) const;

  absl::StatusOr<int64_t> CountVersions() const;

  absl::Status SeeNode(const std::string& node_id, const std::string& hello, int64_t now_unix_ms);
  // Likewise, in one write; first_seen_unix_ms is not looked at.
  absl::Status SeeNodes(const std::vector<KnownNode>& nodes);
  absl::Status ForgetNode(const std::string& node_id);  // With its settings.
  absl::StatusOr<std::vector<KnownNode>> Nodes() const;
  absl::Status SetCordoned(const std::string& node_id, bool cordoned, int64_t now_unix_ms);
  absl::Status SetNodeLabels(const std::string& node_id, const NodeLabels& labels);  // All of them.
  absl::StatusOr<std::map<std::string, NodeSettings>> AllNodeSettings() const;

  int64_t FileBytes() const;

 private:
  VersionStore(std::string directory, std::string path, base::UniqueFd lock, Database database)
      : directory_(std::move(directory)),
        path_(std::move(path)),
        lock_(std::move(lock)),
        database_(std::move(database)) {}
  absl::Status Initialise();
  absl::Status Begin(Journal* journal);
  absl::Status WriteAudit(const v1::AuditEntry& entry);  // Within a transaction.
  absl::Status AddFiles(int64_t revision, const v1::Document& document);
  absl::StatusOr<std::vector<int64_t>> AddResources(const snapshot::Resources& resources);
  absl::Status DropUnused();
  absl::Status WriteState(uint64_t revision, VersionState state);  // Within a transaction.
  absl::Status UseSealer(const LoadSealer& load_sealer);
  absl::Status SealAll();
  std::string BodyToKeep(const v1::Resource& resource) const;
  absl::StatusOr<std::vector<StoredVersion>> Select(std::string_view condition, int64_t argument,
                                                    int limit) const;

  const std::string directory_;
  const std::string path_;
  const base::UniqueFd lock_;
  mutable std::mutex mutex_;  // Guards database_.
  mutable Database database_;
  uint64_t epoch_ = 0;
  std::optional<trust::Sealer> sealer_;  // Constant once open.
};

std::string_view NameOf(VersionState state);

}  // namespace sluice::store
