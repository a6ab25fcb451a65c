#include "dataplane/server.h"

#include <sched.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/config/certificate.h"

namespace sluice {
namespace {

// A key lives for three rotations: a client may resume for so long after its last visit.
constexpr std::chrono::hours kTicketKeyRotation{8};
constexpr std::chrono::milliseconds kShutdownPoll{100};

std::string_view View(absl::string_view text) { return {text.data(), text.size()}; }

int CpuCount() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  return std::max(1, CPU_COUNT(&set));
}

std::vector<v1::CertificateStatus> StatusOfCertificates(const config::ParsedSnapshot& parsed) {
  std::vector<v1::CertificateStatus> list;
  for (const v1::Certificate& certificate : parsed.certificates) {
    const auto info = config::DescribeCertificate(certificate);
    if (!info.ok()) continue;  // Validation has seen to it.
    v1::CertificateStatus& status = list.emplace_back();
    status.set_name(certificate.name());
    status.set_not_after_unix(info->not_after_unix());
  }
  return list;
}

}  // namespace

Server::Server(boost::asio::io_context& context, ServerOptions options,
               OnHealthChange on_health_change)
    : context_(context),
      options_(std::move(options)),
      overload_(context, gate_,
                [this] {
                  if (workers_ != nullptr) workers_->GiveUpIdle();
                }),
      health_(context, on_health_change),
      outliers_(context, std::move(on_health_change)),
      warm_up_(context),
      rotation_(context),
      shutdown_poll_(context) {
  if (options_.workers > 0) StartWorkers(0);
  RotateTicketKeys();
}

// Their number stays until the process ends.
void Server::StartWorkers(int configured) {
  worker::WorkerSetOptions workers;
  workers.workers = options_.workers > 0 ? options_.workers
                    : configured > 0     ? configured
                                         : CpuCount();
  workers.bind_host = options_.bind_host;
  workers.post_to_control = [this](std::function<void()> function) {
    boost::asio::post(context_, std::move(function));
  };
  access_log_ = std::make_unique<observe::AccessLog>(workers.workers);
  workers_ =
      std::make_unique<worker::WorkerSet>(std::move(workers), registry_, *access_log_, gate_);
}

Server::~Server() { Stop(); }

void Server::Stop() {
  if (workers_ == nullptr) return;
  workers_->Stop();
  access_log_->Flush();
}

void Server::RotateTicketKeys() {
  rotation_.expires_after(kTicketKeyRotation);
  rotation_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    ticket_keys_.Rotate();
    RotateTicketKeys();
  });
}

std::vector<v1::ResourceError> Server::Prepare(config::ParsedSnapshot parsed,
                                               const v1::Version& version) {
  Discard();
  const int configured = static_cast<int>(parsed.settings.worker_threads());
  if (workers_ == nullptr) {
    StartWorkers(configured);
  } else if (options_.workers == 0 && configured > 0 && configured != workers_->size()) {
    base::LogWarn("server.worker_threads is {} now; {} workers run until this proxy is restarted",
                  configured, workers_->size());
  }
  if (adopted_.has_value()) workers_->AdoptSockets(*std::exchange(adopted_, std::nullopt));
  std::vector<v1::ResourceError> errors;
  const runtime::BuildContext build{.registry = registry_,
                                    .health = health_,
                                    .outliers = outliers_,
                                    .ticket_keys = ticket_keys_,
                                    .previous = workers_->current()};
  auto runtime = runtime::BuildRuntime(build, parsed, version, &errors);
  health_.ForgetRestored();
  if (runtime != nullptr) errors = workers_->PrepareSockets(*runtime);
  if (errors.empty()) {
    prepared_ = std::move(runtime);
    prepared_certificates_ = StatusOfCertificates(parsed);
  }
  return errors;
}

