// Gives out copies of the store to admins, over gRPC's synchronous API.
#pragma once

#include <grpcpp/grpcpp.h>

#include <mutex>

#include "controlplane/store/version_store.h"
#include "controlplane/trust/guard.h"
#include "sluice/v1/backup.grpc.pb.h"

namespace sluice::admin {

class BackupService final : public v1::BackupService::Service {
 public:
  // Of one message.
  static constexpr size_t kPieceBytes = size_t{256} << 10;

  // Both must outlive the server.
  BackupService(store::VersionStore& store, trust::Guard& guard) : store_(store), guard_(guard) {}

  // One at a time: each takes room on the disk, and a thread until the caller has read it.
  grpc::Status Backup(grpc::ServerContext*, const v1::BackupRequest*,
                      grpc::ServerWriter<v1::BackupChunk>*) override;

 private:
  store::VersionStore& store_;
  trust::Guard& guard_;
  std::mutex under_way_;
};

}  // namespace sluice::admin
