#include "tools/sluicectl/preflight_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::sluicectl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::PreflightSummary Example() {
  v1::PreflightSummary summary;
  summary.set_duration_ms(30'000);
  summary.set_elapsed_ms(30'150);
  for (const char* node : {"n1", "n2", "n3"}) summary.add_node_ids(node);
  summary.mutable_figures()->set_requests(12'000);
  return summary;
}

void AddChange(v1::PreflightSummary& summary, v1::PreflightChange::Kind kind, uint64_t requests,
               const std::string& target) {
  v1::PreflightChange& change = *summary.mutable_figures()->add_changes();
  change.set_service("web");
  change.set_route("api");
  change.set_kind(kind);
  change.set_requests(requests);
  change.set_target(target);
  change.add_examples("GET a.test/x");
  summary.mutable_figures()->set_changed(summary.figures().changed() + requests);
}

std::string Shown(const v1::PreflightSummary& summary) {
  return PreflightText(summary).Render(false);
}

TEST(PreflightTextTest, NothingWouldChange) {
  EXPECT_EQ(Shown(Example()),
            "preflight, 30.0 s of 30.0 s on 3 nodes: 12000 requests, none would be treated "
            "otherwise\n");
}

TEST(PreflightTextTest, WhatWouldChangeIsToldByRouteWithExamples) {
  v1::PreflightSummary summary = Example();
  AddChange(summary, v1::PreflightChange::UNMATCHED, 180, "404");
  AddChange(summary, v1::PreflightChange::OTHER_UPSTREAM, 60, "shop by route all");
  const std::string text = Shown(summary);
  EXPECT_THAT(text, HasSubstr("12000 requests, 240 (2 %) would be treated otherwise"));
  EXPECT_THAT(text, HasSubstr("180  web/api  match nothing 404  e.g. GET a.test/x"));
  EXPECT_THAT(text, HasSubstr("60  web/api  go to         shop by route all"));
}

TEST(PreflightTextTest, WhoIsSilentAndWhatIsNotListedIsSaid) {
  v1::PreflightSummary summary = Example();
  summary.add_silent("n3");
  summary.mutable_figures()->set_unlisted(9);
  EXPECT_THAT(Shown(summary), HasSubstr("; no word from n3"));
  EXPECT_THAT(Shown(summary), HasSubstr("9  more, of further kinds"));
}

TEST(PreflightTextTest, NobodyCouldTakePart) {
  v1::PreflightSummary summary;
  summary.set_duration_ms(30'000);
  EXPECT_EQ(Shown(summary), "preflight: no node could take part\n");
}

TEST(PreflightTextTest, ExamplesDoNotDriveTheTerminal) {
  v1::PreflightSummary summary = Example();
  AddChange(summary, v1::PreflightChange::REFUSED, 1, "\x1b[31m");
  EXPECT_THAT(Shown(summary), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace sluice::sluicectl
