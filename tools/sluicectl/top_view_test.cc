#include "tools/sluicectl/top_view.h"

#include <gmock/gmock.h>

namespace sluice::sluicectl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Code = KeyPress::Code;

constexpr int64_t kNow = 1'700'000'000'000;

v1::NodeStatus* AddNode(v1::FleetStatus* status, const std::string& id) {
  v1::NodeStatus* node = status->add_nodes();
  node->set_node_id(id);
  node->set_state(v1::NodeStatus::SYNCED);
  node->mutable_version()->set_revision(7);
  node->set_requests_per_second(1840.4);
  node->set_error_ratio(0.125);
  node->set_p99_ms(12.4);
  node->set_peer_address("10.1.2.3:50000");
  (*node->mutable_hello()->mutable_labels())["zone"] = "a";
  v1::Report* report = node->mutable_report();
  report->set_downstream_connections(64);
  report->set_uptime_seconds(3700);
  for (const bool healthy : {true, false}) {
    v1::EndpointHealth* endpoint = report->add_endpoints();
    endpoint->set_cluster("users");
    endpoint->set_address(healthy ? "10.0.0.1:80" : "10.0.0.2:80");
    endpoint->set_healthy(healthy);
    endpoint->set_reason(healthy ? "200" : "connect: Connection refused");
  }
  return node;
}

v1::FleetStatus Fleet(int nodes = 2) {
  v1::FleetStatus status;
  status.mutable_version()->set_revision(7);
  status.mutable_version()->set_root("\x3f\xa2\xc1\xb0\x9d\x11\x22");
  status.set_released_unix_ms(kNow - 60'000);
  status.set_author("ann@desk");
  status.set_message("more users");
  status.set_controller_version("0.1.0");
  status.set_controller_uptime_seconds(11'000);
  for (int i = 1; i <= nodes; ++i) AddNode(&status, "edge-" + std::to_string(i));
  return status;
}

std::vector<std::string> LinesOf(const TopFrame& frame) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < frame.text.line_count(); ++i) {
    lines.push_back(frame.text.RenderLine(i, false, 0));
  }
  return lines;
}

std::string TextOf(const TopFrame& frame) { return frame.text.Render(false); }

class TopViewTest : public ::testing::Test {
 protected:
  TopFrame Draw(size_t columns = 80, size_t rows = 24, int64_t now = kNow) {
    const TopFrame frame =
        DrawTop(&model_, "127.0.0.1:7400", {.columns = columns, .rows = rows}, now);
    EXPECT_LE(frame.text.line_count(), rows);
    for (size_t i = 0; i < frame.text.line_count(); ++i) {
      size_t width = 0;
      for (const Text::Span& span : frame.text.line(i)) width += DisplayWidth(span.text);
      EXPECT_LE(width, columns) << frame.text.RenderLine(i, false, 0);
    }
    return frame;
  }

  TopModel model_;
};

TEST_F(TopViewTest, FitsEightyColumns) {
  model_.OnStatus(Fleet(), kNow);
  const auto lines = LinesOf(Draw(80, 24));
  ASSERT_EQ(lines.size(), 24u);
  EXPECT_EQ(lines[0], "sluicectl top  controller 127.0.0.1:7400 (0.1.0, up 3h3m)");
  EXPECT_EQ(lines[1], "Version 7 (root 3fa2c1b09d11…), released 1m0s ago by ann@desk: more users");
  EXPECT_EQ(lines[2], "Nodes 2: 2 synced");
  EXPECT_EQ(lines[3],
            "Load 3681 req/s, 12.5% 5xx, worst p99 12.4ms, 128 connections, 1 endpoint down");
  EXPECT_EQ(lines[4], "[1 of 2] node edge-1 answers 12.5% of its requests with 5xx");
  EXPECT_EQ(lines[5], "next: sluicectl describe node edge-1");
  EXPECT_EQ(lines[6],
            "NAME         STATE       VERSION  REQ/S    5XX     P99  CONNS   DOWN UPTIME");
  EXPECT_EQ(lines[7],
            "edge-1       synced            7   1840  12.5%  12.4ms     64    1/2   1h1m");
  EXPECT_EQ(lines[23],
            "q quit  ? help  Enter open  ! problems  / filter  s sort (NAME up)  r turn");
}

TEST_F(TopViewTest, AWideTerminalShowsAddressAndLabels) {
  model_.OnStatus(Fleet(), kNow);
  const auto lines = LinesOf(Draw(120, 24));
  EXPECT_THAT(lines[6], HasSubstr("UPTIME ADDRESS        LABELS"));
  EXPECT_THAT(lines[7], HasSubstr("10.1.2.3:50000 zone=a"));
}

