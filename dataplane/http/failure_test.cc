#include "dataplane/http/failure.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "dataplane/http/h1_serializer.h"

namespace sluice::http {
namespace {

TEST(FailureTest, EveryFailureHasItsOwnCodeAndASentence) {
  std::set<std::string_view> codes;
  for (int i = 1; i < static_cast<int>(Failure::kCount); ++i) {
    const FailureTraits traits = TraitsOf(static_cast<Failure>(i));
    EXPECT_TRUE(codes.insert(traits.code).second) << traits.code;
    EXPECT_FALSE(traits.code.empty()) << i;
    EXPECT_TRUE(std::ranges::all_of(traits.code, [](char c) {
      return (c >= 'a' && c <= 'z') || c == '_';
    })) << traits.code;
    EXPECT_TRUE(traits.text.ends_with('.')) << traits.code;
    // What goes to a client must be a status it can read.
    if (traits.status == 0) continue;
    EXPECT_GE(traits.status, 400) << traits.code;
    EXPECT_FALSE(ReasonOf(traits.status).empty()) << traits.code;
  }
  EXPECT_EQ(TraitsOf(Failure::kClientGone).status, 0);
}

TEST(FailureTest, EveryParseErrorHasItsStatusAndClosesTheConnection) {
  for (int i = 1; i <= static_cast<int>(ParseError::kBadTrailer); ++i) {
    const auto error = static_cast<ParseError>(i);
    const FailureTraits traits = TraitsOf(FailureOf(error));
    int expected = 400;
    if (error == ParseError::kTargetTooLong) expected = 414;
    if (error == ParseError::kTooManyFields || error == ParseError::kHeadTooLarge) expected = 431;
    if (error == ParseError::kUnsupportedVersion) expected = 505;
    if (error == ParseError::kUnknownTransferCoding) expected = 501;
    if (error == ParseError::kBadExpect) expected = 417;
    EXPECT_EQ(traits.status, expected) << i;
    EXPECT_TRUE(traits.closes) << i;
  }
  EXPECT_EQ(FailureOf(ParseError::kNone), Failure::kNone);
}

}  // namespace
}  // namespace sluice::http
