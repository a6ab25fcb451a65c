// The keys of `rollout`: how changes reach the fleet.
#include "controlplane/yaml/format.h"
#include "controlplane/yaml/wave.h"
#include "sluice/v1/rollout.pb.h"

namespace sluice::yaml {
namespace {

constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kPreflightMsMax = 3'600'000;

constexpr Choice kPromotions[] = {{"automatic", 0}, {"manual", 1}};
constexpr Choice kOnFailure[] = {{"rollback", 0}, {"pause", 1}};

constexpr Key kGateKeys[] = {
    {.name = "effective_within",
     .kind = KeyKind::kDuration,
     .doc = "How long the nodes of a wave have to be effective. A node that falls silent for as "
            "long is left behind; the rollout fails when those are more than a tenth of the nodes "
            "that have the version.",
     .example = "'30s'",
     .field = "effective_within_ms",
     .initial = "30s",
     .min = 100,
     .max = kDayMs},
    {.name = "requests_min",
     .kind = KeyKind::kInteger,
     .doc = "Requests that nodes with the version must have served in a wave before the next one.",
     .example = "1000",
     .field = "requests_min",
     .initial = "100",
     .max = 1'000'000'000},
    {.name = "requests_wait",
     .kind = KeyKind::kDuration,
     .doc = "How long a wave that has baked waits for `requests_min`; then the rollout pauses.",
     .example = "'5m'",
     .field = "requests_wait_ms",
     .initial = "5m",
     .max = kDayMs},
    {.name = "max_5xx_increase_percent",
     .kind = KeyKind::kInteger,
     .doc =
         "Percentage points by which the share of 5xx may exceed what the same nodes had before, "
         "and what nodes without the version have.",
     .example = "1",
     .field = "errors_increase_percent",
     .initial = "2",
     .max = 100},
    {.name = "max_p99_increase_percent",
     .kind = KeyKind::kInteger,
     .doc = "By how much the 99th percentile of latency may exceed the same; 10 ms more are always "
            "allowed.",
     .example = "20",
     .field = "p99_increase_percent",
     .initial = "50",
     .max = 10'000},
    {.name = "endpoints",
     .kind = KeyKind::kFlag,
     .doc = "Whether the rollout fails when, on a node with the version, an upstream has lost its "
            "healthy majority.",
     .example = "true",
     .field = "ignore_endpoints",
     .initial = "true",
     .inverted = true},
    {.name = "max_changed_ratio",
     .kind = KeyKind::kRatio,
     .doc = "The share of live requests that the version may treat otherwise than the one that "
            "serves, as the preflight finds; above it, the version is refused before anything "
            "changes. Set without `preflight`, it means one of 30s.",
     .example = "0.01",
     .field = "max_changed_ppm",
     .without = "not judged"},
};
constexpr Block kGates = {.title = "rollout.gates",
                          .doc = "What every wave must pass before the next one.",
                          .message = v1::RolloutGates::descriptor,
                          .keys = kGateKeys};

constexpr Key kRolloutKeys[] = {
    {.name = "waves",
     .kind = KeyKind::kTexts,
     .doc = "How many nodes have the version once each wave is out: a number of nodes, or a share "
            "of those connected. The last wave is always the whole fleet.",
     .example = "['1', '10%', '50%']",
     .field = "waves",
     .without = "one node, then 10 %, then half, then all",
     .check = WaveProblem},
    {.name = "order_by",
     .doc = "The label by whose value nodes are put in order, for the first waves to be the nodes "
            "one would rather lose; those without it come last.",
     .example = "'tier'",
     .field = "order_by",
     .without = "by name"},
    {.name = "bake",
     .kind = KeyKind::kDuration,
     .doc = "How long each wave serves before the next one goes out.",
     .example = "'2m'",
     .field = "bake_ms",
     .initial = "30s",
     .max = kDayMs},
    {.name = "promotion",
     .kind = KeyKind::kChoice,
     .doc =
         "Whether a wave that passed its gates releases the next, or waits for `sluicectl rollout "
         "promote`.",
     .example = "'manual'",
     .field = "manual",
     .initial = "automatic",
     .choices = kPromotions},
    {.name = "on_failure",
     .kind = KeyKind::kChoice,
     .doc = "What follows when a gate fails: every node goes back to the version before, or the "
            "rollout stops where it is.",
     .example = "'pause'",
     .field = "pause_on_failure",
     .initial = "rollback",
     .choices = kOnFailure},
    {.name = "preflight",
     .kind = KeyKind::kDuration,
     .doc = "How long live requests are also routed by the version, without effect, before the "
            "first wave; what would change is reported.",
     .example = "'30s'",
     .field = "preflight_ms",
     .without = "no preflight",
     .max = kPreflightMsMax},
    {.name = "preflight_nodes",
     .doc = "On how many nodes, in the order of `order_by`: a number, or a share of all.",
     .example = "'10%'",
     .field = "preflight_nodes",
     .without = "on all",
     .check = WaveProblem},
    {.name = "preflight_sample_percent",
     .kind = KeyKind::kInteger,
     .doc = "Of these nodes' requests, how many are looked at.",
     .example = "10",
     .field = "preflight_sample_percent",
     .initial = "100",
     .min = 1,
     .max = 100},
    {.name = "gates",
     .kind = KeyKind::kBlock,
     .doc = "What every wave must pass before the next one.",
     .example = "{requests_min: 1000}",
     .field = "gates",
     .block = &kGates},
};

}  // namespace

const constinit Block kRollout = {
    .title = "rollout",
    .doc = "How changes of this document reach the fleet. It is no part of what the proxies get.",
    .message = v1::RolloutStrategy::descriptor,
    .keys = kRolloutKeys};

}  // namespace sluice::yaml
