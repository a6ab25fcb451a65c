#include "dataplane/exchange/kept_body.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::exchange {
namespace {

class KeptBodyTest : public testing::Test {
 protected:
  io::BufferPool buffers_;
  KeptBody body_{buffers_};
};

TEST_F(KeptBodyTest, KeepsPiecesInOrder) {
  EXPECT_FALSE(body_.begun());
  body_.Keep("one", false);
  body_.Keep(std::string(20'000, 'x'), false);
  body_.Keep("", true);
  EXPECT_TRUE(body_.begun());
  EXPECT_TRUE(body_.last());
  EXPECT_FALSE(body_.lost());
  EXPECT_EQ(body_.Lend(), "one" + std::string(20'000, 'x'));
}

TEST_F(KeptBodyTest, LosesABodyThatIsTooLarge) {
  body_.Keep(std::string(KeptBody::kBytesMax, 'x'), false);
  EXPECT_FALSE(body_.lost());
  body_.Keep("y", true);
  EXPECT_TRUE(body_.lost());
  EXPECT_EQ(body_.Lend(), "");
}

TEST_F(KeptBodyTest, StaysWhileItIsLent) {
  body_.Keep("one", false);
  const std::string_view lent = body_.Lend();
  body_.Lose();
  EXPECT_EQ(lent, "one");
  body_.GiveBack();
  EXPECT_EQ(body_.Lend(), "");
}

TEST_F(KeptBodyTest, NothingIsLostOfABodyThatDidNotBegin) {
  body_.Lose();
  EXPECT_FALSE(body_.lost());
}

}  // namespace
}  // namespace sluice::exchange