TEST_F(TopViewTest, ANarrowTerminalKeepsTheNameAndTheFirstColumns) {
  model_.OnStatus(Fleet(), kNow);
  const auto lines = LinesOf(Draw(40, 24));
  EXPECT_EQ(lines[6], "NAME         STATE       VERSION  REQ/S");
  for (size_t columns = 0; columns < 40; ++columns) {
    for (size_t rows = 0; rows < 8; ++rows) {
      if (rows > 0) Draw(columns, rows);
    }
  }
}

TEST_F(TopViewTest, LongAndHostileNamesAreCutAndEscaped) {
  v1::FleetStatus status = Fleet(0);
  AddNode(&status, "edge-with-a-name-that-is-too-long");
  AddNode(&status, "z\x1b[2J\n\xE2\x80\xAE路由路由路由路由路由路由");
  status.mutable_nodes(0)->set_reason("\x1b]0;title\x07");
  status.set_message("\x1b[31m");
  model_.OnStatus(status, kNow);
  const TopFrame frame = Draw(80, 24);
  const auto lines = LinesOf(frame);
  EXPECT_THAT(lines[7], StartsWith("edge-with-a-name~ synced "));
  EXPECT_THAT(lines[8], StartsWith("z\\x1b[2J\\n"));
  EXPECT_THAT(TextOf(frame), Not(HasSubstr("\x1b")));
  // Figures stay in their columns, whatever the name is made of.
  const std::string plain = lines[8];
  EXPECT_EQ(DisplayWidth(plain.substr(0, plain.find("synced"))), 18u);
  model_.OnKey({Code::kEnter});
  EXPECT_THAT(TextOf(Draw(80, 60)), Not(HasSubstr("\x1b")));
}

TEST_F(TopViewTest, ScrollsSoThatTheSelectedNodeIsInSight) {
  model_.OnStatus(Fleet(100), kNow);
  TopFrame frame = Draw(80, 24);
  EXPECT_EQ(frame.marked_line, 7u);
  for (int i = 0; i < 30; ++i) model_.OnKey({Code::kDown});
  frame = Draw(80, 24);
  ASSERT_TRUE(frame.marked_line.has_value());
  EXPECT_EQ(*frame.marked_line, 22u);
  EXPECT_THAT(LinesOf(frame)[22], StartsWith(model_.nodes()[30]->node_id()));
  model_.OnKey({Code::kEnd});
  EXPECT_EQ(Draw(80, 24).marked_line, 22u);
  EXPECT_EQ(Draw(80, 10).marked_line, 8u);
}

TEST_F(TopViewTest, ALowTerminalShowsWhatIsTheMatterAndTheNodes) {
  model_.OnStatus(Fleet(), kNow);
  const auto lines = LinesOf(Draw(80, 6));
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_EQ(lines[0], "[1 of 2] node edge-1 answers 12.5% of its requests with 5xx");
  EXPECT_THAT(lines[1], StartsWith("NAME"));
  EXPECT_THAT(lines[2], StartsWith("edge-1"));
  EXPECT_EQ(LinesOf(Draw(80, 3)).front(), "too small");
}

