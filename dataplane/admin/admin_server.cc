#include "dataplane/admin/admin_server.h"

#include <fcntl.h>

#include "common/base/address.h"
#include "common/base/log.h"

namespace sluice::admin {

AdminServer::AdminServer(boost::asio::io_context& context, AdminServerOptions options,
                         web::HttpHandler admin, web::HttpHandler metrics)
    : context_(context),
      options_(std::move(options)),
      admin_handler_(std::move(admin)),
      metrics_handler_(std::move(metrics)) {}

std::string AdminServer::Replaced(const std::string& address) const {
  const auto parts = base::ParseHostPort(address);
  if (!parts.ok() || options_.bind_host.empty()) return address;
  if (parts->host != "127.0.0.1" && parts->host != "0.0.0.0") return address;
  return base::FormatHostPort(options_.bind_host, parts->port);
}

AdminServer::Addresses AdminServer::AddressesOf(const v1::Settings& settings) const {
  Addresses addresses;
  if (!options_.enabled) return addresses;
  if (!options_.admin_address.empty()) {
    addresses.admin = options_.admin_address;
  } else if (settings.admin().enabled()) {
    addresses.admin = Replaced(settings.admin().address());
  }
  if (!options_.metrics_address.empty()) {
    addresses.metrics = options_.metrics_address;
  } else if (settings.metrics().enabled()) {
    addresses.metrics = Replaced(settings.metrics().address());
  }
  return addresses;
}

std::string AdminServer::BoundAddress(const std::string& address) const {
  const auto found = open_.find(address);
  return found == open_.end() ? "" : found->second->bound_address();
}

// What an address serves is looked up at every request: it may change while the address stays.
web::HttpResponse AdminServer::Answer(const std::string& address,
                                      const web::HttpRequest& request) const {
  const bool is_metrics_path = request.target.substr(0, request.target.find('?')) == "/metrics";
  const bool serves_admin = address == serving_.admin;
  if (address == serving_.metrics && (is_metrics_path || !serves_admin)) {
    return metrics_handler_(request);
  }
  if (serves_admin) return admin_handler_(request);
  // Opened for a snapshot that is not committed yet.
  return {.status = 503, .content_type = "text/plain", .body = "not in service yet\n", .allow = {}};
}

absl::Status AdminServer::OpenInto(const std::string& address, Listeners* listeners) {
  const auto answer = [this, address](const web::HttpRequest& request) {
    return Answer(address, request);
  };
  const auto handed = adopted_.find(address);
  auto opened = handed == adopted_.end()
                    ? web::HttpListener::Open(context_, address, answer)
                    : web::HttpListener::Adopt(context_, std::move(handed->second), answer);
  if (handed != adopted_.end()) adopted_.erase(handed);
  if (!opened.ok()) return opened.status();
  (*listeners)[address] = *std::move(opened);
  return absl::OkStatus();
}

// One of our own that is to be closed holds the port under another address.
bool AdminServer::IsInTheWay(const std::string& address, const Addresses& wanted) const {
  const auto parts = base::ParseHostPort(address);
  for (const auto& [open, listener] : open_) {
    const auto held = base::ParseHostPort(open);
    if (parts.ok() && held.ok() && parts->port == held->port && !wanted.Has(open)) return true;
  }
  return false;
}

std::optional<v1::ResourceError> AdminServer::Prepare(const v1::Settings& settings) {
  Discard();
  Prepared prepared{.addresses = AddressesOf(settings), .listeners = {}, .open_late = {}};
  const Addresses& wanted = prepared.addresses;
  for (const bool is_admin : {true, false}) {
    const std::string& address = is_admin ? wanted.admin : wanted.metrics;
    if (address.empty() || open_.contains(address) || prepared.listeners.contains(address)) {
      continue;
    }
    const absl::Status status = OpenInto(address, &prepared.listeners);
    if (status.ok()) continue;
    if (absl::IsAlreadyExists(status) && IsInTheWay(address, wanted)) {
      prepared.open_late.push_back(address);
      continue;
    }
    v1::ResourceError error;
    error.mutable_resource()->set_kind(v1::RESOURCE_KIND_SETTINGS);
    error.mutable_resource()->set_name("settings");
    error.set_field(is_admin ? "admin.address" : "metrics.address");
    error.set_message(std::string(status.message()));
    return error;
  }
  prepared_ = std::move(prepared);
  return std::nullopt;
}

void AdminServer::Discard() { prepared_.reset(); }

absl::Status AdminServer::Commit() {
  if (!prepared_.has_value()) return absl::OkStatus();
  Prepared prepared = *std::move(prepared_);
  prepared_.reset();
  const bool moved =
      prepared.addresses.admin != serving_.admin || prepared.addresses.metrics != serving_.metrics;
  serving_ = prepared.addresses;
  open_.merge(prepared.listeners);
  std::erase_if(open_, [this](const auto& entry) { return !serving_.Has(entry.first); });
  absl::Status status;
  for (const std::string& address : prepared.open_late) {
    if (!open_.contains(address)) status.Update(OpenInto(address, &open_));
  }
  if (moved) {
    const auto shown = [](const std::string& bound) { return bound.empty() ? "closed" : bound; };
    base::LogInfo("admin address: {}; metrics: {}", shown(admin_bound()), shown(metrics_bound()));
  }
  return status;
}

std::map<std::string, base::UniqueFd> AdminServer::CopySockets() const {
  std::map<std::string, base::UniqueFd> copies;
  for (const auto& [address, listener] : open_) {
    copies[address] = base::UniqueFd(fcntl(listener->native_handle(), F_DUPFD_CLOEXEC, 0));
  }
  return copies;
}

void AdminServer::Close() {
  Discard();
  serving_ = {};
  open_.clear();
}

absl::Status AdminServer::OpenFixed() {
  const v1::Settings none;
  if (const auto error = Prepare(none); error.has_value()) {
    return absl::UnavailableError(error->message());
  }
  return Commit();
}

}  // namespace sluice::admin
