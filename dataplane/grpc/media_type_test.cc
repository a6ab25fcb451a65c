#include "dataplane/grpc/media_type.h"

#include <gtest/gtest.h>

namespace sluice::grpc {
namespace {

TEST(MediaTypeTest, TellsTheKindsApart) {
  const struct {
    std::string_view content_type;
    MediaType type;
  } rows[] = {
      {"application/grpc", MediaType::kGrpc},
      {"application/grpc+proto", MediaType::kGrpc},
      {"application/grpc+json; charset=utf-8", MediaType::kGrpc},
      {"Application/GRPC", MediaType::kGrpc},
      {"application/grpc;x=y", MediaType::kGrpc},
      {"application/grpc ; x=y", MediaType::kGrpc},
      {"application/grpc-web", MediaType::kGrpcWeb},
      {"application/grpc-web+proto", MediaType::kGrpcWeb},
      {"application/grpc-web+thrift;a=b", MediaType::kGrpcWeb},
      {"application/grpc-web-text", MediaType::kGrpcWebText},
      {"application/grpc-web-text+proto", MediaType::kGrpcWebText},
      {"APPLICATION/GRPC-WEB-TEXT", MediaType::kGrpcWebText},
      {"", MediaType::kOther},
      {"application/grp", MediaType::kOther},
      {"application/grpcx", MediaType::kOther},
      {"application/grpc+", MediaType::kOther},
      {"application/grpc+a b", MediaType::kOther},
      {"application/grpc-webtext", MediaType::kOther},
      {"application/grpc-web-text-more", MediaType::kOther},
      {"application/grpc-", MediaType::kOther},
      {"application/grpc, text/plain", MediaType::kOther},
      {"text/application/grpc", MediaType::kOther},
      {"application/json", MediaType::kOther},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(MediaTypeOf(row.content_type), row.type) << row.content_type;
  }
}

TEST(MediaTypeTest, AcceptDecidesWhatTheClientReads) {
  constexpr MediaType kWeb = MediaType::kGrpcWeb;
  constexpr MediaType kText = MediaType::kGrpcWebText;
  EXPECT_EQ(ResponseTypeOf(kWeb, ""), kWeb);
  EXPECT_EQ(ResponseTypeOf(kText, ""), kText);
  EXPECT_EQ(ResponseTypeOf(kText, "*/*"), kText);
  EXPECT_EQ(ResponseTypeOf(kWeb, "application/grpc-web-text"), kText);
  EXPECT_EQ(ResponseTypeOf(kText, "text/html, application/grpc-web+proto;q=0.5"), kWeb);
  EXPECT_EQ(ResponseTypeOf(kText, "application/grpc"), kText);
  EXPECT_EQ(ResponseTypeOf(kWeb, ",,"), kWeb);
}

TEST(MediaTypeTest, TranslationKeepsTheMessageFormat) {
  std::string out = "before";
  Translate("application/grpc-web-text+proto; charset=utf-8", MediaType::kGrpc, &out);
  EXPECT_EQ(out, "application/grpc+proto");
  Translate("application/grpc-web", MediaType::kGrpc, &out);
  EXPECT_EQ(out, "application/grpc");
  Translate("application/grpc+json", MediaType::kGrpcWeb, &out);
  EXPECT_EQ(out, "application/grpc-web+json");
  Translate("application/grpc", MediaType::kGrpcWebText, &out);
  EXPECT_EQ(out, "application/grpc-web-text");
}

}  // namespace
}  // namespace sluice::grpc
