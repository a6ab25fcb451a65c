#include "dataplane/grpc/base64.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace sluice::grpc {
namespace {

// In pieces of `piece` characters, into a buffer of `room`. Nothing if refused or unfinished.
std::optional<std::string> Decoded(std::string_view text, size_t piece = 1000, size_t room = 1000) {
  Base64Decoder decoder;
  std::string all, out(room, '\0');
  while (!text.empty()) {
    const Base64Step step = decoder.Decode(text.substr(0, piece), out.data(), room);
    if (step.malformed) return std::nullopt;
    all.append(out, 0, step.written);
    text.remove_prefix(step.consumed);
  }
  if (!decoder.at_boundary()) return std::nullopt;
  return all;
}

std::string Encoded(std::string_view bytes, size_t room = 1000) {
  std::string all, out(room, '\0');
  while (!bytes.empty()) {
    const Base64Step step = EncodeBase64(bytes, out.data(), room);
    all.append(out, 0, step.written);
    bytes.remove_prefix(step.consumed);
  }
  return all;
}

// RFC 4648 section 10.
TEST(Base64Test, TheVectorsOfTheRfc) {
  const struct {
    std::string_view bytes, text;
  } rows[] = {{"", ""},
              {"f", "Zg=="},
              {"fo", "Zm8="},
              {"foo", "Zm9v"},
              {"foob", "Zm9vYg=="},
              {"fooba", "Zm9vYmE="},
              {"foobar", "Zm9vYmFy"}};
  for (const auto& row : rows) {
    EXPECT_EQ(Encoded(row.bytes), row.text);
    EXPECT_EQ(Decoded(row.text), row.bytes);
  }
  EXPECT_EQ(Encoded("\xfb\xff\xbf"), "+/+/");
  EXPECT_EQ(Decoded("+/+/"), "\xfb\xff\xbf");
}

TEST(Base64DecoderTest, SegmentsFollowEachOtherHoweverTheyArrive) {
  const std::string_view text = "Zg==Zm8=Zm9vZm9vYmE=Zm9vYg==";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    for (size_t room = kBase64RoomMin; room < 12; ++room) {
      EXPECT_EQ(Decoded(text, piece, room), "ffofoofoobafoob") << piece << " " << room;
    }
  }
}

TEST(Base64DecoderTest, RefusesWhatIsNotPaddedBase64) {
  for (const std::string_view text :
       {"Z", "Zg", "Zm8", "Zg=", "Zm9vY", "=", "Z=", "Z===", "Zg=a", "Zg==a", "Zm8===", "Zm9v\n",
        " Zm9v", "Zm9-", "Zm9_", "Zm.v", "Zm9v====", "Zg=Z", "Zm8=Z"}) {
    for (const size_t piece : {size_t{1}, size_t{3}, text.size()}) {
      EXPECT_EQ(Decoded(text, piece), std::nullopt) << text << " " << piece;
    }
  }
  EXPECT_EQ(Decoded(std::string_view("Zm9\0", 4)), std::nullopt);
}

TEST(Base64DecoderTest, RefusesBitsBehindTheLastByte) {
  EXPECT_EQ(Decoded("Zh=="), std::nullopt);
  EXPECT_EQ(Decoded("Zm9="), std::nullopt);
}

TEST(Base64DecoderTest, AnErrorIsForGood) {
  Base64Decoder decoder;
  char out[16];
  EXPECT_TRUE(decoder.Decode("Zm9v!", out, sizeof out).malformed);
  const Base64Step step = decoder.Decode("Zm9v", out, sizeof out);
  EXPECT_TRUE(step.malformed);
  EXPECT_EQ(step.consumed, 0u);
  EXPECT_FALSE(decoder.at_boundary());
}

TEST(EncodeBase64Test, SmallRoomGivesThreeBytesAtATime) {
  EXPECT_EQ(Encoded("foobarf", 4), "Zm9vYmFyZg==");
  EXPECT_EQ(Encoded("foobarf", 7), "Zm9vYmFyZg==");
  char out[8];
  const Base64Step step = EncodeBase64("foobarfo", out, sizeof out);
  EXPECT_EQ(step.consumed, 6u);
  EXPECT_EQ(step.written, 8u);
}

TEST(EncodeBase64Test, WhatFitsIsAWholeSegment) {
  char out[12];
  const Base64Step step = EncodeBase64("foobarf", out, sizeof out);
  EXPECT_EQ(step.consumed, 7u);
  EXPECT_EQ(std::string_view(out, step.written), "Zm9vYmFyZg==");
}

}  // namespace
}  // namespace sluice::grpc
