// Base64: encoded into any room and decoded from any pieces, bytes come back; what the decoder
// takes of arbitrary text is what a decoder of whole segments takes.
#include <optional>
#include <string>

#include "common/base/check.h"
#include "dataplane/grpc/base64.h"
#include "dataplane/http/feed_for_test.h"

namespace sluice::grpc {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Four characters at a time, all of them there.
std::optional<std::string> DecodeSimply(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  for (; !text.empty(); text.remove_prefix(4)) {
    const size_t padding = text.substr(0, 4).ends_with("==")  ? 2
                           : text.substr(0, 4).ends_with("=") ? 1
                                                              : 0;
    unsigned bits = 0;
    for (size_t i = 0; i < 4; ++i) {
      const size_t value = i < 4 - padding ? kAlphabet.find(text[i]) : 0;
      if (value == kAlphabet.npos) return std::nullopt;
      bits = bits * 64 + static_cast<unsigned>(value);
    }
    if (bits % (1u << 8 * padding) != 0) return std::nullopt;
    const char bytes[] = {static_cast<char>(bits / 65536), static_cast<char>(bits / 256),
                          static_cast<char>(bits)};
    out.append(bytes, 3 - padding);
  }
  return out;
}

std::optional<std::string> DecodeInPieces(std::string_view text, size_t piece, size_t room) {
  Base64Decoder decoder;
  std::string all;
  const std::unique_ptr<char[]> out(new char[room]);
  while (!text.empty()) {
    const std::unique_ptr<char[]> copy = http::ExactCopy(text.substr(0, piece));
    const size_t bytes = std::min(piece, text.size());
    const Base64Step step = decoder.Decode({copy.get(), bytes}, out.get(), room);
    SLUICE_CHECK(step.consumed <= bytes && step.written <= room);
    if (step.malformed) return std::nullopt;
    SLUICE_CHECK(step.consumed > 0);
    SLUICE_CHECK(step.consumed == bytes || room - step.written < 3);
    all.append(out.get(), step.written);
    text.remove_prefix(step.consumed);
  }
  if (!decoder.at_boundary()) return std::nullopt;
  return all;
}

std::string EncodeInto(std::string_view bytes, size_t room) {
  std::string all;
  const std::unique_ptr<char[]> out(new char[room]);
  while (!bytes.empty()) {
    const Base64Step step = EncodeBase64(bytes, out.get(), room);
    SLUICE_CHECK(!step.malformed && step.consumed > 0 && step.consumed <= bytes.size());
    SLUICE_CHECK(step.written <= room && step.written % 4 == 0);
    SLUICE_CHECK(step.consumed == bytes.size() || step.consumed % 3 == 0);
    all.append(out.get(), step.written);
    bytes.remove_prefix(step.consumed);
  }
  return all;
}

void CheckOne(std::string_view bytes) {
  if (bytes.size() < 2) return;
  const size_t piece = static_cast<unsigned char>(bytes[0]) % 17 + 1;
  const size_t room = static_cast<unsigned char>(bytes[1]) % 17 + kBase64RoomMin;
  bytes.remove_prefix(2);

  const std::optional<std::string> simple = DecodeSimply(bytes);
  SLUICE_CHECK(DecodeInPieces(bytes, piece, room) == simple);
  SLUICE_CHECK(DecodeInPieces(bytes, bytes.size() + 1, bytes.size() + kBase64RoomMin) == simple);

  const std::string text = EncodeInto(bytes, room);
  SLUICE_CHECK(text.size() == (bytes.size() + 2) / 3 * 4);
  SLUICE_CHECK(DecodeSimply(text) == bytes);
  SLUICE_CHECK(DecodeInPieces(text, piece, room) == bytes);
  // A segment for each piece, as a body leaves.
  std::string segments;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    segments += EncodeInto(bytes.substr(at, piece), room);
  }
  SLUICE_CHECK(DecodeInPieces(segments, room, piece + kBase64RoomMin) == bytes);
}

}  // namespace
}  // namespace sluice::grpc

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sluice::grpc::CheckOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
