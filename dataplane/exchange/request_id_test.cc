#include "dataplane/exchange/request_id.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace sluice::exchange {
namespace {

std::string Make(int64_t unix_micros, base::Random& random) {
  std::string id(kUuidChars, ' ');
  WriteUuidV7(unix_micros, random, id.data());
  return id;
}

TEST(RequestIdTest, IsAVersion7UuidOfItsTime) {
  base::Random random(1);
  const std::string id = Make(0x0123456789ab * int64_t{1000}, random);
  EXPECT_EQ(id.substr(0, 13), "01234567-89ab");
  EXPECT_EQ(id[14], '7');
  EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
  for (const size_t dash : {8, 13, 18, 23}) EXPECT_EQ(id[dash], '-');
  EXPECT_TRUE(IsSafeRequestId(id));
}

TEST(RequestIdTest, LaterOnesSortLaterAndNoneRepeats) {
  base::Random random(2);
  EXPECT_LT(Make(1'000'000, random), Make(2'000'000, random));
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(seen.insert(Make(5'000, random)).second);
}

TEST(RequestIdTest, OnlySafeBytesPass) {
  EXPECT_TRUE(IsSafeRequestId("abc-DEF_1.2~3+4/5=6:7@8"));
  EXPECT_FALSE(IsSafeRequestId(""));
  EXPECT_FALSE(IsSafeRequestId("a\"}"));
  EXPECT_FALSE(IsSafeRequestId("a%1b"));
  EXPECT_FALSE(IsSafeRequestId("a b"));
  EXPECT_FALSE(IsSafeRequestId("\xc3\xa4"));
  EXPECT_TRUE(IsSafeRequestId(std::string(kRequestIdCharsMax, 'a')));
  EXPECT_FALSE(IsSafeRequestId(std::string(kRequestIdCharsMax + 1, 'a')));
}

}  // namespace
}  // namespace sluice::exchange
