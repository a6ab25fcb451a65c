// fleetsim: a fleet of simulated proxies, until a signal or the end of its time.
#include <signal.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>

#include "absl/synchronization/mutex.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "tools/fleetsim/figures.h"
#include "tools/fleetsim/simulation.h"

namespace sluice::fleetsim {
namespace {

constexpr std::chrono::seconds kFiguresEvery{1};

void WriteJson(const SimOptions& options, const FleetFigures& figures) {
  if (options.json.empty()) return;
  nlohmann::json json = ToJson(figures);
  const base::ProcessFigures process = base::ReadProcessFigures();
  json["unix_ms"] = base::UnixMillis();
  json["process"] = {{"resident_bytes", process.resident_bytes},
                     {"cpu_seconds", process.cpu_seconds},
                     {"open_files", process.open_files}};
  const absl::Status written = base::WriteFileAtomically(options.json, json.dump(1) + "\n", 0644);
  if (!written.ok()) base::LogError("{}", std::string(written.message()));
}

class Clerk {
 public:
  Clerk(boost::asio::io_context& context, const SimOptions& options, Observer& observer)
      : timer_(context), options_(options), observer_(observer) {}

  void Start() {
    timer_.expires_after(kFiguresEvery);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      observer_.Poll(base::UnixMicros());
      WriteJson(options_, observer_.figures());
      Start();
    });
  }

 private:
  boost::asio::steady_timer timer_;
  const SimOptions& options_;
  Observer& observer_;
};

int Run(const SimOptions& options) {
  auto simulation = Simulation::Make(options);
  if (!simulation.ok()) {
    base::LogError("{}", std::string(simulation.status().message()));
    return 1;
  }
  boost::asio::io_context context(1);
  boost::asio::signal_set signals(context, SIGTERM, SIGINT);
  signals.async_wait([&context](const boost::system::error_code&, int) { context.stop(); });
  boost::asio::steady_timer end(context);
  if (options.duration.count() > 0) {
    end.expires_after(options.duration);
    end.async_wait([&context](const boost::system::error_code&) { context.stop(); });
  }
  Observer& observer = (*simulation)->observer();
  Clerk clerk(context, options, observer);
  clerk.Start();
  (*simulation)->Start();
  context.run();

  observer.Poll(base::UnixMicros());
  const FleetFigures figures = observer.figures();  // Before the streams are ended.
  WriteJson(options, figures);
  std::fputs(ToText(figures).c_str(), stdout);
  std::fflush(stdout);
  return 0;
}

}  // namespace
}  // namespace sluice::fleetsim

int main(int argc, char** argv) {
  sluice::fleetsim::SimOptions options;
  switch (sluice::fleetsim::ParseSimOptions(argc, argv, &options)) {
    case sluice::base::Flags::Outcome::kRun:
      break;
    case sluice::base::Flags::Outcome::kExitOk:
      return 0;
    case sluice::base::Flags::Outcome::kExitUsage:
      return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  sluice::base::RaiseDescriptorLimit();
  // As in the controller: the nodes share the processors with what is measured.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const absl::Status status = sluice::base::InitLog("fleetsim", options.log_level, "text");
  if (!status.ok()) {
    std::fprintf(stderr, "fleetsim: %s\n", std::string(status.message()).c_str());
    return 2;
  }
  const int code = sluice::fleetsim::Run(options);
  sluice::base::ShutdownLog();
  return code;
}