TEST_F(TopViewTest, ARolloutIsToldWhateverElseIsTheMatter) {
  v1::FleetStatus status = Fleet();
  v1::Rollout* rollout = status.mutable_rollout();
  rollout->mutable_version()->set_revision(8);
  rollout->set_state(v1::Rollout::BAKING);
  rollout->set_author("bob@desk");
  rollout->set_started_unix_ms(kNow - 30'000);
  for (int i = 0; i < 4; ++i) rollout->add_waves();
  model_.OnStatus(status, kNow);
  const auto lines = LinesOf(Draw());
  EXPECT_EQ(lines[1], "Version 7, 8 on its way: baking, wave 1 of 4, begun 30s ago by bob@desk");
  EXPECT_THAT(lines[4], StartsWith("[1 of 3] node edge-1 answers"));
}

TEST_F(TopViewTest, AllThatIsWrongHasAPage) {
  v1::FleetStatus status = Fleet();
  status.mutable_nodes(1)->set_state(v1::NodeStatus::REJECTED);
  status.mutable_nodes(1)->set_reason(std::string(70, 'x') + " the end of a long reason");
  model_.OnStatus(status, kNow);
  model_.OnKey({Code::kText, '!'});
  const std::string text = TextOf(Draw());
  // What is too long for a line goes on in the next.
  EXPECT_THAT(text, HasSubstr("node edge-2 refused version 7: xxx"));
  EXPECT_THAT(text, HasSubstr("\n    " + std::string(21, 'x') + " the end of a long reason\n"));
  EXPECT_THAT(text, HasSubstr("\n    next: sluicectl describe node edge-2\n"));
  EXPECT_THAT(text, HasSubstr("\n    next: sluicectl describe upstream users\n"));
  for (size_t columns = 1; columns < 40; ++columns) Draw(columns, 24);
  model_.OnStatus(Fleet(0), kNow);
  EXPECT_THAT(TextOf(Draw()), HasSubstr("no proxy has connected yet"));
}

TEST_F(TopViewTest, TheDetailsOfANodeScroll) {
  v1::FleetStatus status = Fleet(1);
  for (int i = 0; i < 50; ++i) {
    status.mutable_nodes(0)->mutable_report()->add_last_errors("error " + std::to_string(i));
  }
  model_.OnStatus(status, kNow);
  Draw();
  model_.OnKey({Code::kEnter});
  EXPECT_THAT(TextOf(Draw(80, 24)), HasSubstr("Name:         edge-1"));
  EXPECT_THAT(TextOf(Draw(80, 60)), HasSubstr("connect: Connection refused"));
  Draw(80, 24);
  model_.OnKey({Code::kEnd});
  const std::string end = TextOf(Draw(80, 24));
  EXPECT_THAT(end, HasSubstr("error 49"));
  EXPECT_THAT(end, Not(HasSubstr("Name:  ")));
  model_.OnKey({Code::kHome});
  EXPECT_THAT(TextOf(Draw(80, 24)), HasSubstr("Name:  "));
  model_.OnStatus(Fleet(0), kNow);
  EXPECT_THAT(TextOf(Draw(80, 24)), HasSubstr("knows no node edge-1 any more"));
}

TEST_F(TopViewTest, TheFilterIsTypedOnTheLastLine) {
  model_.OnStatus(Fleet(), kNow);
  for (const char c : std::string("/ge-2")) model_.OnKey({Code::kText, c});
  TopFrame frame = Draw();
  EXPECT_EQ(LinesOf(frame).back(), "/ge-2");
  EXPECT_EQ(frame.cursor_column, 5u);
  model_.OnKey({Code::kEnter});
  frame = Draw();
  EXPECT_FALSE(frame.cursor_column.has_value());
  EXPECT_THAT(LinesOf(frame).back(), StartsWith("'ge-2': 1 of 2  q quit"));
  for (const char c : std::string("/nothing")) model_.OnKey({Code::kText, c});
  EXPECT_THAT(TextOf(Draw()), HasSubstr("No node matches the filter."));
}

TEST_F(TopViewTest, SaysThatTheControllerIsAwayAndHowOldTheFiguresAre) {
  EXPECT_THAT(TextOf(Draw()), HasSubstr("connecting ..."));
  model_.OnDisconnected("connection refused");
  EXPECT_THAT(TextOf(Draw()),
              HasSubstr("\ncontroller unreachable, retrying\nconnection refused\n"));
  model_.OnStatus(Fleet(), kNow);
  model_.OnDisconnected("connection refused");
  EXPECT_THAT(TextOf(Draw(80, 24, kNow + 12'000)),
              HasSubstr("retrying; shown as of 12s ago\nconnection refused\n"));
  EXPECT_THAT(TextOf(Draw()), HasSubstr("edge-1"));
}

TEST_F(TopViewTest, OldNewsSaysHowOldItIsAndIsNotGreen) {
  v1::FleetStatus status;
  status.mutable_version()->set_revision(7);
  v1::NodeStatus* node = status.add_nodes();
  node->set_state(v1::NodeStatus::SYNCED);
  node->mutable_version()->set_revision(7);
  model_.OnStatus(status, kNow);
  const auto verdict = [this](int64_t now) {
    const TopFrame frame = Draw(80, 24, now);
    return std::pair(LinesOf(frame)[4], frame.text.line(4).front().style);
  };
  EXPECT_EQ(verdict(kNow + 10'000),
            std::pair(std::string("all is well: 1 node serves version 7"), Style::kGreen));
  EXPECT_EQ(verdict(kNow + 75'000),
            std::pair(std::string("as of 1m15s ago: all is well: 1 node serves version 7"),
                      Style::kYellow));
  model_.OnStatus(Fleet(), kNow);
  EXPECT_EQ(verdict(kNow + 12'000).first,
            "as of 12s ago: [1 of 2] node edge-1 answers 12.5% of its requests with 5xx");
}

TEST_F(TopViewTest, HelpNamesTheKeys) {
  model_.OnStatus(Fleet(), kNow);
  model_.OnKey({Code::kText, '?'});
  EXPECT_THAT(TextOf(Draw()), HasSubstr("s, >, <             sort by the next"));
  EXPECT_THAT(LinesOf(Draw()).back(), StartsWith("Esc back"));
}

TEST_F(TopViewTest, ANodeThatHasNotReportedHasNoFigures) {
  v1::FleetStatus status = Fleet(0);
  status.add_nodes()->set_node_id("new");
  model_.OnStatus(status, kNow);
  EXPECT_THAT(LinesOf(Draw())[7], StartsWith("new          unknown           -      -      -"));
}

}  // namespace
}  // namespace sluice::sluicectl
