#include "dataplane/preflight/shadow.h"

#include <fmt/format.h>

namespace sluice::preflight {
namespace {

// A stranger's words on their way to a terminal.
std::string Example(const SampledRequest& request) {
  std::string text = fmt::format("{} {}{}", request.method, request.host, request.path);
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text;
}

}  // namespace

Shadow::Shadow(const runtime::RuntimeConfig& prepared, uint32_t sample_percent)
    : prepared_(prepared), sample_percent_(sample_percent) {
  for (const auto& service : prepared.services) services_.emplace(service->address, service.get());
}

void Shadow::Look(const Treatment& now, const SampledRequest& request) {
  const auto found = services_.find(now.service->address);
  const Treatment then =
      Treat(prepared_, found == services_.end() ? nullptr : found->second, request);
  const v1::PreflightChange::Kind kind = Compare(now, then, request);
  if (kind == v1::PreflightChange::NONE) {
    tally_.AddSame();
    return;
  }
  const std::string target = DescribeTarget(kind, now, then, request);
  tally_.AddChanged({.service = now.service->name,
                     .route = now.route == nullptr ? std::string_view() : now.route->name,
                     .kind = kind,
                     .target = target},
                    [&request] { return Example(request); });
}

}  // namespace sluice::preflight
