// The proxy's admin and metrics addresses: which they are, and that they move with the settings.
//
// Control thread. What is answered comes from handlers; this decides only where.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/web/http_listener.h"
#include "sluice/v1/settings.pb.h"
#include "sluice/v1/snapshot.pb.h"

namespace sluice::admin {

struct AdminServerOptions {
  bool enabled = true;
  // These win over the settings; empty: as they say.
  std::string admin_address, metrics_address;
  std::string bind_host;  // Replaces 127.0.0.1 and 0.0.0.0 of the settings.
};

class AdminServer {
 public:
  // Handlers run on the control thread, on which `context` runs, and not after the destructor.
  AdminServer(boost::asio::io_context& context, AdminServerOptions options, web::HttpHandler admin,
              web::HttpHandler metrics);
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // Opens what the settings want beyond what is open; an error is a rejection of the settings. What
  // is open stays until Commit.
  std::optional<v1::ResourceError> Prepare(const v1::Settings& settings);
  // Opens first, closes then. An error is possible only where an own address is in the way of
  // another on the same port (127.0.0.1:1 and 0.0.0.0:1), and somebody else takes it in between.
  absl::Status Commit();
  void Discard();

  // Before the first snapshot: the addresses that do not depend on one.
  absl::Status OpenFixed();

  // For a hot restart. Sockets by the address asked for (CopySockets of the other process); those
  // that are wanted are used instead of being bound. Before the first Prepare or OpenFixed.
  void AdoptSockets(std::map<std::string, base::UniqueFd> sockets) {
    adopted_ = std::move(sockets);
  }
  void DropAdopted() { adopted_.clear(); }  // Those that nobody wanted.
  std::map<std::string, base::UniqueFd> CopySockets() const;
  // Lets nobody in any more; answers under way are finished.
  void Close();

  // With the real port; empty when closed.
  std::string admin_bound() const { return BoundAddress(serving_.admin); }
  std::string metrics_bound() const { return BoundAddress(serving_.metrics); }

 private:
  struct Addresses {
    std::string admin, metrics;  // Empty: closed. Equal: one listener serves both.
    bool Has(const std::string& address) const { return address == admin || address == metrics; }
  };
  using Listeners =
      std::map<std::string, std::unique_ptr<web::HttpListener>>;  // By address asked for.

  Addresses AddressesOf(const v1::Settings& settings) const;
  std::string Replaced(const std::string& address) const;
  std::string BoundAddress(const std::string& address) const;
  bool IsInTheWay(const std::string& address, const Addresses& wanted) const;
  absl::Status OpenInto(const std::string& address, Listeners* listeners);
  web::HttpResponse Answer(const std::string& address, const web::HttpRequest& request) const;

  boost::asio::io_context& context_;
  const AdminServerOptions options_;
  const web::HttpHandler admin_handler_, metrics_handler_;
  std::map<std::string, base::UniqueFd> adopted_;
  Addresses serving_;
  Listeners open_;

  struct Prepared {
    Addresses addresses;
    Listeners listeners;
    std::vector<std::string> open_late;  // When what is in the way has been closed.
  };
  std::optional<Prepared> prepared_;
};

}  // namespace sluice::admin
