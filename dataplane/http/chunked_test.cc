#include "dataplane/http/chunked.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

struct Decoded {
  std::string body;
  ChunkedDecoder::State state = ChunkedDecoder::State::kNeedMore;
  size_t consumed = 0;
  bool operator==(const Decoded&) const = default;
};

Decoded Decode(std::string_view input, size_t piece_bytes, const HeadLimits& limits = {}) {
  ChunkedDecoder decoder;
  decoder.Reset(limits);
  Decoded decoded;
  while (decoded.consumed < input.size()) {
    std::string_view piece = input.substr(decoded.consumed, piece_bytes);
    while (true) {
      const ChunkedDecoder::Step step = decoder.Next(piece);
      decoded.consumed += step.consumed;
      piece.remove_prefix(step.consumed);
      decoded.body += step.data;
      decoded.state = step.state;
      if (step.state != ChunkedDecoder::State::kData) break;
    }
    if (decoded.state != ChunkedDecoder::State::kNeedMore) break;
  }
  return decoded;
}

TEST(ChunkedDecoderTest, DecodesTheSameHoweverTheBytesArrive) {
  const std::string input =
      "3\r\nabc\r\nA;x=\"y;z\";w\r\n0123456789\r\n00\r\nX: y\r\nZ: w\r\n\r\nGET";
  for (size_t piece = 1; piece <= input.size(); ++piece) {
    const Decoded decoded = Decode(input, piece);
    EXPECT_EQ(decoded.body, "abc0123456789") << piece;
    EXPECT_EQ(decoded.state, ChunkedDecoder::State::kDone) << piece;
    EXPECT_EQ(decoded.consumed, input.size() - 3) << piece;
  }
}

TEST(ChunkedDecoderTest, RefusesWhatIsMalformed) {
  const std::string refused[] = {
      "0x3\r\nabc\r\n",
      "+3\r\nabc\r\n",
      "0_3\r\nabc\r\n",
      "3 \r\nabc\r\n",
      "Z\r\nabc\r\n",
      "10000000000000003\r\nabc\r\n",
      "3\nabc\r\n",
      "3\rabc\r\n",
      "3\r\nabc\n0\r\n\r\n",
      "3\r\nabc0\r\n\r\n",
      "3\r\nabcXX0\r\n\r\n",
      "3;a\nabc\r\n",
      "3;a\nb\r\nabc\r\n",
      "3;a\rb\r\nabc\r\n",
      std::string("3;\0a\r\nabc\r\n", 11),
      "3;\r\nabc\r\n",
      "3; a\r\nabc\r\n",
      "3;a=\r\nabc\r\n",
      "3;a=\"b\r\nabc\r\n",
      "\r\nabc\r\n",
      "-1\r\n",
      "0\r\nX: a\r\n b\r\n\r\n",
      "0\r\nX: a\n\n",
      "0\r\nno colon\r\n\r\n",
      "0\r\nX : a\r\n\r\n",
  };
  for (const std::string& input : refused) {
    for (const size_t piece : {size_t{1}, input.size()}) {
      EXPECT_EQ(Decode(input, piece).state, ChunkedDecoder::State::kError) << input;
    }
  }
}

TEST(ChunkedDecoderTest, KeepsHarmlessTrailersOnly) {
  ChunkedDecoder decoder;
  decoder.Reset({});
  const std::string input =
      "0\r\nX-Checksum: 1\r\nContent-Length: 50\r\nTransfer-Encoding: gzip\r\nHost: evil\r\n"
      "Authorization: x\r\nX-Forwarded-For: 1.2.3.4\r\nSet-Cookie: a\r\nIf-Match: x\r\n\r\n";
  EXPECT_EQ(decoder.Next(input).state, ChunkedDecoder::State::kDone);
  ASSERT_EQ(decoder.trailers().size(), 1u);
  EXPECT_EQ(decoder.trailers()[0].name, "X-Checksum");
}

TEST(ChunkedDecoderTest, LimitsExtensionsAndTrailers) {
  const HeadLimits limits{.head_bytes = 1000, .target_bytes = 0, .fields = 3};
  EXPECT_EQ(Decode("3;" + std::string(2000, 'a') + "\r\nabc\r\n", 7, limits).state,
            ChunkedDecoder::State::kError);
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "1;a\r\nx\r\n";  // Together over the limit.
  EXPECT_EQ(Decode(many, 64, limits).state, ChunkedDecoder::State::kError);
  EXPECT_EQ(Decode("0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", 5, limits).state,
            ChunkedDecoder::State::kError);
}

TEST(ChunkedDecoderTest, ExtensionsMayGoWithALongBodyThatOutweighsThem) {
  const HeadLimits limits{.head_bytes = 100, .target_bytes = 0, .fields = 3};
  const std::string chunk = "20;signature=0123456789\r\n" + std::string(32, 'x') + "\r\n";
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += chunk;
  EXPECT_EQ(Decode(bytes + "0\r\n\r\n", 100, limits).state, ChunkedDecoder::State::kDone);
}

TEST(ChunkedDecoderTest, TrailersSurviveTheInputAndTheNextBytes) {
  ChunkedDecoder decoder;
  decoder.Reset({});
  {
    const std::string first = "0\r\nX-Long: " + std::string(1000, 'a') + "\r\nX-B";
    EXPECT_EQ(decoder.Next(first).state, ChunkedDecoder::State::kNeedMore);
  }
  {
    const std::string second =
        ": b\r\n" + std::string("X-C: ") + std::string(5000, 'c') + "\r\n\r\n";
    EXPECT_EQ(decoder.Next(second).state, ChunkedDecoder::State::kDone);
  }
  ASSERT_EQ(decoder.trailers().size(), 3u);
  EXPECT_EQ(decoder.trailers()[0].value, std::string(1000, 'a'));
  EXPECT_EQ(decoder.trailers()[1].name, "X-B");
  EXPECT_EQ(decoder.trailers()[2].value, std::string(5000, 'c'));
  decoder.Reset({});
  EXPECT_EQ(decoder.Next("0\r\n\r\n").state, ChunkedDecoder::State::kDone);
  EXPECT_TRUE(decoder.trailers().empty());
}

TEST(ChunkedDecoderTest, AnErrorIsForGood) {
  ChunkedDecoder decoder;
  decoder.Reset({});
  EXPECT_EQ(decoder.Next("x").state, ChunkedDecoder::State::kError);
  EXPECT_EQ(decoder.Next("3\r\nabc\r\n").state, ChunkedDecoder::State::kError);
  EXPECT_EQ(decoder.error(), ParseError::kBadChunk);
}

}  // namespace
}  // namespace sluice::http
