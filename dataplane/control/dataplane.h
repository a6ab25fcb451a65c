// What the control thread asks of the serving side; server.cc implements it. Every call is made on
// the control thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/config/validate.h"
#include "nlohmann/json.hpp"
#include "sluice/v1/control_service.pb.h"

namespace sluice::control {

class Dataplane {
 public:
  virtual ~Dataplane() = default;

  // Compiles the snapshot whole: route tables, TLS contexts, sockets bound (not yet listening).
  // Traffic is not touched. Empty: ready, and kept until Commit, Discard or the next Prepare.
  virtual std::vector<v1::ResourceError> Prepare(config::ParsedSnapshot parsed,
                                                 const v1::Version& version) = 0;
  // Calls `warm` once, when the new endpoints of what is prepared have been checked or the time for
  // that is over; before it returns where there is none. Never after Discard, Commit or another
  // Prepare.
  virtual void WarmUp(std::function<void()> warm) = 0;
  // Routes that share of the live requests by what is prepared, too, without effect on them, until
  // Discard, Commit or the next Prepare; counts what would change since it began.
  virtual void BeginPreflight(uint32_t sample_percent) = 0;
  virtual v1::PreflightReport ReadPreflight() const = 0;
  virtual void Discard() = 0;
  // Puts the prepared snapshot into service. `on_effective` runs on the control thread when every
  // worker serves it.
  virtual void Commit(std::function<void()> on_effective) = 0;
  // What is effective is `version` from now on: the same content under another number.
  virtual void Renumber(const v1::Version& version) = 0;

  // Stop accepting (listening sockets closed after their queues are emptied), answer Connection:
  // close, finish. Undrain listens again.
  virtual void SetDraining(bool draining) = 0;
  virtual bool draining() const = 0;
  virtual bool serving() const = 0;  // A snapshot is effective.

  virtual void FillReport(v1::Report* report) const = 0;
  // For /clusters, /listeners, /connections, /stats and Command.dump.
  virtual nlohmann::json DumpClusters() const = 0;
  virtual nlohmann::json DumpListeners() const = 0;
  virtual nlohmann::json DumpConnections() const = 0;
  virtual nlohmann::json DumpStats() const = 0;
};

}  // namespace sluice::control
