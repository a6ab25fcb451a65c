#include "dataplane/proxyproto/header_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

namespace sluice::proxyproto {
namespace {

constexpr size_t kV2FixedBytes = 16;
constexpr uint8_t kTlvCrc32c = 3;
constexpr size_t kTlvHeadBytes = 3;  // Type and length.
constexpr size_t kCrcBytes = 4;

constexpr ParsedHeader kNeedMore{.state = HeaderState::kNeedMore};
constexpr ParsedHeader kMalformed{.state = HeaderState::kMalformed};

// --- Version 1: a line of text (section 2.1).

// Takes the next word and the one blank behind it; the last word has none.
std::string_view TakeWord(std::string_view* line) {
  const size_t blank = std::min(line->find(' '), line->size());
  const std::string_view word = line->substr(0, blank);
  line->remove_prefix(std::min(blank + 1, line->size()));
  return word;
}

std::optional<uint16_t> ParsePort(std::string_view word) {
  if (word.empty() || word.size() > 5 || (word.size() > 1 && word[0] == '0')) return std::nullopt;
  uint32_t port = 0;
  const auto [stopped, error] = std::from_chars(word.data(), word.data() + word.size(), port);
  if (error != std::errc() || stopped != word.data() + word.size()) return std::nullopt;
  if (port > 65535) return std::nullopt;
  return static_cast<uint16_t>(port);
}

std::optional<base::IpBytes> ParseIpOf(bool v6, std::string_view word) {
  if ((word.find(':') != std::string_view::npos) != v6) return std::nullopt;
  return base::ParseIp(word);
}

// Whether `line`, without CR LF, is well-formed.
bool ParseV1Line(std::string_view line, ParsedHeader* header) {
  if (std::count(line.begin(), line.end(), ' ') != 5 || line.back() == ' ') return false;
  TakeWord(&line);  // The signature.
  const std::string_view family = TakeWord(&line);
  if (family != "TCP4" && family != "TCP6") return false;
  const bool v6 = family == "TCP6";
  const auto source = ParseIpOf(v6, TakeWord(&line));
  const auto destination = ParseIpOf(v6, TakeWord(&line));
  const auto source_port = ParsePort(TakeWord(&line));
  const auto destination_port = ParsePort(TakeWord(&line));
  if (!source || !destination || !source_port || !destination_port) return false;
  header->names_ends = true;
  header->ends = {*source, *destination, *source_port, *destination_port};
  return true;
}

ParsedHeader ParseV1(std::string_view bytes) {
  bytes = bytes.substr(0, kV1BytesMax);
  const size_t end = bytes.find_first_of("\r\n");
  if (end == std::string_view::npos || (end + 1 == bytes.size() && bytes[end] == '\r')) {
    return bytes.size() < kV1BytesMax ? kNeedMore : kMalformed;
  }
  if (bytes.substr(end, 2) != "\r\n") return kMalformed;
  ParsedHeader header{.state = HeaderState::kDone, .bytes = end + 2};
  const std::string_view line = bytes.substr(0, end);
  // What follows UNKNOWN is to be ignored.
  if (line == "PROXY UNKNOWN" || line.starts_with("PROXY UNKNOWN ")) return header;
  return ParseV1Line(line, &header) ? header : kMalformed;
}

// --- Version 2: binary (section 2.2).

uint8_t ByteAt(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

uint16_t Big16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(ByteAt(bytes, at) << 8 | ByteAt(bytes, at + 1));
}

uint32_t Big32(std::string_view bytes, size_t at) {
  return static_cast<uint32_t>(Big16(bytes, at)) << 16 | Big16(bytes, at + 2);
}

// Of the family and transport in one byte; nothing for those the specification does not know.
std::optional<size_t> AddressBytesOf(uint8_t family) {
  switch (family) {
    case 0x00:  // Unspecified.
      return 0;
    case 0x11:  // TCP, UDP over IPv4.
    case 0x12:
      return 12;
    case 0x21:  // TCP, UDP over IPv6.
    case 0x22:
      return 36;
    case 0x31:  // Unix, stream and datagram.
    case 0x32:
      return 216;
    default:
      return std::nullopt;
  }
}

// Section 2.2.3: computed with its own field zero.
bool CrcHolds(std::string_view header, size_t field) {
  constexpr char kZero[kCrcBytes] = {};
  uint32_t crc = Crc32c(header.substr(0, field));
  crc = Crc32c({kZero, kCrcBytes}, crc);
  return Crc32c(header.substr(field + kCrcBytes), crc) == Big32(header, field);
}

// Whether the TLVs from `at` to the header's end are whole, and the checksum right if there is one.
bool CheckTlvs(std::string_view header, size_t at) {
  while (at < header.size()) {
    if (header.size() - at < kTlvHeadBytes) return false;
    const uint8_t type = ByteAt(header, at);
    const size_t value_bytes = Big16(header, at + 1);
    at += kTlvHeadBytes;
    if (header.size() - at < value_bytes) return false;
    if (type == kTlvCrc32c && (value_bytes != kCrcBytes || !CrcHolds(header, at))) return false;
    at += value_bytes;
  }
  return true;
}

ConnectionEnds ReadEnds(std::string_view addresses, bool v6) {
  ConnectionEnds ends;
  const size_t bytes = v6 ? 16 : 4;
  for (base::IpBytes* ip : {&ends.source, &ends.destination}) {
    if (!v6) (*ip)[10] = (*ip)[11] = 0xff;
    std::memcpy(ip->data() + ip->size() - bytes, addresses.data(), bytes);
    addresses.remove_prefix(bytes);
  }
  ends.source_port = Big16(addresses, 0);
  ends.destination_port = Big16(addresses, 2);
  return ends;
}

ParsedHeader ParseV2(std::string_view bytes) {
  if (bytes.size() > 12 && ByteAt(bytes, 12) != 0x20 && ByteAt(bytes, 12) != 0x21) {
    return kMalformed;  // Neither LOCAL nor PROXY of version 2.
  }
  if (bytes.size() < kV2FixedBytes) return kNeedMore;
  const size_t total = kV2FixedBytes + Big16(bytes, 14);
  if (total > kHeaderBytesMax) return kMalformed;
  if (bytes.size() < total) return kNeedMore;
  ParsedHeader header{.state = HeaderState::kDone, .bytes = total};
  // LOCAL: from the sender itself, like a health check. Whatever else it says is to be discarded.
  if (ByteAt(bytes, 12) == 0x20) return header;
  const uint8_t family = ByteAt(bytes, 13);
  const std::optional<size_t> address_bytes = AddressBytesOf(family);
  if (!address_bytes || total - kV2FixedBytes < *address_bytes) return kMalformed;
  if (!CheckTlvs(bytes.substr(0, total), kV2FixedBytes + *address_bytes)) return kMalformed;
  if (family == 0x11 || family == 0x21) {
    header.names_ends = true;
    header.ends = ReadEnds(bytes.substr(kV2FixedBytes, *address_bytes), family == 0x21);
  }
  return header;
}

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0);
    table[i] = value;
  }
  return table;
}

}  // namespace

uint32_t Crc32c(std::string_view bytes, uint32_t crc) {
  static constexpr std::array<uint32_t, 256> kTable = MakeCrcTable();
  crc = ~crc;
  for (const char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return ~crc;
}

ParsedHeader ParseHeader(std::string_view bytes) {
  if (bytes.starts_with(kV1Signature)) return ParseV1(bytes);
  if (bytes.starts_with(kV2Signature)) return ParseV2(bytes);
  const bool may_come = kV1Signature.starts_with(bytes) || kV2Signature.starts_with(bytes);
  return {.state = may_come ? HeaderState::kNeedMore : HeaderState::kAbsent};
}

}  // namespace sluice::proxyproto
