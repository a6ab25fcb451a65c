// sluice-controller: wires the parts together and waits for a signal.
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <cstdlib>

#include "absl/synchronization/mutex.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/version.h"
#include "common/trust/seal_key.h"
#include "controlplane/admin/admin_pages.h"
#include "controlplane/admin/admin_service.h"
#include "controlplane/admin/backup_service.h"
#include "controlplane/apply/controller.h"
#include "controlplane/apply/watched_source.h"
#include "controlplane/notify/notifier.h"
#include "controlplane/options.h"
#include "controlplane/publish/control_service.h"
#include "controlplane/store/data_folder.h"
#include "controlplane/trust/enrollment_service.h"
#include "controlplane/trust/own_trust.h"
#include "controlplane/trust/server_credentials.h"
#include "controlplane/trust/server_files.h"
#include "controlplane/trust/token_service.h"

namespace sluice {
namespace {

constexpr int kMessageBytesMax = 64 * 1024 * 1024;  // Documents with their certificates.
constexpr uint32_t kRetryAfterMs = 1000;            // For nodes, when the controller ends.
constexpr int kReadBytesMax = 8 * 1024;             // Of a connection, at once.

// To be called before anything else of gRPC.
void SetUpGrpc() {
  // Release 1.51 keeps 64 KiB to read into for every connection that has once brought a report of
  // some hundred endpoints, whatever may be read at once. The way before keeps to that.
  if (grpc::Version().starts_with("1.51.")) setenv("GRPC_EXPERIMENTS", "-tcp_read_chunks", 0);
  // Debian's abseil looks for deadlocks with every lock that gRPC takes, under a lock of its own.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

constexpr std::chrono::hours kOperatorLookedAt{1};

int64_t NowUnix() { return base::UnixMillis() / 1000; }

bool HasExternalCa(const ControllerOptions& options) { return !options.tls_ca.empty(); }

// Null with --insecure and with an external CA.
absl::StatusOr<std::unique_ptr<trust::OwnTrust>> OpenOwnTrust(const ControllerOptions& options,
                                                              const trust::Sealer& sealer) {
  if (options.insecure || HasExternalCa(options)) return nullptr;
  return trust::OwnTrust::Open({.data_dir = options.data_dir,
                                .grpc_address = options.grpc_address,
                                .names = options.tls_names},
                               sealer, NowUnix());
}

// Null without an external CA.
absl::StatusOr<std::unique_ptr<trust::ServerFiles>> OpenServerFiles(
    const ControllerOptions& options) {
  if (options.insecure || !HasExternalCa(options)) return nullptr;
  return trust::ServerFiles::Open(
      {.certificate = options.tls_cert, .key = options.tls_key, .ca = options.tls_ca});
}

// One of the two, or neither with --insecure; they must outlive the server. Clients without a
// certificate are let in by TLS and stopped by the guard: a proxy that joins has none yet, and a
// token may stand for one.
std::shared_ptr<grpc::ServerCredentials> CredentialsOf(trust::OwnTrust* own,
                                                       trust::ServerFiles* files) {
  if (own != nullptr) {
    return std::make_shared<trust::ReloadingServerCredentials>(
        [own] { return own->server().Current(NowUnix()); });
  }
  if (files != nullptr) {
    return std::make_shared<trust::ReloadingServerCredentials>(
        [files] { return files->Current(NowUnix()); });
  }
  return grpc::InsecureServerCredentials();
}

absl::StatusOr<std::unique_ptr<grpc::Server>> StartServer(
    const ControllerOptions& options, const std::shared_ptr<grpc::ServerCredentials>& credentials,
    const std::vector<grpc::Service*>& services) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.grpc_address, credentials, &port);
  for (grpc::Service* service : services) builder.RegisterService(service);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kReadBytesMax);
  // A proxy that vanished without a word is noticed.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  auto server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return absl::UnavailableError("cannot listen on " + options.grpc_address +
                                  ": another program listens there");
  }
  return server;
}

absl::StatusOr<std::vector<notify::Webhook>> WebhooksOf(const ControllerOptions& options) {
  if (options.webhooks.empty()) return std::vector<notify::Webhook>();
  auto read = notify::ReadWebhooks(options.webhooks);
  if (read.ok()) return read;
  return absl::Status(read.status().code(),
                      fmt::format("--webhooks: {}", std::string(read.status().message())));
}

// Renews the credential of this machine's operator when it is time.
void KeepOperator(boost::asio::steady_timer& timer, const trust::OwnTrust& own) {
  timer.expires_after(kOperatorLookedAt);
  timer.async_wait([&](const boost::system::error_code& error) {
    if (error) return;
    if (const absl::Status status = own.KeepOperator(NowUnix()); !status.ok()) {
      base::LogError("the operator's credential: {}", std::string(status.message()));
    }
    KeepOperator(timer, own);
  });
}

