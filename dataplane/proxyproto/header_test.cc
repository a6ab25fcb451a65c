#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "dataplane/proxyproto/header_parser.h"
#include "dataplane/proxyproto/header_writer.h"

namespace sluice::proxyproto {
namespace {

using namespace std::string_literals;

const std::string kV2 = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string kAddresses4 = "\x01\x02\x03\x04\x0a\x00\x00\x01\x1f\x90\x01\xbb"s;

// Version and command, family, then the body behind its length.
std::string V2(uint8_t command, uint8_t family, const std::string& body) {
  std::string header = kV2;
  header += static_cast<char>(command);
  header += static_cast<char>(family);
  header += static_cast<char>(body.size() >> 8);
  header += static_cast<char>(body.size());
  return header + body;
}

std::string Tlv(uint8_t type, const std::string& value) {
  return std::string{static_cast<char>(type), static_cast<char>(value.size() >> 8),
                     static_cast<char>(value.size())} +
         value;
}

// With a checksum TLV last.
std::string WithCrc(uint8_t family, const std::string& body) {
  std::string header = V2(0x21, family, body + Tlv(3, "\0\0\0\0"s));
  const uint32_t crc = Crc32c(header);
  for (size_t i = 0; i < 4; ++i) {
    header[header.size() - 4 + i] = static_cast<char>(crc >> (24 - 8 * i));
  }
  return header;
}

// "1.2.3.4:8080 > 10.0.0.1:443", "own" or the state.
std::string Say(const ParsedHeader& header) {
  switch (header.state) {
    case HeaderState::kNeedMore:
      return "more";
    case HeaderState::kAbsent:
      return "absent";
    case HeaderState::kMalformed:
      return "malformed";
    case HeaderState::kDone:
      break;
  }
  if (!header.names_ends) return "own";
  const ConnectionEnds& ends = header.ends;
  return base::FormatHostPort(base::FormatIp(ends.source), ends.source_port) + " > " +
         base::FormatHostPort(base::FormatIp(ends.destination), ends.destination_port);
}

std::string Parse(std::string_view bytes) { return Say(ParseHeader(bytes)); }

const std::vector<std::pair<std::string, std::string>>& Valid() {
  static const std::vector<std::pair<std::string, std::string>> valid = {
      {"PROXY TCP4 1.2.3.4 10.0.0.1 8080 443\r\n", "1.2.3.4:8080 > 10.0.0.1:443"},
      {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
       "255.255.255.255:65535 > 255.255.255.255:65535"},
      {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0:0 > 0.0.0.0:0"},
      {"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "[2001:db8::1]:1 > [::1]:2"},
      {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
       "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 > "
       "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
      {"PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n", "1.2.3.4:1 > [::1]:2"},
      {"PROXY UNKNOWN\r\n", "own"},
      {"PROXY UNKNOWN " + std::string(107 - 16, 'f') + "\r\n", "own"},
      {V2(0x20, 0x00, ""), "own"},
      {V2(0x20, 0x11, kAddresses4), "own"},
      {V2(0x20, 0xff, "what LOCAL says is discarded"), "own"},
      {V2(0x21, 0x00, ""), "own"},
      {V2(0x21, 0x00, Tlv(4, "noop")), "own"},
      {V2(0x21, 0x11, kAddresses4), "1.2.3.4:8080 > 10.0.0.1:443"},
      {V2(0x21, 0x11, kAddresses4 + Tlv(1, "h2") + Tlv(0xea, "") + Tlv(4, std::string(3000, 'x'))),
       "1.2.3.4:8080 > 10.0.0.1:443"},
      {V2(0x21, 0x21,
          "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01"s + std::string(15, '\0') +
              "\x01\x00\x01\x00\x02"s),
       "[2001:db8::1]:1 > [::1]:2"},
      {V2(0x21, 0x12, kAddresses4), "own"},            // UDP.
      {V2(0x21, 0x22, std::string(36, 'a')), "own"},   // UDP.
      {V2(0x21, 0x31, std::string(216, 'a')), "own"},  // Unix.
      {V2(0x21, 0x32, std::string(216, 'a')), "own"},  // Unix.
      {WithCrc(0x11, kAddresses4 + Tlv(1, "h2")), "1.2.3.4:8080 > 10.0.0.1:443"},
      {V2(0x21, 0x11, kAddresses4 + Tlv(4, std::string(kHeaderBytesMax - 31, 'x'))),
       "1.2.3.4:8080 > 10.0.0.1:443"},
  };
  return valid;
}

TEST(HeaderParserTest, ReadsWhatIsValidAndNothingBehindIt) {
  for (const auto& [bytes, said] : Valid()) {
    SCOPED_TRACE(bytes);
    for (const std::string& rest : {""s, "GET / HTTP/1.1\r\n"s, "\x16\x03\x01"s, "\r\n"s}) {
      const ParsedHeader header = ParseHeader(bytes + rest);
      EXPECT_EQ(Say(header), said);
      EXPECT_EQ(header.bytes, bytes.size());
    }
  }
}

TEST(HeaderParserTest, WantsMoreUntilTheLastByte) {
  for (const auto& [bytes, said] : Valid()) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_EQ(Parse(std::string_view(bytes).substr(0, size)), "more") << size << " of " << bytes;
    }
  }
}

TEST(HeaderParserTest, WhatIsNoHeaderIsLeftAlone) {
  for (const std::string& bytes :
       {"GET / HTTP/1.1\r\n"s, "POST / HTTP/1.1\r\n"s, "PRI * HTTP/2.0\r\n"s, "PROXYX"s,
        "proxy TCP4"s, "\x16\x03\x01"s, "\r\nGET"s, "\r\n\r\nGET"s, "\r\n\r\n\0\r\nQUIT\r"s, "\n"s,
        " PROXY TCP4"s, "\0"s}) {
    EXPECT_EQ(Parse(bytes), "absent") << bytes;
  }
}

TEST(HeaderParserTest, RefusesVersion1ThatIsNotAsSpecified) {
  for (const std::string& line : {"PROXY TCP4 999.1.1.1 1.1.1.1 1 80\r\n"s,
                                  "PROXY TCP4 01.1.1.1 1.1.1.1 1 80\r\n"s,
                                  "PROXY TCP4 1.1.1 1.1.1.1 1 80\r\n"s,
                                  "PROXY TCP4 ::1 1.1.1.1 1 80\r\n"s,
                                  "PROXY TCP4 1.1.1.1 ::1 1 80\r\n"s,
                                  "PROXY TCP6 1.1.1.1 ::1 1 80\r\n"s,
                                  "PROXY TCP6 ::1 1.1.1.1 1 80\r\n"s,
                                  "PROXY TCP6 ::1%1 ::1 1 80\r\n"s,
                                  "PROXY TCP6 [::1] ::1 1 80\r\n"s,
                                  "PROXY TCP6 :::1 ::1 1 80\r\n"s,
                                  "PROXY TCP4 1.1.1.1 1.1.1.1 01 80\r\n"s,
                                  "PROXY TCP4 1.1.1.1 1.1.1.1 65536 80\r\n"s,
                                  "PROXY TCP4 1.1.1.1 1.1.1.1 1 -1\r\n"s,
                                  "PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n"s,
                                  "PROXY TCP4 1.1.1.1 1.1.1.1 0x1 1\r\n"s,
                                  "PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n"s,
                                  "PROXY TCP4 1.1.1.1 1.1.1.1 1 \r\n"s,
                                  "PROXY TCP4 1.1.1.1 1.1.1.1 1 2 \r\n"s,
                                  "PROXY TCP4 1.1.1.1 1.1.1.1 1 2 3\r\n"s,
                                  "PROXY TCP4  1.1.1.1 1.1.1.1 1 2\r\n"s,
                                  "PROXY  TCP4 1.1.1.1 1.1.1.1 1 2\r\n"s,
                                  "PROXY TCP4\t1.1.1.1 1.1.1.1 1 2\r\n"s,
                                  "PROXY TCP4 1.1.1.1 1.1.1.1 1 2\n"s,
                                  "PROXY TCP4 1.1.1.1 1.1.1.1 1 2\rx"s,
                                  "PROXY TCP4 1.1.1.1\0 1.1.1.1 1 2\r\n"s,
                                  "PROXY tcp4 1.1.1.1 1.1.1.1 1 2\r\n"s,
                                  "PROXY UDP4 1.1.1.1 1.1.1.1 1 2\r\n"s,
                                  "PROXY UNKNOWNX\r\n"s,
                                  "PROXY UNKNOWN\n"s,
                                  "PROXY \r\n"s,
                                  "PROXY TCP4\r\n"s,
                                  "PROXY UNKNOWN " + std::string(107 - 15, 'f') + "\r\n",
                                  "PROXY TCP4 " + std::string(107 - 11, '1')}) {
    EXPECT_EQ(Parse(line), "malformed") << line;
  }
}

TEST(HeaderParserTest, Version1EndsWithin107Bytes) {
  const std::string line = "PROXY TCP4 " + std::string(200, '1');
  for (size_t size = 0; size <= line.size(); ++size) {
    EXPECT_EQ(Parse(line.substr(0, size)), size < 107 ? "more" : "malformed") << size;
  }
}

TEST(HeaderParserTest, RefusesVersion2ThatIsNotAsSpecified) {
  const std::string crc = WithCrc(0x11, kAddresses4);
  std::vector<std::string> refused = {
      V2(0x11, 0x11, kAddresses4),  // Version 1.
      V2(0x31, 0x11, kAddresses4),  // Version 3.
      V2(0x22, 0x11, kAddresses4),  // No such command.
      V2(0x21, 0x10, kAddresses4),  // No transport.
      V2(0x21, 0x01, ""),           // No family.
      V2(0x21, 0x13, kAddresses4),
      V2(0x21, 0x41, kAddresses4),  // Unknown ones.
      V2(0x21, 0x11, ""),
      V2(0x21, 0x11, std::string(11, 'a')),  // Too short.
      V2(0x21, 0x21, kAddresses4),
      V2(0x21, 0x21, std::string(35, 'a')),
      V2(0x21, 0x31, std::string(215, 'a')),
      V2(0x21, 0x11, kAddresses4 + "\x01"s),  // TLVs cut short.
      V2(0x21, 0x11, kAddresses4 + "\x01\0"s),
      V2(0x21, 0x11, kAddresses4 + "\x01\0\x01"s),
      V2(0x21, 0x11, kAddresses4 + Tlv(1, "h2") + "\x04\xff\xff"s),
      V2(0x21, 0x00, "x"),
      V2(0x21, 0x11, kAddresses4 + Tlv(3, "\0\0\0\0"s)),  // A wrong checksum.
      V2(0x21, 0x11, kAddresses4 + Tlv(3, "\0\0\0"s)),    // None at all.
      kV2 + "\x21\x11\xff\xff"s,                          // Longer than we read.
      V2(0x21, 0x11, kAddresses4 + Tlv(4, std::string(kHeaderBytesMax - 30, 'x'))),
  };
  for (size_t at = 16; at < crc.size(); ++at) {
    if (at == crc.size() - 7) continue;  // The TLV's type: then there is no checksum.
    std::string flipped = crc;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    refused.push_back(flipped);
  }
  for (const std::string& header : refused) {
    EXPECT_EQ(Parse(header), "malformed") << testing::PrintToString(header);
  }
}

TEST(HeaderParserTest, RefusesAsSoonAsItCan) {
  EXPECT_EQ(Parse(kV2 + "\x11"s), "malformed");
  EXPECT_EQ(Parse(kV2 + "\x21\x11\xff\xff"s), "malformed");
  EXPECT_EQ(Parse("PROXY TCP4 1.1.1.1\n"), "malformed");
}

TEST(HeaderParserTest, ChecksumIsCrc32c) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c("6789", Crc32c("12345")), 0xe3069283u);
}

std::string Written(HeaderVersion version, const ConnectionEnds& ends) {
  char out[kWrittenBytesMax];
  return std::string(out, WriteHeader(version, ends, out));
}

ConnectionEnds Ends(std::string_view from, std::string_view to, uint16_t from_port,
                    uint16_t to_port) {
  return {*base::ParseIp(from), *base::ParseIp(to), from_port, to_port};
}

TEST(HeaderWriterTest, WritesWhatTheParserReads) {
  for (const ConnectionEnds& ends :
       {Ends("1.2.3.4", "10.0.0.1", 8080, 443), Ends("2001:db8::1", "::1", 65535, 0),
        Ends("1.2.3.4", "2001:db8::1", 1, 2), Ends("::", "255.255.255.255", 0, 65535),
        Ends("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
             65535, 65535)}) {
    for (const HeaderVersion version : {HeaderVersion::kV1, HeaderVersion::kV2}) {
      const std::string written = Written(version, ends);
      const ParsedHeader header = ParseHeader(written);
      ASSERT_EQ(header.state, HeaderState::kDone) << written;
      EXPECT_EQ(header.bytes, written.size());
      EXPECT_TRUE(header.names_ends);
      EXPECT_EQ(header.ends, ends);
    }
  }
}

TEST(HeaderWriterTest, WritesTheSpecificationsBytes) {
  const ConnectionEnds v4 = Ends("1.2.3.4", "10.0.0.1", 8080, 443);
  EXPECT_EQ(Written(HeaderVersion::kV1, v4), "PROXY TCP4 1.2.3.4 10.0.0.1 8080 443\r\n");
  EXPECT_EQ(Written(HeaderVersion::kV2, v4), V2(0x21, 0x11, kAddresses4));
  EXPECT_EQ(Written(HeaderVersion::kV1, Ends("1.2.3.4", "::1", 1, 2)),
            "PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n");
  EXPECT_EQ(Written(HeaderVersion::kNone, v4), "");
}

TEST(HeaderWriterTest, OwnConnectionsNameNobody) {
  char out[kWrittenBytesMax];
  EXPECT_EQ(std::string(out, WriteLocalHeader(HeaderVersion::kV1, out)), "PROXY UNKNOWN\r\n");
  EXPECT_EQ(std::string(out, WriteLocalHeader(HeaderVersion::kV2, out)), V2(0x20, 0x00, ""));
  EXPECT_EQ(WriteLocalHeader(HeaderVersion::kNone, out), 0u);
}

}  // namespace
}  // namespace sluice::proxyproto
