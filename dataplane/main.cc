// sluice-proxy: wires the parts together and runs the control thread.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <optional>
#include <thread>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/random.h"
#include "common/base/service_manager.h"
#include "common/base/version.h"
#include "common/config/validate.h"
#include "common/trust/seal_key.h"
#include "dataplane/admin/admin_server.h"
#include "dataplane/control/activator.h"
#include "dataplane/control/admin_pages.h"
#include "dataplane/control/control_client.h"
#include "dataplane/control/crash_guard.h"
#include "dataplane/control/snapshot_cache.h"
#include "dataplane/enroll/enroller.h"
#include "dataplane/hot_restart.h"
#include "dataplane/options.h"
#include "dataplane/restart/successor.h"
#include "dataplane/server.h"
#include "dataplane/server_metrics.h"

namespace sluice {
namespace {

control::NodeIdentity IdentityOf(const ProxyOptions& options) {
  control::NodeIdentity identity;
  identity.node_id = options.node_id;
  char boot[16];
  base::FillRandom(boot, sizeof boot);
  identity.boot_id = base::HexEncode({boot, sizeof boot});
  identity.labels = options.labels;
  identity.bind_host = options.bind_host;
  return identity;
}

admin::AdminServerOptions AdminOptionsOf(const ProxyOptions& options) {
  return {.enabled = !options.no_admin,
          .admin_address = options.admin_address,
          .metrics_address = options.metrics_address,
          .bind_host = options.bind_host};
}

// Its certificate comes from the controller.
bool Joins(const ProxyOptions& options) {
  return !options.controllers.empty() && !options.insecure && options.tls_cert.empty();
}

enroll::EnrollerOptions EnrollerOptionsOf(const ProxyOptions& options) {
  return {.controllers = options.controllers,
          .state_dir = options.state_dir,
          .node_id = options.node_id,
          .join_token_file = options.join_token_file,
          .retry_min = options.reconnect_min,
          .retry_max = options.reconnect_max};
}

// Null where nobody runs, and it is a start like any other.
absl::StatusOr<std::unique_ptr<restart::Successor>> AskPredecessor(boost::asio::io_context& context,
                                                                   const ProxyOptions& options) {
  if (!options.hot_restart) return nullptr;
  auto successor = restart::Successor::Ask(context, options.state_dir, options.node_id);
  if (!absl::IsNotFound(successor.status())) return successor;
  base::LogInfo("--hot-restart: {}, so this is an ordinary start",
                std::string(successor.status().message()));
  return nullptr;
}

// What the proxy begins with: not what killed the processes before, if there is something else.
std::optional<control::SnapshotCache::Entry> UnlessRefused(
    std::optional<control::SnapshotCache::Entry> cached, control::SnapshotCache& cache,
    control::CrashGuard& guard) {
  std::optional<control::SnapshotCache::Entry> before;
  const bool refused = cached.has_value() && guard.Refuses(cached->version.root());
  if (refused) {
    before = cache.FallBack([&guard](const control::SnapshotCache::Entry& entry) {
      return !guard.Refuses(entry.version.root());
    });
  }
  if (before.has_value()) {
    base::LogError("version {} killed this proxy twice: it goes back to version {}",
                   cached->version.revision(), before->version.revision());
    cached = std::move(before);
  } else if ((refused || !cached.has_value()) && !guard.Refused().empty()) {
    base::LogError("a version killed this proxy twice, but there is nothing else to serve");
    guard.Pardon();
  }
  if (cached.has_value()) guard.Resume(cached->version);
  return cached;
}

int Run(const ProxyOptions& options) {
  boost::asio::io_context context(1);
  auto asked = AskPredecessor(context, options);
  if (!asked.ok()) {
    base::LogError("hot restart failed, the running proxy goes on: {}",
                   std::string(asked.status().message()));
    return 1;
  }
  const std::unique_ptr<restart::Successor> successor = *std::move(asked);
  const auto fail = [&successor](const std::string& reason) {
    if (successor == nullptr) {
      base::LogError("{}", reason);
    } else {
      base::LogError("hot restart failed, the running proxy goes on: {}", reason);
      successor->GiveUp(reason);
    }
    return 1;
  };
  auto opened = successor == nullptr
                    ? control::SnapshotCache::Open(options.state_dir)
                    : control::SnapshotCache::Adopt(options.state_dir,
                                                    std::move(successor->handover().state_lock));
  if (!opened.ok()) return fail(std::string(opened.status().message()));
  std::optional<control::SnapshotCache> cache = *std::move(opened);
  const auto sealer = trust::LoadSealer({.file = options.seal_key_file,
                                         .command = options.seal_key_command,
                                         .environment = "SLUICE_PROXY_SEAL_KEY",
                                         .default_file = options.state_dir + "/seal.key",
                                         .may_make = !cache->has_sealed()});
  if (!sealer.ok()) return fail(std::string(sealer.status().message()));
  cache->SetSealer(*sealer);
  std::string cache_problem;
  auto loaded = cache->Load(&cache_problem);
  if (!cache->seal_problem().ok()) return fail(std::string(cache->seal_problem().message()));
  control::CrashGuard crash_guard(context);
  if (successor == nullptr) {
    if (const absl::Status sealed = cache->SealPresent(); !sealed.ok()) {
      base::LogWarn("snapshot cache: {}", std::string(sealed.message()));
    }
    // A successor opens it when it has taken over: until then the predecessor writes.
    crash_guard.Open(options.state_dir, base::Version(), control::CrashGuard::Start::kOrdinary);
  }
  const auto cached = UnlessRefused(std::move(loaded), *cache, crash_guard);
  if (!cache_problem.empty()) base::LogWarn("snapshot cache: {}", cache_problem);
  if (options.controllers.empty() && !cached.has_value()) {
    return fail(fmt::format("nothing to serve: {} holds no snapshot; give --controller",
                            options.state_dir));
  }
  if (successor != nullptr &&
      (!cached.has_value() || cached->version.root() != successor->handover().version.root())) {
    return fail(fmt::format(
        "{} does not hold the version that is served: see the running proxy's log for why it could "
        "not be written (a full disk?)",
        options.state_dir));
  }

  restart::DrainingPredecessors draining_predecessors(context);
  control::ControlClient* client_for_health = nullptr;
  Server server(context,
                {.workers = options.workers,
                 .bind_host = options.bind_host,
                 .access_log_path = options.access_log},
                [&client_for_health](const std::string& cluster, const std::string& address,
                                     bool healthy, const std::string& reason) {
                  base::LogInfo("endpoint {} of {} is {}: {}", address, cluster,
                                healthy ? "healthy" : "unhealthy", reason);
                  if (client_for_health == nullptr) return;
                  v1::EndpointHealth health;
                  health.set_cluster(cluster);
                  health.set_address(address);
                  health.set_healthy(healthy);
                  health.set_reason(reason);
                  health.set_since_unix_ms(static_cast<uint64_t>(base::UnixMillis()));
                  client_for_health->NotifyHealthChange(health);
                });

  server.ReportAlso(draining_predecessors);

  std::function<web::HttpResponse(const web::HttpRequest&)> answer, answer_metrics;
  admin::AdminServer admin_server(
      context, AdminOptionsOf(options),
      [&answer](const web::HttpRequest& request) { return answer(request); },
      [&answer_metrics](const web::HttpRequest& request) { return answer_metrics(request); });
  control::Activator activator(server, &admin_server, &*cache,
                               {.keep_log_level = options.keep_log_level,
                                .keep_log_format = options.keep_log_format,
                                .crash_guard = &crash_guard});
  const ServerMetrics metrics(server, activator);
  control::AdminPages pages(server, activator, [&metrics] { return metrics.Text(); });
  answer = [&pages](const web::HttpRequest& request) { return pages.Answer(request); };
  answer_metrics = [&pages](const web::HttpRequest& request) {
    return pages.AnswerMetrics(request);
  };
  if (successor != nullptr) AdoptHandover(successor->handover(), &server, &admin_server);
  if (const absl::Status status = admin_server.OpenFixed(); !status.ok()) {
    return fail(std::string(status.message()));
  }

  bool prepared = false, effective = false;
  const auto commit = [&] {
    activator.Commit(cached->version, [&effective] { effective = true; });
  };
  if (cached.has_value()) {
    const auto errors = activator.Prepare(cached->resources, cached->version);
    if (errors.empty()) {
      base::LogInfo("serving version {} from {}", cached->version.revision(), options.state_dir);
      prepared = true;
      server.WarmUp(commit);
      // The predecessor has refused, or has gone and nobody serves: it must not wait.
      if (successor != nullptr) successor->OnEarlyWord(commit);
    } else if (successor != nullptr) {
      return fail(
          fmt::format("{}: {}", errors.front().resource().name(), errors.front().message()));
    } else if (options.controllers.empty()) {
      base::LogError("the cached snapshot cannot be served and there is no controller");
      return 1;
    }
  }

  control::NodeIdentity identity = IdentityOf(options);
  identity.refuses = crash_guard.Refused();
  std::unique_ptr<control::ControlClient> client;
  std::unique_ptr<enroll::Enroller> enroller;
  if (Joins(options)) {
    enroller = std::make_unique<enroll::Enroller>(EnrollerOptionsOf(options), [&context, &client] {
      boost::asio::post(context, [&client] {
        if (client != nullptr) client->Start();
      });
    });
    if (const absl::Status status = enroller->Check(); !status.ok()) {
      return fail(std::string(status.message()));
    }
  }
  if (!options.controllers.empty()) {
    control::ControlClientOptions client_options{.controllers = options.controllers,
                                                 .insecure = options.insecure,
                                                 .tls_cert = options.tls_cert,
                                                 .tls_key = options.tls_key,
                                                 .tls_ca = options.tls_ca,
                                                 .reconnect_min = options.reconnect_min,
                                                 .reconnect_max = options.reconnect_max};
    if (enroller != nullptr) {
      client_options.tls_cert = client_options.tls_key = enroller->certificate().path();
      client_options.tls_ca = enroller->certificate().ca_path();
      client_options.on_refused = [&enroller] { enroller->NoteRefused(); };
    }
    client = std::make_unique<control::ControlClient>(
        context, std::move(client_options), identity, activator, server,
        [&pages](const v1::Command& command) { return pages.Run(command); });
    client_for_health = client.get();
  }

  boost::asio::signal_set signals(context, SIGTERM, SIGINT, SIGHUP);
  bool ending = false, handed = false;
  bool taking_over = successor != nullptr, ready = false;
  int exit_code = 0;
  std::unique_ptr<restart::Predecessor> predecessor;
  HotRestartHost host({.context = context,
                       .node_id = options.node_id,
                       .server = server,
                       .admin = admin_server,
                       .activator = activator,
                       .cache = cache,
                       .client = client.get(),
                       .predecessors = draining_predecessors,
                       .on_handed = [&] {
                         if (enroller != nullptr) enroller->Stop();  // The new one renews.
                         handed = true;
                         crash_guard.HandOver();
                         server.Shutdown([&] {
                           host.TellLast();
                           context.stop();
                         });
                         base::LogInfo("handed over to the new process; draining, then ending");
                       }});
  const auto begin = [&] {
    admin_server.DropAdopted();
    if (enroller != nullptr) {
      enroller->Start();  // It starts the client when there is a certificate.
    } else if (client != nullptr) {
      client->Start();
    }
    auto opened_socket = restart::Predecessor::Open(context, options.state_dir, host);
    if (opened_socket.ok()) {
      predecessor = *std::move(opened_socket);
    } else {
      base::LogError("a hot restart will not find this process: {}",
                     std::string(opened_socket.status().message()));
    }
    if (const absl::Status told = base::NotifyReady(); !told.ok()) {
      base::LogWarn("{}", std::string(told.message()));
    }
    base::LogInfo("sluice-proxy {} runs as node {}", base::BuildInfo(), options.node_id);
  };
  std::function<void()> await_signal = [&] {
    signals.async_wait([&](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (signal == SIGHUP) {
        server.ReopenLogs();
      } else if (handed && !ending) {
        ending = true;  // It is doing so.
      } else if (taking_over && !ending) {
        ending = true;
        if (!ready) {
          exit_code = fail("asked to end before it had taken over");
          context.stop();
        }  // Else the answer, which is near, tells whose traffic it is to drain.
      } else if (ending) {
        _exit(0);  // Asked a second time: at once.
      } else {
        ending = true;
        crash_guard.EndCleanly();
        if (predecessor != nullptr) predecessor->Close("the running proxy is ending");
        base::LogInfo("draining, then ending");
        server.Shutdown([&context] { context.stop(); });
      }
      await_signal();
    });
  };
  await_signal();
  // Signals, health checks and the admin server go on meanwhile; a controller would only send anew
  // what is about to be served.
  while (prepared && !effective && !context.stopped()) context.run_one();
  ready = effective && successor != nullptr;
  if (successor == nullptr && !ending) begin();
  if (ready) {
    successor->Ready([&](const absl::Status& status) {
      taking_over = false;
      if (status.ok()) {
        FollowPredecessors(*successor, &server, &draining_predecessors);
        server.BeginAccepting();
        crash_guard.Open(options.state_dir, base::Version(), control::CrashGuard::Start::kTakeover);
        identity.refuses = crash_guard.Refused();
        base::LogInfo("took over from the running proxy");
        begin();
        if (std::exchange(ending, false)) raise(SIGTERM);
        return;
      }
      exit_code = fail(std::string(status.message()));
      context.stop();
    });
  }
  context.run();

  predecessor.reset();
  client_for_health = nullptr;
  if (enroller != nullptr) enroller->Stop();
  client.reset();
  enroller.reset();
  server.Stop();
  context.restart();
  context.poll();  // What workers posted while they ended.
  base::LogInfo("ended");
  return exit_code;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  sluice::ProxyOptions options;
  switch (sluice::ParseProxyOptions(argc, argv, &options)) {
    case sluice::base::Flags::Outcome::kRun:
      break;
    case sluice::base::Flags::Outcome::kExitOk:
      return 0;
    case sluice::base::Flags::Outcome::kExitUsage:
      return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  sluice::base::RaiseDescriptorLimit();
  const absl::Status status =
      sluice::base::InitLog("sluice-proxy", options.log_level, options.log_format);
  if (!status.ok()) {
    std::fprintf(stderr, "sluice-proxy: %s\n", std::string(status.message()).c_str());
    return 2;
  }
  const int code = sluice::Run(options);
  sluice::base::ShutdownLog();
  return code;
}