int Run(const ControllerOptions& options) {
  const auto fail = [](const absl::Status& status) {
    base::LogError("{}", std::string(status.message()));
    return 1;
  };
  const auto webhooks = WebhooksOf(options);
  if (!webhooks.ok()) return fail(webhooks.status());
  auto store = store::VersionStore::Open(options.data_dir, [&options](bool may_make) {
    return trust::LoadSealer({.file = options.seal_key_file,
                              .command = options.seal_key_command,
                              .environment = "SLUICE_CONTROLLER_SEAL_KEY",
                              .default_file = options.data_dir + "/" + store::kSealKeyName,
                              .may_make = may_make});
  });
  if (!store.ok()) return fail(store.status());
  auto trust_store = store::TrustStore::Open(options.data_dir);
  if (!trust_store.ok()) return fail(trust_store.status());
  const auto own = OpenOwnTrust(options, *(*store)->sealer());
  if (!own.ok()) return fail(own.status());
  const auto files = OpenServerFiles(options);
  if (!files.ok()) return fail(files.status());
  trust::Guard guard(
      {.open = options.insecure,
       .authority = HasExternalCa(options) ? trust::Authority::kExternal : trust::Authority::kOwn},
      **trust_store, **store);
  const notify::Notifier notifier(*webhooks);
  publish::Hub hub({.prepare_timeout_ms = options.prepare_timeout.count(),
                    .report_interval_ms = options.report_interval.count()},
                   **store, &notifier);
  apply::Controller controller(**store, hub, &notifier);
  if (const absl::Status status = controller.Start(); !status.ok()) {
    base::LogError("{}", std::string(status.message()));
    return 1;
  }
  publish::ControlService control(hub, &guard);
  admin::AdminService admin(controller, hub, **store, **trust_store, guard, &notifier);
  admin::BackupService backup(**store, guard);
  const trust::CertificateAuthority* authority = *own == nullptr ? nullptr : &(*own)->authority();
  trust::EnrollmentService enrollment(
      guard, **trust_store, **store, authority,
      std::chrono::duration_cast<std::chrono::seconds>(options.node_certificate_ttl));
  trust::TokenService tokens(guard, **trust_store, **store, authority);
  const auto credentials = CredentialsOf(own->get(), files->get());  // Longer than the server.
  auto server =
      StartServer(options, credentials, {&control, &admin, &backup, &enrollment, &tokens});
  if (!server.ok()) {
    base::LogError("{}", std::string(server.status().message()));
    return 1;
  }

  boost::asio::io_context context(1);
  boost::asio::steady_timer operator_timer(context);
  if (*own != nullptr) KeepOperator(operator_timer, **own);
  const admin::AdminPages pages(controller, hub, **store, guard, &notifier);
  std::unique_ptr<web::HttpListener> http;
  if (!options.admin_address.empty()) {
    auto opened = web::HttpListener::Open(
        context, options.admin_address,
        [&pages](const web::HttpRequest& request) { return pages.Answer(request); });
    if (!opened.ok()) {
      base::LogError("{}", std::string(opened.status().message()));
      return 1;
    }
    http = *std::move(opened);
  }
  std::unique_ptr<apply::WatchedSource> source;
  if (!options.config.empty()) {
    auto started = apply::WatchedSource::Start(controller, options.config);
    if (!started.ok()) {
      base::LogError("{}", std::string(started.status().message()));
      return 1;
    }
    source = *std::move(started);
  }
  base::LogInfo("sluice-controller {} listens on {}, admin on {}", base::BuildInfo(),
                options.grpc_address, options.admin_address);

  boost::asio::signal_set signals(context, SIGTERM, SIGINT);
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    signals.async_wait([](const boost::system::error_code& again, int) {
      if (!again) _exit(0);  // Asked a second time: at once.
    });
    context.stop();
  });
  context.run();

  base::LogInfo("ending");
  source.reset();  // A change that is under way is finished first.
  controller.Stop();
  admin.Stop();
  hub.Shutdown(kRetryAfterMs);
  (*server)->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
  (*server)->Wait();
  return 0;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  sluice::ControllerOptions options;
  switch (sluice::ParseControllerOptions(argc, argv, &options)) {
    case sluice::base::Flags::Outcome::kRun:
      break;
    case sluice::base::Flags::Outcome::kExitOk:
      return 0;
    case sluice::base::Flags::Outcome::kExitUsage:
      return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  sluice::base::RaiseDescriptorLimit();
  sluice::SetUpGrpc();
  const absl::Status status =
      sluice::base::InitLog("sluice-controller", options.log_level, options.log_format);
  if (!status.ok()) {
    std::fprintf(stderr, "sluice-controller: %s\n", std::string(status.message()).c_str());
    return 2;
  }
  const int code = sluice::Run(options);
  sluice::base::ShutdownLog();
  return code;
}
