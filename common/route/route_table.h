// Finds the first route, in the order written, that a request matches.
//
// Immutable after construction; any number of threads may Find at once. Hot path: no allocation,
// and the cost does not grow with the number of routes, only with the labels of the host and the
// segments of the path that occur in some route. What matches is said in match.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/v1/route.pb.h"

namespace sluice::route {

// What routes are matched on. Views must outlive the call only.
struct Request {
  std::string_view host;  // As HostOf left it; empty if the request has none.
  std::string_view path;  // As NormalizePath left it.
};

class RouteTable {
 public:
  // What it needs of `table` is copied. The table must have passed config::ParseAndValidate.
  explicit RouteTable(const v1::RouteTable& table);
  ~RouteTable();
  RouteTable(RouteTable&&) noexcept;
  RouteTable& operator=(RouteTable&&) noexcept;

  static constexpr int kNone = -1;

  // Index into the routes as given, or kNone.
  int Find(const Request& request) const;

  // Whether some route matches requests of this host, as HostOf left it, whatever their paths.
  bool KnowsHost(std::string_view host) const;

  // For people: every route before and including the winner (all of them when none wins), with why
  // it lost or won. Slow.
  struct Candidate {
    int route;
    bool matched;
    std::string reason;
  };
  std::vector<Candidate> Explain(const Request& request) const;

  // Routes that no request can reach because an earlier one takes everything they match:
  // pairs (unreachable, the one that hides it), in order.
  std::vector<std::pair<int, int>> Unreachable() const;

  size_t memory_bytes() const;

 private:
  struct Index;
  std::unique_ptr<const Index> index_;
};

// Lower-cases and removes the port and the dot that may end a fully qualified name ("a.test." is
// "a.test"). Returns a view of `authority` when nothing had to be lower-cased, else of *scratch.
std::string_view HostOf(std::string_view authority, std::string* scratch);

// The path sent upstream: `strip_prefix` removed as match.h says it matches, with the parameters of
// its last segment; a leading "/" left, never "//". `removed` is what X-Forwarded-Prefix says
// (empty when nothing was removed). Views of `path`, of *scratch or of a constant.
struct Stripped {
  std::string_view path;
  std::string_view removed;
};
Stripped StripPrefix(std::string_view path, std::string_view strip_prefix, std::string* scratch);

// Chooses among weighted clusters; `random` is uniform over 64 bits. Weights must not all be 0.
// `cumulative_weights[i]` is the sum of the weights 0 to i.
int PickWeighted(std::span<const uint32_t> cumulative_weights, uint64_t random);

}  // namespace sluice::route
