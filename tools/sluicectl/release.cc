#include "tools/sluicectl/release.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "tools/sluicectl/change_text.h"
#include "tools/sluicectl/format.h"
#include "tools/sluicectl/preflight_text.h"
#include "tools/sluicectl/rollout_text.h"

namespace sluice::sluicectl {
namespace {

using Stage = v1::NodeProgress::Stage;

std::string StageName(Stage stage) {
  std::string name = v1::NodeProgress::Stage_Name(stage);
  if (name.empty()) return fmt::format("stage {}", static_cast<int>(stage));
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

Style StageStyle(Stage stage) {
  switch (stage) {
    case v1::NodeProgress::EFFECTIVE:
      return Style::kGreen;
    case v1::NodeProgress::REJECTED:
      return Style::kRed;
    case v1::NodeProgress::LAGGING:
      return Style::kYellow;
    default:
      return Style::kPlain;
  }
}

bool IsFinal(Stage stage) {
  return stage == v1::NodeProgress::EFFECTIVE || stage == v1::NodeProgress::REJECTED;
}

int CountAt(const v1::ApplyProgress& progress, Stage least) {
  int count = 0;
  for (const auto& node : progress.nodes()) {
    const bool on_ladder = node.stage() <= v1::NodeProgress::EFFECTIVE;
    if (on_ladder && node.stage() >= least) ++count;
  }
  return count;
}

std::string VersionName(const v1::Version& version) {
  return fmt::format("version {} (root {})", version.revision(), ShortRoot(version.root()));
}

// How long a call may take that the controller ends by itself after the timeout (0: its own
// choice), or at once unless it waits.
template <typename Request>
ControllerClient::Timeout TimeoutOf(const Request& request) {
  // To prepare, and the longest preflight that a document may ask for.
  constexpr std::chrono::milliseconds kWithoutWaiting{3'660'000};
  if (request.timeout_ms() > 0) return std::chrono::milliseconds(request.timeout_ms());
  if (!request.wait()) return kWithoutWaiting;
  return std::nullopt;
}

StreamHandler<v1::ApplyProgress> HandlerOf(ReleaseView& view) {
  StreamHandler<v1::ApplyProgress> handler;
  handler.on_message = [&view](const v1::ApplyProgress& progress) {
    view.OnProgress(progress);
    return true;
  };
  handler.on_tick = [&view] { view.OnTick(); };
  return handler;
}

}  // namespace

ReleaseView::ReleaseView(const Session& session, Options options)
    : session_(session),
      options_(options),
      lines_(options.document == nullptr ? v1::Document::default_instance() : *options.document),
      block_(session.console()),
      started_ms_(session.console().now_unix_ms()) {}

bool ReleaseView::live() const {
  return session_.console().out_is_terminal && IsForPeople(session_.format());
}

bool ReleaseView::show_source() const {
  return session_.console().error_is_terminal || session_.wide();
}

void ReleaseView::OnProgress(const v1::ApplyProgress& progress) {
  any_ = true;
  if (IsForPeople(session_.format()) && !live()) {
    if (!PrintRollout(progress)) PrintStages(progress);
    if (progress.has_preflight() && !preflight_told_) {
      preflight_told_ = true;
      session_.Print(Text().Line(PreflightSummaryText(progress.preflight())));
    }
  }
  Remember(progress);
  if (live() && (progress.nodes_size() > 0 || options_.wait)) block_.Draw(Block());
}

void ReleaseView::OnTick() {
  if (live() && last_.nodes_size() > 0) block_.Draw(Block());
}

void ReleaseView::Remember(const v1::ApplyProgress& progress) {
  const int64_t now_ms = session_.console().now_unix_ms();
  for (const auto& node : progress.nodes()) {
    const auto [seen, is_new] = seen_.try_emplace(node.node_id());
    if (is_new || seen->second.stage != node.stage()) seen->second = {node.stage(), now_ms};
  }
  last_ = progress;
}

void ReleaseView::PrintStages(const v1::ApplyProgress& progress) {
  Text text;
  for (const auto& node : progress.nodes()) {
    const auto seen = seen_.find(node.node_id());
    if (seen != seen_.end() && seen->second.stage == node.stage()) continue;
    text.Add(node.node_id()).Add(": ").Add(StageName(node.stage()), StageStyle(node.stage()));
    text.Add(fmt::format(" ({})", FormatElapsed(progress.elapsed_ms()))).EndLine();
  }
  if (!text.empty()) session_.Print(text);
}

// In waves the nodes' steps are too many: a line for each step of the rollout. False: there is
// none.
bool ReleaseView::PrintRollout(const v1::ApplyProgress& progress) {
  if (progress.rollout().waves_size() == 0) return false;
  const std::string summary = RolloutSummary(progress.rollout());
  if (summary == rollout_told_) return true;
  rollout_told_ = summary;
  session_.Print(
      Text().Line(fmt::format("version {}: {} ({})", progress.rollout().version().revision(),
                              summary, FormatElapsed(progress.elapsed_ms()))));
  return true;
}

// Once it is over; while it runs, a line of it stands in the block.
void ReleaseView::PrintPreflight() const {
  if (last_.has_preflight() && IsForPeople(session_.format())) {
    session_.Print(PreflightText(last_.preflight()));
  }
}

Text ReleaseView::Block() const {
  const bool preflight = last_.has_preflight() && last_.outcome() == v1::ApplyProgress::RUNNING;
  if (preflight && last_.rollout().waves_size() == 0) {
    return Text().Line(PreflightSummaryText(last_.preflight()), Style::kCyan);
  }
  if (last_.rollout().waves_size() > 0) {
    return RolloutText(last_.rollout(), session_.console().now_unix_ms());
  }
  const int64_t now_ms = session_.console().now_unix_ms();
  size_t width = 0;
  for (const auto& node : last_.nodes()) {
    width = std::max(width, DisplayWidth(EscapeForTerminal(node.node_id())));
  }
  Text text;
  for (const auto& node : last_.nodes()) {
    const auto seen = seen_.find(node.node_id());
    const bool stands = IsFinal(node.stage()) && seen != seen_.end();
    const int64_t elapsed_ms = (stands ? seen->second.at_ms : now_ms) - started_ms_;
    text.Add("  ").AddPadded(node.node_id(), width + 3, Style::kBold);
    text.AddPadded(StageName(node.stage()), 12, StageStyle(node.stage()));
    text.Add(FormatElapsed(static_cast<uint64_t>(std::max<int64_t>(elapsed_ms, 0))), Style::kDim);
    text.EndLine();
  }
  return text;
}

ExitCode ReleaseView::Finish(const absl::Status& status) {
  if (live() && last_.nodes_size() > 0) block_.Draw(Block());
  // An outcome that has arrived counts, whatever became of the connection afterwards.
  const bool known = any_ && last_.outcome() != v1::ApplyProgress::RUNNING;
  if (!known) {
    if (!status.ok()) {
      const ExitCode code = session_.Fail(status);
      if (any_) {
        session_.Fail(
            code, "the outcome is not known; 'sluicectl status' shows which version runs where");
      }
      return code;
    }
    return session_.Fail(
        ExitCode::kFailed,
        "the controller ended the call without an outcome; 'sluicectl status' shows "
        "which version runs where");
  }
  if (!IsForPeople(session_.format())) session_.PrintJson(ToJson(last_));
  return Conclude();
}

ExitCode ReleaseView::Conclude() const {
  PrintPreflight();
  switch (last_.outcome()) {
    case v1::ApplyProgress::UNCHANGED:
      PrintProblems();
      if (IsForPeople(session_.format())) {
        session_.Print(Text().Line(
            last_.rollout().waves_size() > 0
                ? last_.message()
                : fmt::format("unchanged: version {} already runs", last_.version().revision())));
      }
      return ExitCode::kDone;
    case v1::ApplyProgress::DONE:
      return Done();
    case v1::ApplyProgress::DRY_RUN_OK:
      return DryRunOk();
    case v1::ApplyProgress::INVALID:
      return Invalid();
    case v1::ApplyProgress::REFUSED:
      return Refused();
    case v1::ApplyProgress::TIMED_OUT:
      return TimedOut();
    case v1::ApplyProgress::TAKEN_BACK:
      return TakenBack();
    case v1::ApplyProgress::PAUSED:
      return Paused();
    default:
      return session_.Fail(ExitCode::kFailed,
                           "the controller reports an outcome this sluicectl does not know");
  }
}

ExitCode ReleaseView::Done() const {
  PrintProblems();
  const Text rejections = RejectionText();
  if (!rejections.empty()) session_.console().PrintError(rejections);
  if (!IsForPeople(session_.format())) return ExitCode::kDone;
  Text text;
  if (last_.rollout().waves_size() > 0) {
    text.Line(last_.message(), options_.wait ? Style::kGreen : Style::kPlain);
  } else if (!options_.wait) {
    text.Line(fmt::format("version {} stored and released", last_.version().revision()));
  } else if (last_.nodes_size() == 0) {
    text.Line(
        fmt::format("{} stored and released; no node is connected", VersionName(last_.version())));
  } else {
    const int effective = CountAt(last_, v1::NodeProgress::EFFECTIVE);
    text.Line(fmt::format("{} effective on {} of {} in {}", VersionName(last_.version()), effective,
                          Count(last_.nodes_size(), "node"), FormatElapsed(last_.elapsed_ms())),
              effective == last_.nodes_size() ? Style::kGreen : Style::kYellow);
  }
  session_.Print(text);
  return ExitCode::kDone;
}

ExitCode ReleaseView::DryRunOk() const {
  PrintProblems();
  if (!IsForPeople(session_.format())) return ExitCode::kDone;
  Text text = ChangesText(last_.changes());
  std::string line = fmt::format("dry run: valid; {}", CountChanges(last_.changes()));
  if (options_.dry_run == v1::ApplyRequest::NODES) {
    line += fmt::format("; {} of {} can take it", CountAt(last_, v1::NodeProgress::PREPARED),
                        Count(last_.nodes_size(), "node"));
  }
  session_.Print(text.Line(line + "; nothing was changed"));
  return ExitCode::kDone;
}

ExitCode ReleaseView::Invalid() const {
  PrintProblems();
  const auto errors =
      std::count_if(last_.problems().begin(), last_.problems().end(),
                    [](const auto& problem) { return problem.severity() == v1::Problem::ERROR; });
  return session_.Fail(ExitCode::kFailed,
                       fmt::format("not applied: the document has {}; nothing was changed",
                                   Count(static_cast<uint64_t>(errors), "error")));
}

ExitCode ReleaseView::Refused() const {
  PrintProblems();
  const Text rejections = RejectionText();
  if (!rejections.empty()) session_.console().PrintError(rejections);
  const std::string why = last_.message().empty() ? "refused by a node" : last_.message();
  return session_.Fail(ExitCode::kFailed, fmt::format("not applied: {}; nothing was changed", why));
}

ExitCode ReleaseView::TakenBack() const {
  return session_.Fail(ExitCode::kFailed, last_.message());
}

ExitCode ReleaseView::Paused() const {
  return session_.Fail(ExitCode::kWaitedInVain, last_.message());
}

ExitCode ReleaseView::TimedOut() const {
  if (last_.rollout().waves_size() > 0) {
    return session_.Fail(ExitCode::kWaitedInVain, last_.message());
  }
  const Text rejections = RejectionText();
  if (!rejections.empty()) session_.console().PrintError(rejections);
  std::string behind;
  for (const auto& node : last_.nodes()) {
    if (node.stage() == v1::NodeProgress::EFFECTIVE) continue;
    behind += fmt::format("{}{} ({})", behind.empty() ? "" : ", ", node.node_id(),
                          StageName(node.stage()));
  }
  std::string why =
      fmt::format("waited in vain: {} effective on {} of {} after {}", VersionName(last_.version()),
                  CountAt(last_, v1::NodeProgress::EFFECTIVE), Count(last_.nodes_size(), "node"),
                  FormatElapsed(last_.elapsed_ms()));
  if (!behind.empty()) why += fmt::format("; behind: {}", behind);
  return session_.Fail(ExitCode::kWaitedInVain, why);
}

void ReleaseView::PrintProblems() const {
  if (last_.problems().empty()) return;
  Text text;
  for (const v1::Problem& problem : last_.problems()) {
    AppendProblem(&text, problem, show_source() ? &lines_ : nullptr);
  }
  session_.console().PrintError(text);
}

Text ReleaseView::RejectionText() const {
  Text text;
  for (const auto& node : last_.nodes()) {
    for (const v1::ResourceError& error : node.errors()) {
      if (!error.source().empty()) text.Add(error.source(), Style::kBold).Add(": ");
      text.Add("rejected by node ").Add(node.node_id(), Style::kBold).Add(": ");
      text.Add(NameOf(error.resource()));
      if (!error.field().empty()) text.Add(fmt::format(": {}", error.field()));
      text.Add(": ").Add(error.message(), Style::kRed).EndLine();
      v1::Problem place;
      if (show_source() && ParsePlace(error.source(), &place)) {
        AppendSourceLine(&text, lines_, place);
      }
    }
    if (node.stage() == v1::NodeProgress::REJECTED && node.errors().empty()) {
      text.Add("rejected by node ").Add(node.node_id(), Style::kBold).Add(" without a reason");
      text.EndLine();
    }
  }
  return text;
}

ExitCode FollowApply(ControllerClient& client, const v1::ApplyRequest& request, Session& session) {
  ReleaseView view(session, {request.wait(), request.dry_run(), &request.document()});
  return view.Finish(client.Apply(request, TimeoutOf(request), HandlerOf(view)));
}

ExitCode FollowRollback(ControllerClient& client, const v1::RollbackRequest& request,
                        Session& session) {
  ReleaseView view(session, {.wait = request.wait()});
  return view.Finish(client.Rollback(request, TimeoutOf(request), HandlerOf(view)));
}

}  // namespace sluice::sluicectl
