// One change on its way through the controller. Private to the controller's files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "controlplane/apply/controller.h"

namespace sluice::apply {

struct Controller::Change {
  const ChangeRequest& request;
  std::string message;  // The request's, or one made for it.
  publish::SharedResources resources;
  std::string root;
  SnapshotSize size;
  v1::Document document;
  std::optional<v1::RolloutStrategy> configured;  // The document's `rollout`.
  uint64_t again_revision = 0;               // Of the version that this one has the content of.
  std::optional<v1::RolloutStrategy> waves;  // None: all at once.
  bool rolling = false;                      // It is on its way in waves.
  struct PreflightPlan {
    uint32_t duration_ms = 0;
    std::string nodes = {}, order_by = {};  // As in RolloutStrategy.
    uint32_t sample_percent = 100;
    std::optional<uint32_t> max_changed_ppm = {};
  };
  std::optional<PreflightPlan> preflight;
  std::shared_ptr<const CurrentVersion> before;
  store::StoredVersion version;
  int64_t started_ms = base::MonotonicMillis();
};

inline void SetOutcome(v1::ApplyProgress* progress, v1::ApplyProgress::Outcome outcome,
                       std::string message) {
  progress->set_outcome(outcome);
  progress->set_message(std::move(message));
}

}  // namespace sluice::apply
