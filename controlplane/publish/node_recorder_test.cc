#include "controlplane/publish/node_recorder.h"

#include <gtest/gtest.h>

#include "controlplane/store/testing_folder.h"

namespace sluice::publish {
namespace {

class NodeRecorderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = store::VersionStore::Open(folder_.path());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  store::testing::Folder folder_;
  std::unique_ptr<store::VersionStore> store_;
};

TEST_F(NodeRecorderTest, WritesWhatItHasWhenItEnds) {
  {
    NodeRecorder recorder(*store_);
    for (int i = 0; i < 2000; ++i) recorder.See("n" + std::to_string(i), "first", 100 + i);
    for (int i = 0; i < 2000; ++i) recorder.See("n" + std::to_string(i), "second", 5000 + i);
  }
  const auto nodes = store_->Nodes();
  ASSERT_TRUE(nodes.ok());
  ASSERT_EQ(nodes->size(), 2000u);
  for (const store::KnownNode& node : *nodes) {
    EXPECT_EQ(node.hello, "second");
    EXPECT_GE(node.last_seen_unix_ms, 5000);
  }
}

TEST_F(NodeRecorderTest, AForgottenNodeDoesNotComeBack) {
  NodeRecorder recorder(*store_);
  for (int round = 0; round < 100; ++round) {
    recorder.See("other", "", round);
    recorder.See("gone", "", round);
    recorder.Forget("gone");
    ASSERT_TRUE(store_->ForgetNode("gone").ok());
    // Whatever was under way when it was forgotten has been written by now, or never will be.
    const auto nodes = store_->Nodes();
    ASSERT_TRUE(nodes.ok());
    for (const store::KnownNode& node : *nodes) ASSERT_NE(node.node_id, "gone");
  }
}

}  // namespace
}  // namespace sluice::publish
