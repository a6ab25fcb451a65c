#include "common/route/match.h"

#include <gtest/gtest.h>

namespace sluice::route {
namespace {

TEST(HostMatchesTest, ExactWildcardAndAny) {
  EXPECT_TRUE(HostMatches("a.test", "a.test"));
  EXPECT_FALSE(HostMatches("b.a.test", "a.test"));
  EXPECT_TRUE(HostMatches("b.a.test", "*.a.test"));
  EXPECT_TRUE(HostMatches("c.b.a.test", "*.a.test"));
  EXPECT_FALSE(HostMatches("a.test", "*.a.test"));
  EXPECT_FALSE(HostMatches(".a.test", "*.a.test"));
  EXPECT_FALSE(HostMatches("xa.test", "*.a.test"));
  EXPECT_TRUE(HostMatches("a.test", "*"));
  EXPECT_TRUE(HostMatches("", ""));
  EXPECT_FALSE(HostMatches("", "a.test"));
  EXPECT_FALSE(HostMatches("", "*.a.test"));
}

TEST(PrefixEndTest, MatchesWholeSegments) {
  EXPECT_EQ(PrefixEnd("/api", "/api"), 4u);
  EXPECT_EQ(PrefixEnd("/api/x", "/api"), 4u);
  EXPECT_EQ(PrefixEnd("/api/", "/api"), 4u);
  EXPECT_EQ(PrefixEnd("/apix", "/api"), kNoMatch);
  EXPECT_EQ(PrefixEnd("/ap", "/api"), kNoMatch);
  EXPECT_EQ(PrefixEnd("/", "/api"), kNoMatch);
  EXPECT_EQ(PrefixEnd("/API", "/api"), kNoMatch);
  EXPECT_EQ(PrefixEnd("/api/v1/users/7", "/api/v1"), 7u);
}

TEST(PrefixEndTest, EmptyAndRootMatchEverything) {
  for (const char* path : {"/", "/a", "/a/b;x"}) {
    EXPECT_EQ(PrefixEnd(path, ""), 0u);
    EXPECT_EQ(PrefixEnd(path, "/"), 0u);
  }
}

TEST(PrefixEndTest, PrefixWithSlashWantsTheSlash) {
  EXPECT_EQ(PrefixEnd("/api/", "/api/"), 4u);
  EXPECT_EQ(PrefixEnd("/api/x", "/api/"), 4u);
  EXPECT_EQ(PrefixEnd("/api", "/api/"), kNoMatch);
  EXPECT_EQ(PrefixEnd("/api;x", "/api/"), kNoMatch);
  EXPECT_EQ(PrefixEnd("/apix/", "/api/"), kNoMatch);
}

TEST(PrefixEndTest, ParametersCannotSlipPast) {
  EXPECT_EQ(PrefixEnd("/admin;x=1", "/admin"), 6u);
  EXPECT_EQ(PrefixEnd("/admin;x=1/y", "/admin"), 6u);
  EXPECT_EQ(PrefixEnd("/admin;", "/admin"), 6u);
  EXPECT_EQ(PrefixEnd("/a;x/b", "/a/b"), 6u);
  EXPECT_EQ(PrefixEnd("/a;x/b;y/c", "/a/b"), 6u);
  EXPECT_EQ(PrefixEnd("/a;x/", "/a/"), 4u);
  EXPECT_EQ(PrefixEnd("/a;/b", "/b"), kNoMatch);
}

}  // namespace
}  // namespace sluice::route
