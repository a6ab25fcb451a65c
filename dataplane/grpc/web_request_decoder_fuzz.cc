// gRPC-Web bodies of requests: any pieces give what the whole gives; what is taken is a sequence of
// messages by a reader that has all of it; and the same messages in base64 are the same.
#include <optional>
#include <string>

#include "common/base/check.h"
#include "dataplane/grpc/web_request_decoder.h"
#include "dataplane/http/feed_for_test.h"

namespace sluice::grpc {
namespace {

bool AreMessages(std::string_view bytes) {
  while (!bytes.empty()) {
    if (bytes.size() < 5 || static_cast<unsigned char>(bytes[0]) >= 0x80) return false;
    size_t length = 0;
    for (const char c : bytes.substr(1, 4)) length = length * 256 + static_cast<unsigned char>(c);
    if (bytes.size() - 5 < length) return false;
    bytes.remove_prefix(5 + length);
  }
  return true;
}

std::optional<std::string> DecodeInPieces(MediaType type, std::string_view body, size_t piece,
                                          size_t room) {
  WebRequestDecoder decoder(type);
  std::string all;
  const std::unique_ptr<char[]> out(new char[room]);
  while (!body.empty()) {
    const size_t bytes = std::min(piece, body.size());
    const std::unique_ptr<char[]> copy = http::ExactCopy(body.substr(0, bytes));
    const WebRequestDecoder::Step step = decoder.Decode({copy.get(), bytes}, out.get(), room);
    SLUICE_CHECK(step.consumed <= bytes);
    if (step.malformed) {
      SLUICE_CHECK(step.data.empty() && !decoder.complete());
      return std::nullopt;
    }
    SLUICE_CHECK(step.consumed > 0);
    all.append(step.data);
    body.remove_prefix(step.consumed);
  }
  if (!decoder.complete()) return std::nullopt;
  return all;
}

std::string InBase64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + kBase64RoomMin, '\0');
  const Base64Step step = EncodeBase64(bytes, text.data(), text.size());
  SLUICE_CHECK(step.consumed == bytes.size());
  text.resize(step.written);
  return text;
}

void CheckOne(std::string_view bytes) {
  if (bytes.size() < 2) return;
  const size_t piece = static_cast<unsigned char>(bytes[0]) % 23 + 1;
  const size_t room = static_cast<unsigned char>(bytes[1]) % 23 + kBase64RoomMin;
  const std::string_view body = bytes.substr(2);

  const std::optional<std::string> binary = DecodeInPieces(MediaType::kGrpcWeb, body, piece, room);
  SLUICE_CHECK(binary.has_value() == AreMessages(body));
  SLUICE_CHECK(!binary || *binary == body);
  SLUICE_CHECK(DecodeInPieces(MediaType::kGrpcWebText, InBase64(body), piece, room) == binary);

  const std::optional<std::string> text =
      DecodeInPieces(MediaType::kGrpcWebText, body, piece, room);
  SLUICE_CHECK(DecodeInPieces(MediaType::kGrpcWebText, body, body.size() + 1, room) == text);
  SLUICE_CHECK(!text || AreMessages(*text));
}

}  // namespace
}  // namespace sluice::grpc

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sluice::grpc::CheckOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
