// All that a controller does while it decides: its store, the fleet, the services, both ports.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>

#include "absl/status/statusor.h"
#include "controlplane/admin/admin_pages.h"
#include "controlplane/admin/admin_service.h"
#include "controlplane/admin/backup_service.h"
#include "controlplane/apply/controller.h"
#include "controlplane/apply/watched_source.h"
#include "controlplane/notify/notifier.h"
#include "controlplane/publish/control_service.h"
#include "controlplane/serve/admin_port.h"
#include "controlplane/serve/operator_keeper.h"
#include "controlplane/serve/options.h"
#include "controlplane/serve/transport.h"
#include "controlplane/store/trust_store.h"
#include "controlplane/store/version_store.h"
#include "controlplane/trust/enrollment_service.h"
#include "controlplane/trust/guard.h"
#include "controlplane/trust/token_service.h"

namespace sluice::serve {

// Where the key that seals the store's secrets comes from, by the command line.
store::VersionStore::LoadSealer SealerLoader(const ControllerOptions& options);

class Server {
 public:
  // With other controllers.
  struct Shared {
    store::Journal* journal = nullptr;  // Null: alone.
    uint64_t term = 0;
    std::string log;  // That the term is of.
  };

  // Serves when it returns. `options`, `admin_port` and the journal must outlive it. Errors say
  // what to do.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ControllerOptions& options,
                                                       AdminPort& admin_port, const Shared& shared);
  ~Server() { admin_port_.RemoveHandler(); }

  // Tells the nodes to come back, here or elsewhere, and ends all calls. Blocks, for `grace` and a
  // little more; a change of the watched file that is under way is finished first, unless there is
  // no grace. Once, before it is destroyed.
  void Stop(std::chrono::milliseconds retry_after, std::chrono::milliseconds grace);

 private:
  Server(const ControllerOptions& options, AdminPort& admin_port,
         std::unique_ptr<store::VersionStore> store, std::unique_ptr<store::TrustStore> trust_store,
         std::unique_ptr<Transport> transport, std::vector<notify::Webhook> webhooks,
         const Shared& shared);
  absl::Status Open();

  // In the order in which they need each other.
  const ControllerOptions& options_;
  AdminPort& admin_port_;
  const std::unique_ptr<store::VersionStore> store_;
  const std::unique_ptr<store::TrustStore> trust_store_;
  const std::unique_ptr<Transport> transport_;
  trust::Guard guard_;
  const notify::Notifier notifier_;
  publish::Hub hub_;
  apply::Controller controller_;
  publish::ControlService control_;
  admin::AdminService admin_;
  admin::BackupService backup_;
  trust::EnrollmentService enrollment_;
  trust::TokenService tokens_;
  std::shared_ptr<grpc::ServerCredentials> credentials_;  // Longer than the server.
  std::unique_ptr<grpc::Server> server_;
  const admin::AdminPages pages_;
  std::unique_ptr<OperatorKeeper> operator_keeper_;  // Null without a CA of its own.
  std::unique_ptr<apply::WatchedSource> source_;
};

}  // namespace sluice::serve
