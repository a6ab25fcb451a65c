// sluice-controller: alone, or as one of several.
#include <signal.h>

#include <cstdio>

#include "common/base/log.h"
#include "common/base/process.h"
#include "controlplane/serve/admin_port.h"
#include "controlplane/serve/events.h"
#include "controlplane/serve/grpc_port.h"
#include "controlplane/serve/member.h"
#include "controlplane/serve/options.h"
#include "controlplane/serve/server.h"

namespace sluice {
namespace {

constexpr std::chrono::milliseconds kRetryAfter{1000};  // For nodes, when the controller ends.
constexpr std::chrono::milliseconds kGrace{2000};       // For calls under way.

absl::Status ServeAlone(const serve::ControllerOptions& options, serve::AdminPort& admin_port,
                        serve::Events& events) {
  auto server = serve::Server::Start(options, admin_port, {});
  if (!server.ok()) return server.status();
  while (!events.ending()) events.Wait();
  base::LogInfo("ending");
  (*server)->Stop(kRetryAfter, kGrace);
  return absl::OkStatus();
}

absl::Status ServeWithOthers(const serve::ControllerOptions& options, serve::AdminPort& admin_port,
                             serve::Events& events) {
  const auto member = serve::Member::Open(options, admin_port, events);
  return member.ok() ? (*member)->Run() : member.status();
}

absl::Status Serve(const serve::ControllerOptions& options) {
  serve::Events events;
  serve::AdminPort admin_port(options.admin_address);
  return options.etcd.has_value() ? ServeWithOthers(options, admin_port, events)
                                  : ServeAlone(options, admin_port, events);
}

int Run(const serve::ControllerOptions& options) {
  const absl::Status status = Serve(options);
  if (status.ok()) return 0;
  base::LogError("{}", std::string(status.message()));
  return 1;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  sluice::serve::ControllerOptions options;
  switch (sluice::serve::ParseControllerOptions(argc, argv, &options)) {
    case sluice::base::Flags::Outcome::kRun:
      break;
    case sluice::base::Flags::Outcome::kExitOk:
      return 0;
    case sluice::base::Flags::Outcome::kExitUsage:
      return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  sluice::base::RaiseDescriptorLimit();
  sluice::serve::SetUpGrpc();
  const absl::Status status =
      sluice::base::InitLog("sluice-controller", options.log_level, options.log_format);
  if (!status.ok()) {
    std::fprintf(stderr, "sluice-controller: %s\n", std::string(status.message()).c_str());
    return 2;
  }
  const int code = sluice::Run(options);
  sluice::base::ShutdownLog();
  return code;
}
