// The tables of the format, one file for each part: format_settings.cc, format_service.cc,
// format_route.cc, format_upstream.cc, format_tests.cc, format_rollout.cc.
#pragma once

#include "controlplane/yaml/key_table.h"

namespace sluice::yaml {

inline constexpr Choice kLogFormats[] = {{"json"}, {"text"}};

extern const Block kServer;
extern const Block kAdmin;
extern const Block kMetrics;
extern const Block kLogging;
extern const Block kRollout;
extern const Block kService;         // services[]
extern const Block kCertificate;     // services[].tls.certificates[]
extern const Block kRoute;           // services[].routes[]
extern const Block kUpstream;        // services[].routes[].upstreams[]
extern const Block kSharedUpstream;  // upstreams[]: the same without `weight`.
extern const Block kTest;            // tests[]
extern const Block kTestRequest;
extern const Block kTestExpect;

}  // namespace sluice::yaml
