// What a prepared snapshot would do with a request, held against what the serving one does.
//
// Every sampled request pays for it: Treat and Compare do not allocate.
#pragma once

#include <string>
#include <string_view>

#include "dataplane/runtime/runtime_config.h"
#include "sluice/v1/preflight.pb.h"

namespace sluice::preflight {

// A request as far as routing knows it. Views must outlive the call only.
struct SampledRequest {
  std::string_view method, host, path;  // As the access log has them; without the query.
  bool encoded_slash = false;           // "%2F" in the path, which a route may refuse.
};

// How one snapshot treats it.
struct Treatment {
  const runtime::RuntimeConfig* config = nullptr;
  const runtime::Service* service = nullptr;  // Null: nothing is served at the address.
  const runtime::Route* route = nullptr;      // Null: none matches.
};

// How `config` would treat a request that came in at `service`'s address, whose configuration may
// be another one's; `service` null: nothing is there any more.
Treatment Treat(const runtime::RuntimeConfig& config, const runtime::Service* service,
                const SampledRequest& request);

// NONE: the client and the upstream would see no difference. Upstreams are told apart by name:
// which of several a request takes is a matter of chance, and their nodes and weights are not
// looked at.
v1::PreflightChange::Kind Compare(const Treatment& now, const Treatment& then,
                                  const SampledRequest& request);

// What would become of it, for people: "404", "route api: upstream shop", "301 https://b.test/".
std::string DescribeTarget(v1::PreflightChange::Kind kind, const Treatment& now,
                           const Treatment& then, const SampledRequest& request);

}  // namespace sluice::preflight
