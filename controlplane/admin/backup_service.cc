#include "controlplane/admin/backup_service.h"

#include <fmt/format.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "controlplane/store/backup.h"

namespace sluice::admin {

using trust::ToGrpc;

grpc::Status BackupService::Backup(grpc::ServerContext* context, const v1::BackupRequest* request,
                                   grpc::ServerWriter<v1::BackupChunk>* writer) {
  const auto caller = guard_.Admit(*context, "BackupService/Backup");
  if (!caller.ok()) return ToGrpc(caller.status());
  const std::unique_lock turn(under_way_, std::try_to_lock);
  if (!turn.owns_lock()) {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                        "another backup is under way; try again when it is done");
  }
  v1::AuditEntry entry;
  entry.set_unix_ms(static_cast<uint64_t>(base::UnixMillis()));
  entry.set_author(caller->Author(request->author()));
  entry.set_role(caller->RoleText());
  entry.set_peer(caller->peer);
  entry.set_action("backup");
  // Before it leaves: whoever has a copy and the seal key has the private keys.
  if (const absl::Status status = store_.Audit(entry); !status.ok()) return ToGrpc(status);

  auto backup = store::Backup::Take(store_.directory());
  if (!backup.ok()) {
    base::LogError("backup: {}", std::string(backup.status().message()));
    return ToGrpc(backup.status());
  }
  base::LogInfo("backup of version {} for {}", backup->header().revision(), entry.author());
  for (v1::BackupChunk chunk;;) {
    auto piece = backup->Next(kPieceBytes);
    if (!piece.ok()) return ToGrpc(piece.status());
    if (piece->empty()) return grpc::Status::OK;
    chunk.set_data(*std::move(piece));
    if (!writer->Write(chunk)) return grpc::Status(grpc::StatusCode::CANCELLED, "the caller left");
  }
}

}  // namespace sluice::admin
