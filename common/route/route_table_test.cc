#include "common/route/route_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/random.h"

namespace sluice::route {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

struct Pattern {
  std::string host;
  std::string prefix;
};

RouteTable TableOf(const std::vector<Pattern>& patterns) {
  v1::RouteTable table;
  for (const Pattern& pattern : patterns) {
    v1::Route* route = table.add_routes();
    route->set_host(pattern.host);
    route->set_path_prefix(pattern.prefix);
  }
  return RouteTable(table);
}

int Find(const RouteTable& table, std::string_view host, std::string_view path) {
  return table.Find({.host = host, .path = path});
}

TEST(RouteTableTest, EmptyTableMatchesNothing) {
  const RouteTable table = TableOf({});
  EXPECT_EQ(Find(table, "a.test", "/"), RouteTable::kNone);
  EXPECT_THAT(table.Explain({"a.test", "/"}), IsEmpty());
  EXPECT_THAT(table.Unreachable(), IsEmpty());
}

TEST(RouteTableTest, KnowsTheHostsOfItsRoutesWhateverTheirPaths) {
  EXPECT_FALSE(TableOf({}).KnowsHost("a.test"));
  const RouteTable some = TableOf({{"a.test", "/api"}, {"*.b.test", "/x/"}});
  EXPECT_TRUE(some.KnowsHost("a.test"));
  EXPECT_TRUE(some.KnowsHost("x.y.b.test"));
  EXPECT_FALSE(some.KnowsHost("b.test"));
  EXPECT_FALSE(some.KnowsHost("x.a.test"));
  EXPECT_FALSE(some.KnowsHost(""));
  for (const char* prefix : {"", "/", "/api", "/api/"}) {
    EXPECT_TRUE(TableOf({{"", prefix}}).KnowsHost("a.test")) << prefix;
    EXPECT_TRUE(TableOf({{"*", prefix}}).KnowsHost("a.test")) << prefix;
  }
}

TEST(RouteTableTest, PrefixesMatchOnSegmentBoundaries) {
  const RouteTable table = TableOf({{"", "/api"}});
  EXPECT_EQ(Find(table, "", "/api"), 0);
  EXPECT_EQ(Find(table, "", "/api/x"), 0);
  EXPECT_EQ(Find(table, "", "/apix"), RouteTable::kNone);
  EXPECT_EQ(Find(table, "", "/"), RouteTable::kNone);
}

TEST(RouteTableTest, ParametersDoNotEscapeARoute) {
  const RouteTable table = TableOf({{"", "/admin"}, {"", "/a/b"}, {"", ""}});
  EXPECT_EQ(Find(table, "", "/admin;x=1"), 0);
  EXPECT_EQ(Find(table, "", "/admin;x=1/y"), 0);
  EXPECT_EQ(Find(table, "", "/a;x/b"), 1);
  EXPECT_EQ(Find(table, "", "/adminx;"), 2);
}

TEST(RouteTableTest, EarlierShorterPrefixBeatsLaterLongerOne) {
  const RouteTable table = TableOf({{"", "/api"}, {"", "/api/v1"}, {"", "/"}});
  EXPECT_EQ(Find(table, "", "/api/v1/x"), 0);
  EXPECT_EQ(Find(table, "", "/b"), 2);
}

TEST(RouteTableTest, EarlierAnyHostBeatsLaterExactHost) {
  const RouteTable table =
      TableOf({{"b.test", "/x"}, {"*", "/api"}, {"a.test", "/api"}, {"*.test", ""}});
  EXPECT_EQ(Find(table, "a.test", "/api"), 1);
  EXPECT_EQ(Find(table, "a.test", "/x"), 3);
  EXPECT_EQ(Find(table, "b.test", "/x"), 0);
  EXPECT_EQ(Find(table, "test", "/x"), RouteTable::kNone);
}

TEST(RouteTableTest, WildcardHostTakesOneOrMoreLabels) {
  const RouteTable table = TableOf({{"*.b.test", "/deep"}, {"*.test", ""}});
  EXPECT_EQ(Find(table, "a.b.test", "/deep"), 0);
  EXPECT_EQ(Find(table, "x.a.b.test", "/deep"), 0);
  EXPECT_EQ(Find(table, "b.test", "/deep"), 1);
  EXPECT_EQ(Find(table, "a.b.test", "/else"), 1);
  EXPECT_EQ(Find(table, "test", "/"), RouteTable::kNone);
  EXPECT_EQ(Find(table, ".test", "/"), RouteTable::kNone);
}

TEST(RouteTableTest, RequestWithoutHostMatchesAnyHostOnly) {
  const RouteTable table = TableOf({{"a.test", ""}, {"*.test", ""}, {"", "/x"}});
  EXPECT_EQ(Find(table, "", "/x"), 2);
  EXPECT_EQ(Find(table, "", "/y"), RouteTable::kNone);
}

TEST(RouteTableTest, TargetsThatAreNoPathsMatchOnlyEmptyPrefixes) {
  const RouteTable table = TableOf({{"", "/a"}, {"", ""}});
  EXPECT_EQ(Find(table, "", "*"), 1);
  EXPECT_EQ(Find(table, "", ""), 1);
}

TEST(RouteTableTest, HostileHostsAndPathsOnlyMiss) {
  const RouteTable table = TableOf({{"*.test", "/a/b"}, {"a.test", "/a"}});
  const std::string dots(100'000, '.');
  EXPECT_EQ(Find(table, dots, "/a"), RouteTable::kNone);
  std::string path;
  for (int i = 0; i < 50'000; ++i) path += "/a";
  EXPECT_EQ(Find(table, "a.test", path), 1);
  EXPECT_EQ(Find(table, std::string_view("a.test\0", 7), "/a"), RouteTable::kNone);
}

TEST(RouteTableTest, ExplainGivesEveryRouteUpToTheWinnerAReason) {
  const RouteTable table =
      TableOf({{"a.test", "/api"}, {"*.x.test", ""}, {"", "/api/v2"}, {"", "/api"}, {"", ""}});
  const auto candidates = table.Explain({"b.test", "/api/v1"});
  ASSERT_EQ(candidates.size(), 4u);
  EXPECT_FALSE(candidates[0].matched);
  EXPECT_THAT(candidates[0].reason, HasSubstr("the host is 'b.test', the route wants 'a.test'"));
  EXPECT_THAT(candidates[1].reason, HasSubstr("*.x.test"));
  EXPECT_THAT(candidates[2].reason, HasSubstr("'/api/v1' does not lie under '/api/v2'"));
  EXPECT_EQ(candidates[3].route, 3);
  EXPECT_TRUE(candidates[3].matched);
  EXPECT_THAT(candidates[3].reason, HasSubstr("'/api'"));
}

TEST(RouteTableTest, ExplainListsAllWhenNoneMatches) {
  const RouteTable table = TableOf({{"a.test", ""}, {"", "/x"}});
  const auto candidates = table.Explain({"", "/y"});
  ASSERT_EQ(candidates.size(), 2u);
  EXPECT_FALSE(candidates[0].matched || candidates[1].matched);
  EXPECT_THAT(candidates[0].reason, HasSubstr("the host is empty"));
}

TEST(RouteTableTest, UnreachableNamesTheRouteThatHides) {
  const RouteTable table = TableOf({{"a.test", "/api"},     // 0
                                    {"a.test", "/api/v1"},  // 1: hidden by 0.
                                    {"b.test", "/api"},     // 2
                                    {"*.test", "/x"},       // 3
                                    {"a.test", "/x/y"},     // 4: hidden by 3.
                                    {"*.b.test", "/x"},     // 5: hidden by 3.
                                    {"test", "/x"},         // 6: the suffix itself.
                                    {"*", "/z/"},           // 7
                                    {"a.test", "/z"},       // 8: "/z" itself is still free.
                                    {"a.test", "/z/q"},     // 9: hidden by 7.
                                    {"", ""},               // 10
                                    {"*", "/"}});           // 11: hidden by 10.
  EXPECT_THAT(table.Unreachable(),
              ElementsAre(Pair(1, 0), Pair(4, 3), Pair(5, 3), Pair(9, 7), Pair(11, 10)));
}

// The rules once more, as plainly as can be: cut parameters out, then compare text.
bool NaiveHost(const std::string& host, const std::string& pattern) {
  if (pattern.empty() || pattern == "*") return true;
  if (pattern[0] != '*') return host == pattern;
  const std::string suffix = pattern.substr(1);
  return host.size() > suffix.size() && host.substr(host.size() - suffix.size()) == suffix;
}

std::string WithoutParameters(const std::string& path) {
  std::string plain;
  bool in_parameter = false;
  for (const char c : path) {
    if (c == '/') in_parameter = false;
    if (c == ';') in_parameter = true;
    if (!in_parameter) plain += c;
  }
  return plain;
}

bool NaivePrefix(const std::string& path, const std::string& prefix) {
  if (prefix.empty()) return true;
  if (prefix.back() == '/') return path.rfind(prefix, 0) == 0;
  return path == prefix || path.rfind(prefix + "/", 0) == 0;
}

int NaiveFind(const std::vector<Pattern>& patterns, const std::string& host,
              const std::string& path) {
  const std::string plain = WithoutParameters(path);
  for (size_t i = 0; i < patterns.size(); ++i) {
    if (NaiveHost(host, patterns[i].host) && NaivePrefix(plain, patterns[i].prefix)) {
      return static_cast<int>(i);
    }
  }
  return RouteTable::kNone;
}

class RandomRoutes {
 public:
  explicit RandomRoutes(uint64_t seed) : random_(seed) {}

  std::string Host() {
    static const std::vector<std::string> kLabels = {"a", "b", "cc", "test"};
    std::string host = kLabels[random_.Below(kLabels.size())];
    for (uint64_t n = random_.Below(4); n > 0; --n)
      host += "." + kLabels[random_.Below(kLabels.size())];
    return host;
  }
  std::string HostPattern() {
    switch (random_.Below(5)) {
      case 0:
        return "";
      case 1:
        return "*";
      case 2:
        return "*." + Host();
      default:
        return Host();
    }
  }
  std::string Path(bool with_parameters) {
    static const std::vector<std::string> kSegments = {"/a", "/b", "/aa", "/api", "/ab"};
    std::string path;
    for (uint64_t n = random_.Below(5); n > 0; --n) {
      path += kSegments[random_.Below(kSegments.size())];
      if (with_parameters && random_.Below(4) == 0) path += ";x=1";
    }
    if (path.empty() || random_.Below(4) == 0) path += "/";
    return path;
  }
  std::string Prefix() { return random_.Below(8) == 0 ? "" : Path(false); }
  uint64_t Below(uint64_t bound) { return random_.Below(bound); }

 private:
  base::Random random_;
};

TEST(RouteTableTest, AgreesWithALinearWalkOnRandomTables) {
  int matches = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    RandomRoutes random(seed);
    std::vector<Pattern> patterns(random.Below(60));
    for (Pattern& pattern : patterns) pattern = {random.HostPattern(), random.Prefix()};
    const RouteTable table = TableOf(patterns);
    for (int i = 0; i < 200; ++i) {
      const std::string host = random.Below(10) == 0 ? "" : random.Host();
      const std::string path = random.Path(true);
      const int expected = NaiveFind(patterns, host, path);
      ASSERT_EQ(Find(table, host, path), expected)
          << "seed " << seed << " host " << host << " path " << path;
      const auto candidates = table.Explain({host, path});
      ASSERT_EQ(candidates.size(),
                expected < 0 ? patterns.size() : static_cast<size_t>(expected) + 1);
      if (expected > 0) ++matches;
    }
  }
  EXPECT_GT(matches, 10'000);  // The tables were not all trivial.
}

// One pattern lies within another when hosts and paths made from it, which no narrower pattern
// takes, match the other.
TEST(RouteTableTest, UnreachableAgreesWithPairwiseComparison) {
  int hidden = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    RandomRoutes random(seed);
    std::vector<Pattern> patterns(random.Below(40));
    for (Pattern& pattern : patterns) pattern = {random.HostPattern(), random.Prefix()};
    std::vector<std::pair<int, int>> expected;
    for (size_t i = 0; i < patterns.size(); ++i) {
      std::string host = patterns[i].host;
      if (host.empty() || host == "*") host = "nowhere.else";
      if (host[0] == '*') host = "no-such-label" + host.substr(1);
      const std::string path = patterns[i].prefix.empty() ? "/" : patterns[i].prefix;
      const int first = NaiveFind(patterns, host, path);
      if (first < static_cast<int>(i)) expected.emplace_back(static_cast<int>(i), first);
    }
    ASSERT_EQ(TableOf(patterns).Unreachable(), expected) << "seed " << seed;
    hidden += static_cast<int>(expected.size());
  }
  EXPECT_GT(hidden, 500);
}

TEST(RouteTableTest, TenThousandRoutesStayBelowAKibibyteEach) {
  std::vector<Pattern> patterns;
  for (int i = 0; i < 10'000; ++i) {
    patterns.push_back({"host" + std::to_string(i % 100) + ".example.com",
                        "/api/v1/service" + std::to_string(i) + "/resource"});
  }
  const RouteTable table = TableOf(patterns);
  EXPECT_LT(table.memory_bytes() / patterns.size(), 1024u);
  EXPECT_EQ(Find(table, "host99.example.com", "/api/v1/service9999/resource/x"), 9999);
  EXPECT_EQ(Find(table, "host98.example.com", "/api/v1/service9999/resource/x"), RouteTable::kNone);
}

}  // namespace
}  // namespace sluice::route
