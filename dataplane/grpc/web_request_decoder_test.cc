#include "dataplane/grpc/web_request_decoder.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace sluice::grpc {
namespace {

using namespace std::string_literals;

std::string InBase64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + kBase64RoomMin, '\0');
  text.resize(EncodeBase64(bytes, text.data(), text.size()).written);
  return text;
}

// Nothing if it is refused or ends too early.
std::optional<std::string> Decoded(MediaType type, std::string_view body, size_t piece,
                                   size_t room = 64) {
  WebRequestDecoder decoder(type);
  std::string all, out(room, '\0');
  while (!body.empty()) {
    const WebRequestDecoder::Step step = decoder.Decode(body.substr(0, piece), out.data(), room);
    if (step.malformed) return std::nullopt;
    all.append(step.data);
    body.remove_prefix(step.consumed);
  }
  if (!decoder.complete()) return std::nullopt;
  return all;
}

const std::string kFirst = "\0\0\0\0\3abc"s;
const std::string kSecond = "\1\0\0\0\5defgh"s;

TEST(WebRequestDecoderTest, BinaryPassesWithoutACopy) {
  WebRequestDecoder decoder(MediaType::kGrpcWeb);
  const WebRequestDecoder::Step step = decoder.Decode(kFirst, nullptr, 0);
  EXPECT_EQ(step.data.data(), kFirst.data());
  EXPECT_EQ(step.data, kFirst);
  EXPECT_EQ(step.consumed, kFirst.size());
  EXPECT_TRUE(decoder.complete());
}

TEST(WebRequestDecoderTest, TextIsOneSegmentOrManyInAnyPieces) {
  const std::string messages = kFirst + kSecond;
  for (const std::string& body :
       {InBase64(messages), InBase64(kFirst) + InBase64(kSecond),
        InBase64(messages.substr(0, 2)) + InBase64(messages.substr(2, 8)) +
            InBase64(messages.substr(10))}) {
    for (size_t piece = 1; piece <= body.size(); ++piece) {
      for (const size_t room : {kBase64RoomMin, size_t{7}, size_t{64}}) {
        EXPECT_EQ(Decoded(MediaType::kGrpcWebText, body, piece, room), messages);
      }
    }
  }
}

TEST(WebRequestDecoderTest, NoBodyIsComplete) {
  EXPECT_EQ(Decoded(MediaType::kGrpcWeb, "", 1), "");
  EXPECT_EQ(Decoded(MediaType::kGrpcWebText, "", 1), "");
}

TEST(WebRequestDecoderTest, RefusesTrailers) {
  const std::string body = kFirst + "\x80\0\0\0\0"s;
  for (size_t piece = 1; piece <= body.size(); ++piece) {
    EXPECT_EQ(Decoded(MediaType::kGrpcWeb, body, piece), std::nullopt);
    EXPECT_EQ(Decoded(MediaType::kGrpcWebText, InBase64(body), piece), std::nullopt);
  }
}

TEST(WebRequestDecoderTest, RefusesWhatEndsMidway) {
  for (size_t bytes = 1; bytes < kFirst.size(); ++bytes) {
    const std::string part = kFirst.substr(0, bytes);
    EXPECT_EQ(Decoded(MediaType::kGrpcWeb, part, bytes), std::nullopt) << bytes;
    EXPECT_EQ(Decoded(MediaType::kGrpcWebText, InBase64(part), 64), std::nullopt) << bytes;
  }
  EXPECT_EQ(Decoded(MediaType::kGrpcWebText, InBase64(kFirst) + "A", 64), std::nullopt);
}

TEST(WebRequestDecoderTest, RefusesBinaryAsText) {
  EXPECT_EQ(Decoded(MediaType::kGrpcWebText, kFirst, 64), std::nullopt);
}

}  // namespace
}  // namespace sluice::grpc
