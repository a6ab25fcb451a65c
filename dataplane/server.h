// Builds the serving side of a proxy and puts it behind control::Dataplane: workers, health checks,
// TLS keys, counters, access log.
//
// Control thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/control/dataplane.h"
#include "dataplane/observe/traffic_by_version.h"
#include "dataplane/overload/overload_monitor.h"
#include "dataplane/restart/drain_figures.h"
#include "dataplane/runtime/runtime_builder.h"
#include "dataplane/upstream/warm_up.h"
#include "dataplane/worker/worker_set.h"

namespace sluice {

struct ServerOptions {
  int workers = 0;  // 0: as the first snapshot's settings say, else one for each CPU.
  std::string bind_host;
  std::string access_log_path;  // Wins over the settings; empty: as they say.
};

class Server final : public control::Dataplane {
 public:
  using OnHealthChange = upstream::HealthMonitor::OnChange;

  // `context` runs on the control thread and outlives the server.
  Server(boost::asio::io_context& context, ServerOptions options, OnHealthChange on_health_change);
  ~Server() override;

  std::vector<v1::ResourceError> Prepare(config::ParsedSnapshot parsed,
                                         const v1::Version& version) override;
  void WarmUp(std::function<void()> warm) override;
  void BeginPreflight(uint32_t sample_percent) override;
  v1::PreflightReport ReadPreflight() const override;
  void Discard() override;
  void Commit(std::function<void()> on_effective) override;
  void Renumber(const v1::Version& version) override;
  void SetDraining(bool draining) override;
  bool draining() const override { return workers_ != nullptr && workers_->draining(); }
  bool serving() const override { return effective_; }
  void FillReport(v1::Report* report) const override;
  nlohmann::json DumpClusters() const override;
  nlohmann::json DumpListeners() const override;
  nlohmann::json DumpConnections() const override;
  nlohmann::json DumpStats() const override;

  // For a hot restart: see worker::WorkerSet. AdoptSockets before the first Prepare.
  void AdoptSockets(worker::WorkerSet::SocketsByAddress sockets) { adopted_ = std::move(sockets); }
  // Before the first Prepare all that is known; later only ejections are taken over.
  void AdoptHealths(const std::vector<v1::HandoverHealth>& known) { health_.Restore(known); }
  void BeginAccepting() { workers_->BeginAccepting(); }
  std::vector<worker::BoundSocket> CopySockets();
  // Of this process, since its start.
  v1::HandoverFigures Figures() const;
  // Whose figures reports include. Outlives the server.
  void ReportAlso(const restart::DrainingPredecessors& predecessors) {
    predecessors_ = &predecessors;
  }

  // SIGHUP.
  void ReopenLogs();
  // Drains, then calls `done` when the last connection has ended or the drain time is over.
  void Shutdown(std::function<void()> done);
  // Ends the workers. Nothing is served afterwards.
  void Stop();

  const observe::Registry& registry() const { return registry_; }
  const overload::LoadGate& gate() const { return gate_; }
  uint64_t access_log_dropped() const {
    return access_log_ == nullptr ? 0 : access_log_->dropped_total();
  }
  const upstream::HealthMonitor& health() const { return health_; }
  const runtime::RuntimeConfig* current() const {
    return workers_ == nullptr ? nullptr : workers_->current();
  }
  // Seconds since the current snapshot became effective, and what its swap took.
  int64_t effective_since_unix_ms() const { return effective_since_unix_ms_; }

 private:
  void StartWorkers(int configured);
  void RotateTicketKeys();
  void AwaitLastConnection();
  absl::Status ConfigureAccessLog(const v1::Settings& settings);

  boost::asio::io_context& context_;
  const ServerOptions options_;
  observe::Registry registry_;
  std::unique_ptr<observe::AccessLog> access_log_;  // Null until the workers run.
  overload::LoadGate gate_;
  overload::OverloadMonitor overload_;
  tls::TicketKeys ticket_keys_;
  upstream::HealthMonitor health_;
  upstream::OutlierMonitor outliers_;
  upstream::WarmUp warm_up_;
  std::unique_ptr<worker::WorkerSet> workers_;                  // Null until their number is known.
  std::optional<worker::WorkerSet::SocketsByAddress> adopted_;  // Until the first Prepare.
  const restart::DrainingPredecessors* predecessors_ = nullptr;  // None.
  std::shared_ptr<const runtime::RuntimeConfig> prepared_;
  std::vector<v1::CertificateStatus> prepared_certificates_, certificates_;
  observe::TrafficByVersion traffic_;
  boost::asio::steady_timer rotation_;
  boost::asio::steady_timer shutdown_poll_;
  std::function<void()> on_shutdown_;
  int64_t shutdown_deadline_micros_ = 0;
  int64_t effective_since_unix_ms_ = 0;
  bool effective_ = false;
};

}  // namespace sluice
