// sluice-controller: wires the parts together and waits for a signal.
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdio>
#include <cstdlib>

#include "absl/synchronization/mutex.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/version.h"
#include "controlplane/admin/admin_pages.h"
#include "controlplane/admin/admin_service.h"
#include "controlplane/apply/controller.h"
#include "controlplane/apply/watched_source.h"
#include "controlplane/options.h"
#include "controlplane/publish/control_service.h"

namespace sluice {
namespace {

constexpr size_t kPemBytesMax = 1 << 20;
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

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> CredentialsOf(
    const ControllerOptions& options) {
  if (options.insecure) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  grpc::SslServerCredentialsOptions::PemKeyCertPair pair;
  for (auto [path, into] : {std::pair{&options.tls_ca, &tls.pem_root_certs},
                            std::pair{&options.tls_key, &pair.private_key},
                            std::pair{&options.tls_cert, &pair.cert_chain}}) {
    auto bytes = base::ReadFile(*path, kPemBytesMax);
    if (!bytes.ok()) return bytes.status();
    *into = *std::move(bytes);
  }
  tls.pem_key_cert_pairs.push_back(std::move(pair));
  return grpc::SslServerCredentials(tls);
}

absl::StatusOr<std::unique_ptr<grpc::Server>> StartServer(const ControllerOptions& options,
                                                          publish::ControlService& control,
                                                          admin::AdminService& admin) {
  auto credentials = CredentialsOf(options);
  if (!credentials.ok()) return credentials.status();
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.grpc_address, *credentials, &port);
  builder.RegisterService(&control);
  builder.RegisterService(&admin);
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
    return absl::UnavailableError(
        "cannot listen on " + options.grpc_address +
        ": another program listens there, or the certificate files do not fit");
  }
  return server;
}

int Run(const ControllerOptions& options) {
  auto store = store::VersionStore::Open(options.data_dir);
  if (!store.ok()) {
    base::LogError("{}", std::string(store.status().message()));
    return 1;
  }
  publish::Hub hub({.prepare_timeout_ms = options.prepare_timeout.count(),
                    .report_interval_ms = options.report_interval.count()},
                   **store);
  apply::Controller controller(**store, hub);
  if (const absl::Status status = controller.Start(); !status.ok()) {
    base::LogError("{}", std::string(status.message()));
    return 1;
  }
  publish::ControlService control(hub);
  admin::AdminService admin(controller, hub, **store);
  auto server = StartServer(options, control, admin);
  if (!server.ok()) {
    base::LogError("{}", std::string(server.status().message()));
    return 1;
  }

  boost::asio::io_context context(1);
  const admin::AdminPages pages(controller, hub, **store);
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
