// What becomes of a request: the service, the route, what is sent where. By the code the proxies
// run, in the order in which they run it. For `tests:` and `explain`.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/route/route_table.h"
#include "sluice/v1/admin_service.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"

namespace sluice::build {

struct Resolution {
  const v1::RouteTable* table = nullptr;
  const v1::Route* route = nullptr;  // Null: none matched, or the request is refused before.
  uint32_t status = 0;               // What the proxy answers by itself; 0: it forwards.
  std::string path_sent;             // With the query.
  std::string host_sent;
  std::string reason;
  // Why each route before won or lost; indices into table->routes(). Only if asked for.
  std::vector<route::RouteTable::Candidate> candidates;
};

class Resolver {
 public:
  // Both must outlive this object, and have passed validation.
  Resolver(const std::vector<v1::Listener>& listeners,
           const std::vector<v1::RouteTable>& route_tables);

  // Errors name what is wrong with the URL or the service. With `candidates` the cost grows with
  // the number of routes.
  absl::StatusOr<Resolution> Resolve(const v1::ExplainRequest& request, bool candidates) const;

  const std::map<std::string, route::RouteTable>& tables() const { return compiled_; }

 private:
  struct Target;  // The request in parts.
  static absl::StatusOr<Target> Split(const v1::ExplainRequest& request);
  absl::StatusOr<const v1::RouteTable*> ChooseService(const v1::ExplainRequest& request,
                                                      const Target& target) const;
  const v1::RouteTable* TableOf(std::string_view service) const;
  Resolution ResolveIn(const v1::RouteTable& table, const Target& target, bool candidates) const;

  const std::vector<v1::Listener>& listeners_;
  const std::vector<v1::RouteTable>& route_tables_;
  std::map<std::string, route::RouteTable> compiled_;  // By service.
};

}  // namespace sluice::build
