#include "common/config/ocsp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>

#include "common/config/testing_certificates.h"
#include "common/config/testing_ocsp.h"

namespace sluice::config {
namespace {

using testing::HasSubstr;
using testing_certificates::MakeSelfSigned;
using testing_certificates::Pair;
using testing_ocsp::MakeResponse;
using testing_ocsp::WantedResponse;

WantedResponse About(const Pair& pair) {
  return {.certificate_pem = pair.chain_pem,
          .issuer_pem = pair.chain_pem,
          .issuer_key_pem = pair.key_pem};
}

std::string ProblemOf(const Pair& pair, std::string_view der) {
  const auto facts = DescribeOcspResponse(pair.chain_pem, der);
  EXPECT_EQ(ERR_peek_error(), 0u);
  return std::string(facts.status().message());
}

TEST(OcspTest, TellsFromWhenUntilWhenAndWhatItSays) {
  const Pair pair = MakeSelfSigned();
  const auto good = DescribeOcspResponse(pair.chain_pem, MakeResponse(About(pair)));
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_TRUE(good->good);
  EXPECT_EQ(good->this_update_unix, 1'750'000'000);
  EXPECT_EQ(good->next_update_unix, 4'000'000'000);
  for (const int status : {V_OCSP_CERTSTATUS_REVOKED, V_OCSP_CERTSTATUS_UNKNOWN}) {
    WantedResponse wanted = About(pair);
    wanted.status = status;
    const auto bad = DescribeOcspResponse(pair.chain_pem, MakeResponse(wanted));
    ASSERT_TRUE(bad.ok()) << bad.status();
    EXPECT_FALSE(bad->good);
  }
}

TEST(OcspTest, MustBeAboutTheLeaf) {
  const Pair pair = MakeSelfSigned();
  const Pair renamed = MakeSelfSigned({.common_name = "b.test"});  // The same serial number.
  EXPECT_THAT(ProblemOf(pair, MakeResponse(About(renamed))), HasSubstr("another certificate"));
  // The same issuer by name; only the key tells that it is another, where the chain has it.
  const Pair rekeyed = MakeSelfSigned();
  const std::string response = MakeResponse(About(rekeyed));
  EXPECT_EQ(ProblemOf(pair, response), "");
  const Pair whole{.chain_pem = pair.chain_pem + pair.chain_pem,
                   .key_pem = pair.key_pem,
                   .encrypted_key_pem = {}};
  EXPECT_THAT(ProblemOf(whole, response), HasSubstr("another certificate"));
  EXPECT_EQ(ProblemOf(whole, MakeResponse(About(pair))), "");
}

TEST(OcspTest, MustSayUntilWhenItHolds) {
  const Pair pair = MakeSelfSigned();
  WantedResponse wanted = About(pair);
  wanted.next_update_unix = 0;
  EXPECT_THAT(ProblemOf(pair, MakeResponse(wanted)), HasSubstr("nextUpdate"));
}

TEST(OcspTest, RefusesWhatIsNoAnswer) {
  const Pair pair = MakeSelfSigned();
  EXPECT_THAT(ProblemOf(pair, "-----BEGIN OCSP RESPONSE-----"), HasSubstr("no OCSP response"));
  EXPECT_THAT(ProblemOf(pair, ""), HasSubstr("no OCSP response"));
  EXPECT_THAT(ProblemOf(pair, MakeResponse(About(pair)) + "x"), HasSubstr("no OCSP response"));
  EXPECT_THAT(ProblemOf(pair, std::string(kOcspBytesMax + 1, 'x')), HasSubstr("allowed"));
  OCSP_RESPONSE* later = OCSP_response_create(OCSP_RESPONSE_STATUS_TRYLATER, nullptr);
  EXPECT_THAT(ProblemOf(pair, testing_ocsp::DerOf(later)), HasSubstr("trylater"));
}

}  // namespace
}  // namespace sluice::config
