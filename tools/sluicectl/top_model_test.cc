#include "tools/sluicectl/top_model.h"

#include <gmock/gmock.h>

#include <limits>

namespace sluice::sluicectl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Status = v1::NodeStatus;
using Code = KeyPress::Code;

constexpr int64_t kNow = 1'700'000'000'000;

v1::NodeStatus* AddNode(v1::FleetStatus* status, const std::string& id, Status::State state,
                        double rate, double errors) {
  v1::NodeStatus* node = status->add_nodes();
  node->set_node_id(id);
  node->set_state(state);
  node->set_requests_per_second(rate);
  node->set_error_ratio(errors);
  node->set_p99_ms(rate / 10);
  node->mutable_version()->set_revision(7);
  node->mutable_report()->set_downstream_connections(static_cast<uint32_t>(rate));
  return node;
}

v1::FleetStatus Fleet() {
  v1::FleetStatus status;
  status.mutable_version()->set_revision(7);
  AddNode(&status, "edge-1", Status::SYNCED, 100, 0.5);
  AddNode(&status, "edge-2", Status::REJECTED, 300, 0);
  AddNode(&status, "edge-3", Status::SYNCED, 200, 0.01);
  AddNode(&status, "lab-1", Status::UNREACHABLE, 0, 0);
  (*status.mutable_nodes(2)->mutable_hello()->mutable_labels())["zone"] = "Frankfurt";
  return status;
}

std::vector<std::string> NamesOf(const TopModel& model) {
  std::vector<std::string> names;
  for (const auto* node : model.nodes()) names.push_back(node->node_id());
  return names;
}

std::string SelectedOf(const TopModel& model) {
  return model.nodes().empty() ? "" : model.nodes()[model.selected()]->node_id();
}

class TopModelTest : public ::testing::Test {
 protected:
  TopModelTest() { model_.OnStatus(Fleet(), kNow); }

  bool Press(Code code) { return model_.OnKey({code}); }
  bool Type(std::string_view text) {
    bool stays = true;
    for (const char c : text) stays = model_.OnKey({Code::kText, c});
    return stays;
  }

  TopModel model_;
};

TEST_F(TopModelTest, BeginsSortedByName) {
  EXPECT_THAT(NamesOf(model_), ElementsAre("edge-1", "edge-2", "edge-3", "lab-1"));
  EXPECT_EQ(model_.sorted_by(), TopColumn::kName);
  EXPECT_FALSE(model_.descending());
}

TEST_F(TopModelTest, SortsTroubleFirstAndFiguresFromTheLargest) {
  Type("s");
  EXPECT_EQ(model_.sorted_by(), TopColumn::kState);
  EXPECT_THAT(NamesOf(model_), ElementsAre("edge-2", "lab-1", "edge-1", "edge-3"));
  Type("ss");
  EXPECT_EQ(model_.sorted_by(), TopColumn::kRequests);
  EXPECT_TRUE(model_.descending());
  EXPECT_THAT(NamesOf(model_), ElementsAre("edge-2", "edge-3", "edge-1", "lab-1"));
  Type("r");
  EXPECT_FALSE(model_.descending());
  EXPECT_THAT(NamesOf(model_), ElementsAre("lab-1", "edge-1", "edge-3", "edge-2"));
  Type(">");
  EXPECT_EQ(model_.sorted_by(), TopColumn::kErrors);
  EXPECT_EQ(NamesOf(model_).front(), "edge-1");
}

TEST_F(TopModelTest, SortColumnsGoRoundBothWays) {
  Type("<");
  EXPECT_EQ(model_.sorted_by(), TopColumn::kUptime);
  Type(">");
  EXPECT_EQ(model_.sorted_by(), TopColumn::kName);
  for (int i = 0; i < kTopColumns; ++i) Type("s");
  EXPECT_EQ(model_.sorted_by(), TopColumn::kName);
  Type("r");
  EXPECT_THAT(NamesOf(model_), ElementsAre("lab-1", "edge-3", "edge-2", "edge-1"));
}

