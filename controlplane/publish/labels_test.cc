#include "controlplane/publish/labels.h"

#include <gmock/gmock.h>

namespace sluice::publish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

using Labels = std::map<std::string, std::string>;

TEST(LabelsTest, AreSetAndTakenAway) {
  Labels labels;
  ASSERT_TRUE(ChangeLabels("zone=a,tier=edge,empty=", &labels).ok());
  EXPECT_THAT(labels, ElementsAre(Pair("empty", ""), Pair("tier", "edge"), Pair("zone", "a")));
  ASSERT_TRUE(ChangeLabels("zone=b=c,tier-,never-there-", &labels).ok());
  EXPECT_THAT(labels, ElementsAre(Pair("empty", ""), Pair("zone", "b=c")));
}

TEST(LabelsTest, OneWrongWordChangesNothing) {
  for (const std::string& bad :
       {std::string("zone"), std::string("=a"), std::string("-"), std::string("a b=c"),
        std::string("k=\n"), "k=" + std::string(300, 'v')}) {
    Labels labels;
    const absl::Status status = ChangeLabels("good=1," + bad, &labels);
    EXPECT_FALSE(status.ok()) << bad;
    EXPECT_THAT(labels, IsEmpty()) << bad;
  }
  Labels labels;
  EXPECT_THAT(std::string(ChangeLabels("zone", &labels).message()), HasSubstr("key=value"));
}

TEST(LabelsTest, OnlySoManyCanBeSet) {
  Labels labels;
  std::string words;
  for (int i = 0; i < 65; ++i) words += "k" + std::to_string(i) + "=v,";
  EXPECT_FALSE(ChangeLabels(words, &labels).ok());
}

}  // namespace
}  // namespace sluice::publish
