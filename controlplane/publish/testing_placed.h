// Snapshots for tests whose services are placed by labels. Each has all that a service can name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controlplane/publish/testing_resources.h"
#include "sluice/v1/certificate.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/route.pb.h"
#include "sluice/v1/settings.pb.h"

namespace sluice::publish::testing {

struct PlacedService {
  std::string name;
  std::vector<std::string> placement;  // "key=value".
  std::string answer = "same";         // What changes from version to version.
};

inline SharedResources PlacedSnapshot(const std::vector<PlacedService>& services) {
  snapshot::Resources resources;
  const auto add = [&resources](v1::ResourceKind kind, const std::string& name,
                                const google::protobuf::Message& message) {
    resources.push_back(snapshot::MakeResource(kind, name, message));
  };
  add(v1::RESOURCE_KIND_SETTINGS, "", v1::Settings());
  for (const PlacedService& service : services) {
    v1::Listener listener;
    listener.set_name(service.name);
    listener.mutable_tls()->add_certificates(service.name + "-cert");
    for (const std::string& label : service.placement) listener.add_placement(label);
    add(v1::RESOURCE_KIND_LISTENER, service.name, listener);
    v1::RouteTable table;
    table.set_service(service.name);
    table.add_routes()->mutable_forward()->add_clusters()->set_cluster(service.name + "-up");
    table.add_routes()->mutable_respond()->set_body(service.answer);
    add(v1::RESOURCE_KIND_ROUTE_TABLE, service.name, table);
    v1::Cluster cluster;
    cluster.set_name(service.name + "-up");
    cluster.mutable_tls()->set_client_certificate(service.name + "-client");
    add(v1::RESOURCE_KIND_CLUSTER, cluster.name(), cluster);
    for (const char* kind : {"-cert", "-client"}) {
      v1::Certificate certificate;
      certificate.set_name(service.name + kind);
      add(v1::RESOURCE_KIND_CERTIFICATE, certificate.name(), certificate);
    }
  }
  (void)snapshot::SortAndCheck(&resources).ok();
  return std::make_shared<const snapshot::Resources>(std::move(resources));
}

}  // namespace sluice::publish::testing
