// The checks of each kind of resource by itself, and of what it refers to. Parts of
// ParseAndValidate.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_set>

#include "common/config/resource_errors.h"
#include "sluice/v1/certificate.pb.h"
#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"
#include "sluice/v1/settings.pb.h"

namespace sluice::config {

inline constexpr int kRoutesMax = 100'000;
inline constexpr int kEndpointsMax = 10'000;
inline constexpr uint32_t kWeightMax = 1'000'000;

// The names that others may refer to.
struct Known {
  std::unordered_set<std::string> listeners;
  std::unordered_set<std::string> clusters;
  std::unordered_set<std::string> certificates;
  std::unordered_set<std::string> tcp_listeners;  // Those whose protocol is TCP.
};

void CheckSettings(const v1::Settings& settings, ResourceErrors errors);
void CheckListener(const v1::Listener& listener, const Known& known, ResourceErrors errors);
void CheckRouteTable(const v1::RouteTable& table, const Known& known, ResourceErrors errors);
void CheckCluster(const v1::Cluster& cluster, const Known& known, ResourceErrors errors);
void CheckCertificate(const v1::Certificate& certificate, ResourceErrors errors);

// Adds `problem` unless it is empty.
inline void AddProblem(std::string field, std::string problem, ResourceErrors* errors) {
  if (!problem.empty()) errors->Add(std::move(field), std::move(problem));
}

// "'x' is not known; did you mean 'y'?" or without the question.
std::string UnknownReference(std::string_view what, const std::string& name,
                             const std::unordered_set<std::string>& known);

}  // namespace sluice::config
