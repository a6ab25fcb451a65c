// What the server shows of itself: the report to the controller and the admin pages.
#include "dataplane/server.h"

namespace sluice {
namespace {

using nlohmann::json;

json EndpointJson(const upstream::EndpointSpec& endpoint) {
  const upstream::EndpointHealth::Status status = endpoint.health->status();
  json result = {{"address", endpoint.address}, {"weight", endpoint.weight},
                 {"healthy", status.healthy},   {"ejected", status.ejected},
                 {"reason", status.reason},     {"since_unix_ms", status.since_unix_ms}};
  if (!endpoint.server_name.empty()) result["tls_server_name"] = endpoint.server_name;
  return result;
}

}  // namespace

void Server::FillReport(v1::Report* report) const {
  const observe::Totals totals = registry_.Sum();
  report->set_requests_total(totals.requests);
  for (const uint64_t count : totals.responses_by_class) report->add_responses_by_class(count);
  for (const uint64_t count : totals.latency_cumulative) report->add_latency_buckets(count);
  report->set_bytes_received_total(totals.bytes_received);
  report->set_bytes_sent_total(totals.bytes_sent);
  report->set_downstream_connections(workers_ == nullptr ? 0 : workers_->open_connections());
  report->set_requests_by_current_version(traffic_.RequestsOfCurrent(totals));
  traffic_.Fill(totals, report->mutable_traffic_by_version());
  if (current() != nullptr) {
    *report->mutable_current() = current()->version;
    for (const auto& cluster : current()->clusters) {
      for (const upstream::EndpointSpec& endpoint : cluster->endpoints) {
        const upstream::EndpointHealth::Status status = endpoint.health->status();
        v1::EndpointHealth* health = report->add_endpoints();
        health->set_cluster(cluster->name);
        health->set_address(endpoint.address);
        health->set_healthy(status.healthy);
        health->set_reason(status.reason);
        health->set_since_unix_ms(static_cast<uint64_t>(status.since_unix_ms));
      }
    }
  }
  for (const v1::CertificateStatus& certificate : certificates_) {
    *report->add_certificates() = certificate;
  }
  if (predecessors_ != nullptr) predecessors_->AddTo(report);
}

v1::HandoverFigures Server::Figures() const {
  const observe::Totals totals = registry_.Sum();
  v1::HandoverFigures figures;
  figures.set_connections(workers_ == nullptr ? 0 : workers_->open_connections());
  figures.set_requests(totals.requests);
  for (const uint64_t count : totals.responses_by_class) figures.add_responses_by_class(count);
  for (const uint64_t count : totals.latency_cumulative) figures.add_latency_buckets(count);
  figures.set_bytes_received(totals.bytes_received);
  figures.set_bytes_sent(totals.bytes_sent);
  return figures;
}

json Server::DumpClusters() const {
  json clusters = json::array();
  if (current() == nullptr) return clusters;
  for (const auto& cluster : current()->clusters) {
    json endpoints = json::array();
    for (const auto& endpoint : cluster->endpoints) endpoints.push_back(EndpointJson(endpoint));
    clusters.push_back({{"name", cluster->name},
                        {"lb_strategy", v1::LbStrategy_Name(cluster->lb_strategy)},
                        {"panic", cluster->in_panic()},
                        {"endpoints", std::move(endpoints)}});
  }
  return clusters;
}

json Server::DumpListeners() const {
  json listeners = json::array();
  if (current() == nullptr) return listeners;
  for (const auto& service : current()->services) {
    const std::string bound = workers_->BoundAddress(service->address);
    listeners.push_back({{"service", service->name},
                         {"address", bound},
                         {"tls", service->tls != nullptr},
                         {"routes", service->route_list.size()},
                         {"accepting", !workers_->draining()},
                         {"connections", workers_->open_connections(bound)}});
  }
  return listeners;
}

json Server::DumpConnections() const {
  json connections = json::array();
  if (workers_ == nullptr) return connections;
  for (const worker::ConnectionInfo& info : workers_->ListConnections()) {
    connections.push_back({{"service", info.service},
                           {"worker", info.worker},
                           {"peer", info.connection.peer},
                           {"protocol", info.connection.protocol},
                           {"state", info.connection.idle ? "idle" : "active"},
                           {"draining", info.draining},
                           {"tls", info.connection.encrypted},
                           {"requests", info.connection.requests},
                           {"age_ms", info.connection.age_micros / 1000}});
  }
  return connections;
}

json Server::DumpStats() const {
  const observe::Totals totals = registry_.Sum();
  json routes = json::array();
  registry_.VisitRoutes([&routes](const observe::RouteSums& sums) {
    uint64_t requests = 0;
    json classes = json::object();
    for (size_t status_class = 0; status_class < observe::kClassCount; ++status_class) {
      uint64_t count = 0;
      for (const auto& by_class : sums.requests) count += by_class[status_class];
      classes[std::to_string(status_class + 1) + "xx"] = count;
      requests += count;
    }
    routes.push_back({{"service", sums.service},
                      {"route", sums.route},
                      {"upstream", sums.upstream},
                      {"requests", requests},
                      {"responses", std::move(classes)},
                      {"request_body_bytes", sums.request_body_bytes},
                      {"response_body_bytes", sums.response_body_bytes}});
  });
  const bool follows = predecessors_ != nullptr;
  return {{"requests_total", totals.requests},
          {"connections", workers_ == nullptr ? 0 : workers_->open_connections()},
          {"bytes_received", totals.bytes_received},
          {"bytes_sent", totals.bytes_sent},
          {"workers", workers_ == nullptr ? 0 : workers_->size()},
          {"draining", draining()},
          {"draining_predecessors",
           {{"processes", follows ? predecessors_->processes() : 0},
            {"connections", follows ? predecessors_->connections() : 0}}},
          {"effective_since_unix_ms", effective_since_unix_ms_},
          {"access_log_dropped", access_log_dropped()},
          {"routes", std::move(routes)}};
}

}  // namespace sluice
