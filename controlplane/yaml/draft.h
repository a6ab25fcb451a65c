// What a document says, read by the tables and with defaults filled in, but not yet joined up:
// names not resolved, files not read. Everything knows where it was written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/yaml/block_reader.h"
#include "controlplane/yaml/problems.h"
#include "sluice/v1/admin_service.pb.h"
#include "sluice/v1/cluster.pb.h"
#include "sluice/v1/listener.pb.h"
#include "sluice/v1/rollout.pb.h"
#include "sluice/v1/route.pb.h"
#include "sluice/v1/settings.pb.h"

namespace sluice::yaml {

// A text of the document and where it stands.
struct Mention {
  std::string text;
  Place place;
  std::string path;  // services[0].tls.cert_path
};

// The files of one certificate resource, which is named as the first is written.
struct CertificateFiles {
  Mention certificate;
  Mention key;
  std::optional<Mention> ocsp;
};

struct UpstreamDraft {
  v1::Cluster cluster;  // Without ca_pem.
  Mention name;
  FieldPlaces places;
  std::optional<Mention> ca;
  bool shared = false;  // From the top-level list: a warning if no route uses it.
};

struct ServiceDraft {
  v1::Listener listener;  // Without client_auth.ca_pem.
  v1::RouteTable routes;
  Mention name;
  FieldPlaces listener_places;
  FieldPlaces route_places;
  std::vector<Mention> route_names;  // One for each route.
  std::optional<Mention> client_ca;
};

struct TestDraft {
  Mention name;
  v1::ExplainRequest request;
  Mention service;  // Empty text: not given.
  Mention url;
  std::optional<Mention> route;
  std::optional<Mention> upstream;
  std::optional<Mention> path;
  std::optional<Mention> status;
};

struct Draft {
  v1::Settings settings;
  FieldPlaces settings_places;
  std::vector<ServiceDraft> services;
  std::vector<UpstreamDraft> upstreams;        // Each name once.
  std::vector<Mention> upstream_uses;          // Every mention by a route, definitions included.
  std::vector<CertificateFiles> certificates;  // Each cert_path once.
  std::vector<TestDraft> tests;
  std::optional<v1::RolloutStrategy> rollout;
};

// Reports to `problems`, which has the document's files. What could not be read is left out.
Draft ReadDraft(const v1::Document& document, Problems* problems);

// What an empty `rollout` means.
v1::RolloutStrategy DefaultRollout();

}  // namespace sluice::yaml