TEST_F(TopModelTest, FiguresThatAreNoNumbersHaveAPlace) {
  v1::FleetStatus status = Fleet();
  for (int i = 0; i < 200; ++i) {
    AddNode(&status, "n" + std::to_string(i), Status::SYNCED, i, 0)
        ->set_requests_per_second(i % 3 == 0 ? std::numeric_limits<double>::quiet_NaN() : i);
  }
  Type("sss");
  model_.OnStatus(status, kNow);
  EXPECT_EQ(model_.nodes().size(), 204u);
  EXPECT_EQ(NamesOf(model_).front(), "edge-2");
}

TEST_F(TopModelTest, SelectionStaysOnItsNode) {
  Press(Code::kDown);
  EXPECT_EQ(SelectedOf(model_), "edge-2");
  Type("sss");  // By requests: it comes first.
  EXPECT_EQ(model_.selected(), 0u);
  EXPECT_EQ(SelectedOf(model_), "edge-2");

  v1::FleetStatus status = Fleet();
  status.mutable_nodes(1)->set_requests_per_second(1);
  model_.OnStatus(status, kNow);
  EXPECT_EQ(SelectedOf(model_), "edge-2");
  EXPECT_EQ(model_.selected(), 2u);

  status.mutable_nodes()->DeleteSubrange(1, 1);  // Its place is the next one's.
  model_.OnStatus(status, kNow);
  EXPECT_EQ(SelectedOf(model_), "lab-1");
  status.clear_nodes();
  model_.OnStatus(status, kNow);
  EXPECT_EQ(model_.selected(), 0u);
  EXPECT_TRUE(Press(Code::kEnter));
  EXPECT_EQ(model_.page(), TopModel::Page::kNodes);
}

TEST_F(TopModelTest, MovesByLineAndPageAndStopsAtTheEnds) {
  v1::FleetStatus status;
  for (int i = 100; i < 200; ++i) AddNode(&status, std::to_string(i), Status::SYNCED, 0, 0);
  model_.OnStatus(status, kNow);
  model_.Fit(100, 10);
  Press(Code::kUp);
  EXPECT_EQ(model_.selected(), 0u);
  Press(Code::kPageDown);
  model_.Fit(100, 10);
  EXPECT_EQ(model_.selected(), 9u);
  EXPECT_EQ(model_.first_line(), 0u);
  Type("j");
  model_.Fit(100, 10);
  EXPECT_EQ(model_.selected(), 10u);
  EXPECT_EQ(model_.first_line(), 1u);
  Press(Code::kEnd);
  Type("j");
  model_.Fit(100, 10);
  EXPECT_EQ(model_.selected(), 99u);
  EXPECT_EQ(model_.first_line(), 90u);
  Press(Code::kPageUp);
  Type("k");
  model_.Fit(100, 10);
  EXPECT_EQ(model_.selected(), 89u);
  EXPECT_EQ(model_.first_line(), 89u);
  model_.Fit(100, 50);  // The terminal grew: no room is left empty.
  EXPECT_EQ(model_.first_line(), 50u);
  Press(Code::kHome);
  model_.Fit(100, 50);
  EXPECT_EQ(model_.first_line(), 0u);
}

TEST_F(TopModelTest, FiltersByNameStateAndLabelsInAnyCase) {
  Type("/");
  EXPECT_TRUE(model_.typing());
  Type("EDGE");
  EXPECT_THAT(NamesOf(model_), ElementsAre("edge-1", "edge-2", "edge-3"));
  Press(Code::kEnter);
  EXPECT_FALSE(model_.typing());
  EXPECT_EQ(model_.filter(), "EDGE");
  Type("/");
  for (int i = 0; i < 10; ++i) Press(Code::kBackspace);
  Type("frank");
  EXPECT_THAT(NamesOf(model_), ElementsAre("edge-3"));
  Press(Code::kEscape);
  EXPECT_EQ(model_.nodes().size(), 4u);
  Type("/unreach");
  EXPECT_THAT(NamesOf(model_), ElementsAre("lab-1"));
  Type("q");
  EXPECT_THAT(NamesOf(model_), IsEmpty()) << "keys are text while the filter is typed";
}

