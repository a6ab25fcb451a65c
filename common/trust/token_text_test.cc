#include "common/trust/token_text.h"

#include <gtest/gtest.h>

namespace sluice::trust {
namespace {

TEST(TokenTextTest, IsReadAsItWasWritten) {
  const std::string fingerprint(32, '\x9c');
  const TokenText join = MakeToken(TokenText::Kind::kJoin, fingerprint);
  const auto read = ParseToken("  " + FormatToken(join) + "\r\n");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->kind, TokenText::Kind::kJoin);
  EXPECT_EQ(read->id, join.id);
  EXPECT_EQ(read->secret, join.secret);
  EXPECT_EQ(read->ca_fingerprint, fingerprint);
  const auto person = ParseToken(FormatToken(MakeToken(TokenText::Kind::kOperator, fingerprint)));
  ASSERT_TRUE(person.ok());
  EXPECT_EQ(person->kind, TokenText::Kind::kOperator);
  EXPECT_EQ(person->ca_fingerprint, "");
}

TEST(TokenTextTest, NoTwoAreAlike) {
  const TokenText a = MakeToken(TokenText::Kind::kOperator, "");
  const TokenText b = MakeToken(TokenText::Kind::kOperator, "");
  EXPECT_NE(a.id, b.id);
  EXPECT_NE(a.secret, b.secret);
}

TEST(TokenTextTest, AnythingElseIsNone) {
  const std::string whole = FormatToken(MakeToken(TokenText::Kind::kJoin, std::string(32, 'f')));
  for (size_t cut = 0; cut < whole.size(); ++cut)
    EXPECT_FALSE(ParseToken(whole.substr(0, cut)).ok());
  const std::string person = FormatToken(MakeToken(TokenText::Kind::kOperator, ""));
  for (const std::string& text :
       {whole + "0", whole + ".", "x" + whole, person + ".00", std::string(600, 'a'), std::string(),
        std::string("..."), person + "\n" + person}) {
    EXPECT_FALSE(ParseToken(text).ok()) << text;
  }
}

TEST(TokenTextTest, HashesAreComparedWhole) {
  EXPECT_TRUE(SameHash(HashOfSecret("a"), HashOfSecret("a")));
  EXPECT_FALSE(SameHash(HashOfSecret("a"), HashOfSecret("b")));
  EXPECT_FALSE(SameHash(HashOfSecret("a"), ""));
  EXPECT_EQ(HashOfSecret("a").size(), 32u);
}

}  // namespace
}  // namespace sluice::trust
