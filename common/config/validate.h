// The checks both planes make on resources, whoever made them. The controller runs them on what the
// YAML became, the proxy on what came over the wire: neither trusts the other.
#pragma once

#include <string>
#include <vector>

#include "common/snapshot/snapshot.h"
#include "sluice/v1/certificate.pb.h"
#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"
#include "sluice/v1/settings.pb.h"
#include "sluice/v1/snapshot.pb.h"

namespace sluice::config {

// A snapshot with its bodies parsed, each kind in the order of names.
struct ParsedSnapshot {
  v1::Settings settings;
  std::vector<v1::Listener> listeners;
  std::vector<v1::RouteTable> route_tables;  // One for each listener, same name; sorted alike.
  std::vector<v1::Cluster> clusters;
  std::vector<v1::Certificate> certificates;
};

// Parses every body and checks everything: ranges, addresses, duplicates (two listeners on one
// address, two routes of one name), dangling references (cluster, certificate), key matching its
// certificate, regexes of names. Returns all errors found (the first kErrorsMax), empty when the
// snapshot can be compiled; only then is `*parsed` complete.
//
// The resources need not be sorted. Kinds and fields of a newer controller are ignored. Settings
// may be missing, and their log level and format empty: `parsed->settings` then has info and json.
// Elsewhere 0 in a timeout or limit means what the proto says, or the proxy's default. Listeners
// count as on one address also when one of them takes every address of that port.
std::vector<v1::ResourceError> ParseAndValidate(const snapshot::Resources& resources,
                                                ParsedSnapshot* parsed);

}  // namespace sluice::config