TEST_F(TopModelTest, BackspaceTakesAWholeCharacterAndAFilterHasAnEnd) {
  Type("/a\xC3\xA9");
  Press(Code::kBackspace);
  EXPECT_EQ(model_.filter(), "a");
  Press(Code::kOther);
  EXPECT_EQ(model_.filter(), "a");
  Type(std::string(500, 'x'));
  EXPECT_EQ(model_.filter().size(), TopModel::kFilterBytesMax);
}

TEST_F(TopModelTest, EscapeGoesBackAndThenLeaves) {
  Press(Code::kEnter);
  EXPECT_EQ(model_.page(), TopModel::Page::kNode);
  ASSERT_NE(model_.opened(), nullptr);
  EXPECT_EQ(model_.opened()->node_id(), "edge-1");
  Type("?");
  EXPECT_EQ(model_.page(), TopModel::Page::kHelp);
  EXPECT_TRUE(Press(Code::kEscape));
  EXPECT_EQ(model_.page(), TopModel::Page::kNode);
  EXPECT_TRUE(Type("q"));
  EXPECT_EQ(model_.page(), TopModel::Page::kNodes);
  Type("/edge");
  Press(Code::kEnter);
  EXPECT_TRUE(Press(Code::kEscape));
  EXPECT_TRUE(model_.filter().empty()) << "a filter goes first";
  EXPECT_FALSE(Press(Code::kEscape));
  EXPECT_FALSE(Type("q"));
}

TEST_F(TopModelTest, PagesLieOnOneAnotherAndTheirKeysLeadBack) {
  Press(Code::kEnter);
  Type("!");
  EXPECT_EQ(model_.page(), TopModel::Page::kFindings);
  Type("?");
  EXPECT_EQ(model_.page(), TopModel::Page::kHelp);
  Type("!");
  EXPECT_EQ(model_.page(), TopModel::Page::kHelp) << "it is there already, beneath";
  Type("?");
  EXPECT_EQ(model_.page(), TopModel::Page::kFindings);
  Type("!");
  EXPECT_EQ(model_.page(), TopModel::Page::kNode);
  Press(Code::kEscape);
  EXPECT_EQ(model_.page(), TopModel::Page::kNodes);
}

TEST_F(TopModelTest, AnOpenedNodeThatGoesIsMissed) {
  Press(Code::kEnter);
  v1::FleetStatus status = Fleet();
  status.mutable_nodes()->DeleteSubrange(0, 1);
  model_.OnStatus(status, kNow);
  EXPECT_EQ(model_.opened(), nullptr);
  EXPECT_EQ(model_.opened_id(), "edge-1");
}

TEST_F(TopModelTest, AnOutageKeepsWhatIsShown) {
  EXPECT_EQ(model_.disconnected(), "");
  model_.OnDisconnected("connection refused");
  EXPECT_EQ(model_.disconnected(), "connection refused");
  EXPECT_EQ(model_.nodes().size(), 4u);
  model_.OnStatus(Fleet(), kNow + 5'000);
  EXPECT_EQ(model_.disconnected(), "");
}

TEST_F(TopModelTest, TotalsLeaveOutWhatCannotBeReached) {
  v1::FleetStatus status = Fleet();
  for (const int i : {0, 1, 3}) {
    v1::EndpointHealth* endpoint = status.mutable_nodes(i)->mutable_report()->add_endpoints();
    endpoint->set_cluster("users");
    endpoint->set_address("10.0.0.1:80");
  }
  status.mutable_nodes(3)->set_requests_per_second(1000);
  model_.OnStatus(status, kNow);
  EXPECT_DOUBLE_EQ(model_.totals().requests_per_second, 600);
  EXPECT_DOUBLE_EQ(model_.totals().error_ratio, (100 * 0.5 + 200 * 0.01) / 600);
  EXPECT_DOUBLE_EQ(model_.totals().p99_ms, 30);
  EXPECT_EQ(model_.totals().connections, 600u);
  EXPECT_EQ(model_.totals().endpoints_unhealthy, 1u);
}

}  // namespace
}  // namespace sluice::sluicectl
