#include "tools/sluicectl/preflight_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/sluicectl/format.h"

namespace sluice::sluicectl {
namespace {

std::string_view KindWord(v1::PreflightChange::Kind kind) {
  switch (kind) {
    case v1::PreflightChange::UNMATCHED:
      return "match nothing";
    case v1::PreflightChange::REFUSED:
      return "are refused";
    case v1::PreflightChange::REDIRECTED:
      return "are redirected";
    case v1::PreflightChange::ANSWERED:
      return "are answered";
    case v1::PreflightChange::OTHER_UPSTREAM:
      return "go to";
    case v1::PreflightChange::OTHER_REQUEST:
      return "ask otherwise";
    case v1::PreflightChange::OTHER_ROUTE:
      return "take";
    case v1::PreflightChange::MATCHED:
      return "match";
    default:
      return "change";
  }
}

Style KindStyle(v1::PreflightChange::Kind kind) {
  switch (kind) {
    case v1::PreflightChange::UNMATCHED:
    case v1::PreflightChange::REFUSED:
      return Style::kRed;
    case v1::PreflightChange::MATCHED:
      return Style::kGreen;
    default:
      return Style::kYellow;
  }
}

std::string RouteOf(const v1::PreflightChange& change) {
  return fmt::format("{}/{}", change.service(), change.route().empty() ? "-" : change.route());
}

}  // namespace

std::string PreflightSummaryText(const v1::PreflightSummary& summary) {
  if (summary.node_ids().empty()) {
    return "preflight: no node could take part";
  }
  const v1::PreflightReport& figures = summary.figures();
  const uint32_t shown_ms = std::min(summary.elapsed_ms(), summary.duration_ms());
  std::string text = fmt::format("preflight, {} of {} on {}: {}", FormatElapsed(shown_ms),
                                 FormatElapsed(summary.duration_ms()),
                                 Count(static_cast<uint64_t>(summary.node_ids_size()), "node"),
                                 Count(figures.requests(), "request"));
  if (figures.requests() > 0) {
    const double percent =
        100.0 * static_cast<double>(figures.changed()) / static_cast<double>(figures.requests());
    text += figures.changed() == 0 ? ", none would be treated otherwise"
                                   : fmt::format(", {} ({:.3g} %) would be treated otherwise",
                                                 figures.changed(), percent);
  }
  if (!summary.silent().empty()) {
    text += fmt::format("; no word from {}", fmt::join(summary.silent(), ", "));
  }
  return text;
}

Text PreflightText(const v1::PreflightSummary& summary) {
  const v1::PreflightReport& figures = summary.figures();
  Text text;
  text.Line(PreflightSummaryText(summary), figures.changed() == 0 ? Style::kPlain : Style::kYellow);
  size_t route_width = 0, kind_width = 0;
  for (const v1::PreflightChange& change : figures.changes()) {
    route_width = std::max(route_width, DisplayWidth(EscapeForTerminal(RouteOf(change))));
    kind_width = std::max(kind_width, KindWord(change.kind()).size());
  }
  for (const v1::PreflightChange& change : figures.changes()) {
    text.Add(fmt::format("  {:>10}  ", change.requests()));
    text.AddPadded(RouteOf(change), route_width + 2, Style::kBold);
    text.AddPadded(KindWord(change.kind()), kind_width + 1, KindStyle(change.kind()));
    text.Add(change.target());
    if (change.examples_size() > 0) {
      text.Add(fmt::format("  e.g. {}", fmt::join(change.examples(), ", ")), Style::kDim);
    }
    text.EndLine();
  }
  if (figures.unlisted() > 0) {
    text.Line(fmt::format("  {:>10}  more, of further kinds", figures.unlisted()), Style::kDim);
  }
  return text;
}

}  // namespace sluice::sluicectl
