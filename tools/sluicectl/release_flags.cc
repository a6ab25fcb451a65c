#include "tools/sluicectl/release_flags.h"

#include <algorithm>

#include "tools/sluicectl/session.h"

namespace sluice::sluicectl {
namespace {

v1::StrategyChoice ChoiceOf(const ReleaseFlags& flags) {
  v1::StrategyChoice choice;
  if (flags.kind == "waves") choice.set_kind(v1::StrategyChoice::WAVES);
  if (flags.kind == "all-at-once") choice.set_kind(v1::StrategyChoice::ALL_AT_ONCE);
  if (flags.bake.value > 0) choice.set_bake_ms(static_cast<uint32_t>(flags.bake.value));
  if (flags.preflight.value > 0) {
    choice.set_preflight_ms(static_cast<uint32_t>(flags.preflight.value));
  }
  choice.set_preflight_nodes(flags.preflight_nodes);
  if (flags.max_changed_ratio.millionths) {
    choice.set_max_changed_ppm(*flags.max_changed_ratio.millionths);
  }
  for (size_t start = 0; start < flags.waves.size();) {
    const size_t comma = std::min(flags.waves.find(',', start), flags.waves.size());
    choice.add_waves(flags.waves.substr(start, comma - start));
    start = comma + 1;
  }
  return choice;
}

template <typename Request>
void FillAny(Request* request, const ReleaseFlags& flags) {
  request->set_wait(flags.wait);
  request->set_message(flags.message);
  request->set_author(DefaultAuthor());
  request->set_partial(flags.partial);
  request->set_timeout_ms(static_cast<uint32_t>(flags.timeout.value));
  *request->mutable_strategy() = ChoiceOf(flags);
  request->set_force(flags.force);
}

}  // namespace

std::vector<Flag> ReleaseFlagsOf(ReleaseFlags* flags) {
  return {{"--wait", "", "Show every node's progress and end when all are effective", &flags->wait},
          {"-m,--message", "TEXT", "Why, for the history", &flags->message},
          {"--partial", "", "Release to the nodes that can take it even if others reject it",
           &flags->partial},
          {"--timeout", "DURATION", "Give up waiting after this (default 60s; in waves: never)",
           &flags->timeout},
          {"--strategy",
           "HOW",
           "waves: node by node, judged by live traffic (those of the document's rollout, or 1, "
           "10%, 50%, all); all-at-once: everywhere as soon as all have prepared",
           &flags->kind,
           {"waves", "all-at-once"}},
          {"--waves", "LIST", "Waves in place of the configured ones, such as 1,10%,50%",
           &flags->waves},
          {"--bake", "DURATION",
           "How long each wave serves before the next, in place of the "
           "configured time",
           &flags->bake},
          {"--preflight", "DURATION",
           "Before anything changes, route live requests by the new version too, without effect, "
           "and report what would change",
           &flags->preflight},
          {"--preflight-nodes", "N|N%", "On so many nodes (default: all, or as configured)",
           &flags->preflight_nodes},
          {"--max-changed-ratio", "RATIO",
           "Refuse the version if the preflight (30s unless given) finds that more of the "
           "requests would be treated otherwise: 0 to 1",
           &flags->max_changed_ratio},
          {"--force", "", "Also content that was taken back before", &flags->force}};
}

void Fill(v1::ApplyRequest* request, const ReleaseFlags& flags) { FillAny(request, flags); }

void Fill(v1::RollbackRequest* request, const ReleaseFlags& flags) { FillAny(request, flags); }

}  // namespace sluice::sluicectl
