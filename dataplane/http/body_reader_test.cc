#include "dataplane/http/body_reader.h"

#include <gtest/gtest.h>

#include "dataplane/http/feed_for_test.h"

namespace sluice::http {
namespace {

TEST(BodyReaderTest, NoBodyIsDoneAtOnce) {
  BodyReader reader;
  EXPECT_TRUE(reader.done());
  reader.Start(Framing::kNone, 0, {});
  EXPECT_TRUE(reader.done());
  reader.Start(Framing::kLength, 0, {});
  EXPECT_TRUE(reader.done());
  char next[] = "GET";
  const BodyReader::Step step = reader.Take(next, 3);
  EXPECT_TRUE(step.done);
  EXPECT_EQ(step.consumed, 0u);
}

TEST(BodyReaderTest, JoinsTheChunksOfOneRead) {
  BodyReader reader;
  reader.Start(Framing::kChunked, 0, {});
  std::string input;
  for (int i = 0; i < 100; ++i) input += "1\r\na\r\n";
  input += "2\r\nbc\r\n0\r\n\r\nNEXT";
  const BodyReader::Step step = reader.Take(input.data(), input.size());
  EXPECT_EQ(step.data, std::string(100, 'a') + "bc");
  EXPECT_TRUE(step.done);
  EXPECT_EQ(step.consumed, input.size() - 4);
}

TEST(BodyReaderTest, ALengthEndsWhereItSays) {
  BodyReader reader;
  reader.Start(Framing::kLength, 5, {});
  char first[] = "abc";
  EXPECT_EQ(reader.Take(first, 3).data, "abc");
  EXPECT_FALSE(reader.done());
  char rest[] = "deGET";
  const BodyReader::Step step = reader.Take(rest, 5);
  EXPECT_EQ(step.data, "de");
  EXPECT_EQ(step.consumed, 2u);
  EXPECT_TRUE(step.done);
}

TEST(BodyReaderTest, BytesThatWentAnotherWayCount) {
  BodyReader reader;
  reader.Start(Framing::kLength, 10, {});
  reader.Skip(7);
  EXPECT_EQ(reader.remaining(), 3u);
  char bytes[] = "abcGET";
  const BodyReader::Step step = reader.Take(bytes, 6);
  EXPECT_EQ(step.data, "abc");
  EXPECT_TRUE(reader.done());
  reader.Start(Framing::kLength, 10, {});
  reader.Skip(10);
  EXPECT_TRUE(reader.done());
}

TEST(BodyReaderTest, OnlyTheEndOfTheConnectionEndsABodyWithoutLength) {
  BodyReader reader;
  reader.Start(Framing::kUntilClose, 0, {});
  char bytes[] = "0\r\n\r\n";
  const BodyReader::Step step = reader.Take(bytes, 5);
  EXPECT_EQ(step.data, "0\r\n\r\n");
  EXPECT_FALSE(step.done);
  EXPECT_TRUE(reader.CompleteAtEnd());
  reader.Start(Framing::kLength, 5, {});
  EXPECT_FALSE(reader.CompleteAtEnd());
  reader.Start(Framing::kChunked, 0, {});
  EXPECT_FALSE(reader.CompleteAtEnd());
}

TEST(BodyReaderTest, JoinsChunksWhereverTheReadsAreCut) {
  const std::string bytes = "3\r\nabc\r\n1;x\r\nd\r\n5\r\nefghi\r\n0\r\nX: y\r\n\r\n";
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    BodyReader reader;
    reader.Start(Framing::kChunked, 0, {});
    std::string body;
    for (std::string part : {bytes.substr(0, cut), bytes.substr(cut) + "NEXT"}) {
      if (reader.done()) continue;
      const BodyReader::Step step = reader.Take(part.data(), part.size());
      EXPECT_FALSE(step.error);
      body += step.data;
      if (step.done) {
        EXPECT_TRUE(part.substr(step.consumed).empty() || part.substr(step.consumed) == "NEXT");
      }
    }
    EXPECT_TRUE(reader.done()) << cut;
    EXPECT_EQ(body, "abcdefghi") << cut;
    ASSERT_EQ(reader.trailers().size(), 1u);
    EXPECT_EQ(reader.trailers()[0].value, "y");
  }
}

// Chunks of every size around the 15 bytes that are taken at once, cut anywhere.
TEST(BodyReaderTest, SmallChunksAreTheSameWhereverTheReadsAreCut) {
  std::string bytes, body;
  for (size_t size : {1, 2, 9, 10, 14, 15, 16, 17, 1, 1, 1}) {
    constexpr char kDigits[] = "0123456789abCDEF";
    const std::string data(size, kDigits[size % 16]);
    bytes += size < 16 ? std::string(1, kDigits[size]) : "1" + std::string(1, kDigits[size - 16]);
    bytes += "\r\n" + data + "\r\n";
    body += data;
  }
  bytes += "0\r\n\r\n";
  for (size_t first = 0; first <= bytes.size(); ++first) {
    for (size_t second = first; second <= bytes.size(); ++second) {
      BodyReader reader;
      reader.Start(Framing::kChunked, 0, {});
      std::string got;
      for (std::string part :
           {bytes.substr(0, first), bytes.substr(first, second - first), bytes.substr(second)}) {
        if (part.empty()) continue;
        const BodyReader::Step step = reader.Take(part.data(), part.size());
        ASSERT_FALSE(step.error) << first << ", " << second;
        got += step.data;
      }
      ASSERT_TRUE(reader.done()) << first << ", " << second;
      ASSERT_EQ(got, body) << first << ", " << second;
    }
  }
}

TEST(BodyReaderTest, SmallChunksMustBeWellFormed) {
  for (std::string bytes : {"1\r\nab\r\n", "1\r\na\n\n", "1\r\na\r\r", "1\n\na\r\n", "g\r\na\r\n",
                            "-\r\na\r\n", "1\r\r\na\r\n", "3\r\na\r\nbc\r\n"}) {
    BodyReader reader;
    reader.Start(Framing::kChunked, 0, {});
    std::string input = "1\r\n-\r\n" + bytes + "0\r\n\r\n";
    EXPECT_TRUE(reader.Take(input.data(), input.size()).error) << bytes;
  }
}

TEST(BodyReaderTest, WhatCameBeforeAnErrorIsStillGiven) {
  BodyReader reader;
  reader.Start(Framing::kChunked, 0, {});
  std::string bytes = "3\r\nabc\r\nx";
  const BodyReader::Step step = reader.Take(bytes.data(), bytes.size());
  EXPECT_TRUE(step.error);
  EXPECT_FALSE(step.done);
  EXPECT_EQ(step.data, "abc");
  EXPECT_EQ(reader.error(), ParseError::kBadChunk);
}

TEST(BodyReaderTest, CanBeUsedAgain) {
  BodyReader reader;
  for (int i = 0; i < 3; ++i) {
    reader.Start(Framing::kChunked, 0, {});
    EXPECT_FALSE(reader.done());
    std::string bytes = "1\r\na\r\n0\r\nX: y\r\n\r\n";
    const BodyReader::Step step = reader.Take(bytes.data(), bytes.size());
    EXPECT_EQ(step.data, "a");
    EXPECT_TRUE(step.done);
    EXPECT_EQ(reader.trailers().size(), 1u);
  }
}

}  // namespace
}  // namespace sluice::http
