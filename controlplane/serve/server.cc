#include "controlplane/serve/server.h"

#include <fmt/format.h>

#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/trust/seal_key.h"
#include "controlplane/serve/grpc_port.h"
#include "controlplane/store/data_folder.h"

namespace sluice::serve {
namespace {

absl::StatusOr<std::vector<notify::Webhook>> WebhooksOf(const ControllerOptions& options) {
  if (options.webhooks.empty()) return std::vector<notify::Webhook>();
  auto read = notify::ReadWebhooks(options.webhooks);
  if (read.ok()) return read;
  return absl::Status(read.status().code(),
                      fmt::format("--webhooks: {}", std::string(read.status().message())));
}

const trust::CertificateAuthority* AuthorityOf(const Transport& transport) {
  return transport.own() == nullptr ? nullptr : &transport.own()->authority();
}

}  // namespace

store::VersionStore::LoadSealer SealerLoader(const ControllerOptions& options) {
  return [&options](bool may_make) {
    return trust::LoadSealer({.file = options.seal_key_file,
                              .command = options.seal_key_command,
                              .environment = "SLUICE_CONTROLLER_SEAL_KEY",
                              .default_file = options.data_dir + "/" + store::kSealKeyName,
                              .may_make = may_make});
  };
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ControllerOptions& options,
                                                      AdminPort& admin_port, const Shared& shared) {
  ASSIGN_OR_RETURN(std::vector<notify::Webhook> webhooks, WebhooksOf(options));
  ASSIGN_OR_RETURN(
      std::unique_ptr<store::VersionStore> store,
      store::VersionStore::Open(options.data_dir, SealerLoader(options), shared.journal));
  ASSIGN_OR_RETURN(std::unique_ptr<store::TrustStore> trust_store,
                   store::TrustStore::Open(options.data_dir, shared.journal));
  ASSIGN_OR_RETURN(std::unique_ptr<Transport> transport, Transport::Open(options, store->sealer()));
  std::unique_ptr<Server> server(new Server(options, admin_port, std::move(store),
                                            std::move(trust_store), std::move(transport),
                                            std::move(webhooks), shared));
  RETURN_IF_ERROR(server->Open());
  return server;
}

Server::Server(const ControllerOptions& options, AdminPort& admin_port,
               std::unique_ptr<store::VersionStore> store,
               std::unique_ptr<store::TrustStore> trust_store, std::unique_ptr<Transport> transport,
               std::vector<notify::Webhook> webhooks, const Shared& shared)
    : options_(options),
      admin_port_(admin_port),
      store_(std::move(store)),
      trust_store_(std::move(trust_store)),
      transport_(std::move(transport)),
      guard_({.open = options.insecure, .authority = transport_->authority()}, *trust_store_,
             *store_),
      notifier_(std::move(webhooks)),
      hub_({.prepare_timeout_ms = options.prepare_timeout.count(),
            .report_interval_ms = options.report_interval.count(),
            .term = shared.term,
            .log = shared.log},
           *store_, &notifier_),
      controller_(*store_, hub_, &notifier_),
      control_(hub_, &guard_),
      admin_(controller_, hub_, *store_, *trust_store_, guard_),
      backup_(*store_, guard_),
      enrollment_(guard_, *trust_store_, *store_, AuthorityOf(*transport_),
                  std::chrono::duration_cast<std::chrono::seconds>(options.node_certificate_ttl)),
      tokens_(guard_, *trust_store_, *store_, AuthorityOf(*transport_)),
      credentials_(transport_->ForServer()),
      pages_(controller_, hub_, *store_, guard_, &notifier_) {}

absl::Status Server::Open() {
  RETURN_IF_ERROR(controller_.Start());
  ASSIGN_OR_RETURN(
      server_, ListenForGrpc({.address = options_.grpc_address,
                              .credentials = credentials_,
                              .services = {&control_, &admin_, &backup_, &enrollment_, &tokens_}}));
  RETURN_IF_ERROR(admin_port_.Serve(
      [this](const web::HttpRequest& request) { return pages_.Answer(request); }));
  if (transport_->own() != nullptr) {
    operator_keeper_ = std::make_unique<OperatorKeeper>(*transport_->own());
  }
  if (!options_.config.empty()) {
    ASSIGN_OR_RETURN(source_, apply::WatchedSource::Start(controller_, options_.config));
  }
  base::LogInfo("sluice-controller {} listens on {}, admin on {}", base::BuildInfo(),
                options_.grpc_address, options_.admin_address);
  return absl::OkStatus();
}

void Server::Stop(std::chrono::milliseconds retry_after, std::chrono::milliseconds grace) {
  const auto retry_after_ms = static_cast<uint32_t>(retry_after.count());
  if (grace.count() == 0) hub_.Shutdown(retry_after_ms);
  source_.reset();
  controller_.Stop();
  admin_.Stop();
  hub_.Shutdown(retry_after_ms);
  server_->Shutdown(std::chrono::system_clock::now() + grace);
  server_->Wait();
}

}  // namespace sluice::serve