void Server::WarmUp(std::function<void()> warm) {
  std::vector<upstream::WarmUp::Awaited> awaited;
  const int64_t now = base::MonotonicMicros();
  for (const auto& cluster : prepared_->clusters) {
    if (cluster->warm_up.count() == 0) continue;
    for (const upstream::EndpointSpec& endpoint : cluster->endpoints) {
      if (endpoint.health->checked()) continue;
      awaited.push_back({endpoint.health, now + io::Micros(cluster->warm_up).count()});
    }
  }
  if (!awaited.empty()) base::LogInfo("waiting for the first checks of {} nodes", awaited.size());
  warm_up_.Begin(std::move(awaited), std::move(warm));
}

void Server::BeginPreflight(uint32_t sample_percent) {
  workers_->BeginPreflight(prepared_, sample_percent);
}

v1::PreflightReport Server::ReadPreflight() const {
  return workers_ == nullptr ? v1::PreflightReport() : workers_->ReadPreflight();
}

void Server::Discard() {
  warm_up_.Cancel();  // Before Collect: it holds endpoints.
  if (workers_ != nullptr) workers_->EndPreflight();
  prepared_.reset();
  if (workers_ != nullptr) workers_->Discard();
  health_.Collect();
}

absl::Status Server::ConfigureAccessLog(const v1::Settings& settings) {
  v1::AccessLog access_log = settings.access_log();
  if (!options_.access_log_path.empty()) {
    access_log.set_enabled(true);
    access_log.set_path(options_.access_log_path);
  }
  return access_log_->Configure(access_log, settings.log_format());
}

void Server::Commit(std::function<void()> on_effective) {
  if (const absl::Status status = ConfigureAccessLog(prepared_->settings); !status.ok()) {
    // The path was fine when it was prepared, or the old log goes on: never a reason to stop
    // serving.
    base::LogError("access log: {}", View(status.message()));
  }
  overload_.Configure(prepared_->settings.limits());
  warm_up_.Cancel();
  workers_->EndPreflight();
  certificates_ = std::move(prepared_certificates_);
  const v1::Version version = prepared_->version;
  workers_->Commit(std::move(prepared_), [this, version, on_effective = std::move(on_effective)] {
    effective_ = true;
    effective_since_unix_ms_ = base::UnixMillis();
    traffic_.Begin(version, registry_.Sum(), effective_since_unix_ms_);
    health_.Collect();
    on_effective();
  });
}

void Server::Renumber(const v1::Version& version) {
  traffic_.Begin(version, registry_.Sum(), base::UnixMillis());
}

void Server::SetDraining(bool draining) {
  if (workers_ == nullptr) return;
  if (const absl::Status status = workers_->SetDraining(draining); !status.ok()) {
    base::LogError("undrain: {}", View(status.message()));
  }
}

std::vector<worker::BoundSocket> Server::CopySockets() {
  return workers_ == nullptr ? std::vector<worker::BoundSocket>() : workers_->CopySockets();
}

void Server::ReopenLogs() {
  if (access_log_ == nullptr) return;
  if (const absl::Status status = access_log_->Reopen(); !status.ok()) {
    base::LogError("reopening the access log: {}", View(status.message()));
  }
}

void Server::Shutdown(std::function<void()> done) {
  on_shutdown_ = std::move(done);
  const int64_t drain_ms = current() != nullptr ? current()->settings.drain_timeout_ms() : 0;
  shutdown_deadline_micros_ = base::MonotonicMicros() + (drain_ms > 0 ? drain_ms : 30'000) * 1000;
  SetDraining(true);
  AwaitLastConnection();
}

void Server::AwaitLastConnection() {
  // At least one round, so that workers have emptied their accept queues.
  shutdown_poll_.expires_after(kShutdownPoll);
  shutdown_poll_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    const uint32_t open = workers_ == nullptr ? 0 : workers_->open_connections();
    if (open > 0 && base::MonotonicMicros() < shutdown_deadline_micros_) {
      AwaitLastConnection();
      return;
    }
    if (open > 0) base::LogWarn("drain time is over: closing {} connections", open);
    on_shutdown_();
  });
}

}  // namespace sluice
