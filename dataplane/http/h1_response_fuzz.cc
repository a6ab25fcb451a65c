// Response heads: the outcome does not depend on how the bytes arrive, and an accepted head is
// sound.
#include "common/base/check.h"
#include "dataplane/http/feed_for_test.h"
#include "dataplane/http/h1_serializer.h"

namespace sluice::http {
namespace {

bool Within(std::string_view whole, std::string_view part) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

void CheckHead(std::string_view bytes, Method method, const ResponseHead& head) {
  SLUICE_CHECK(head.status >= 100 && head.status <= 599);
  SLUICE_CHECK(head.reason.empty() || Within(bytes, head.reason));
  SLUICE_CHECK(head.reason.find_first_of(std::string_view("\0\r\n", 3)) == std::string_view::npos);
  const bool bodiless =
      head.status < 200 || head.status == 204 || head.status == 304 || method == Method::kHead;
  SLUICE_CHECK(!bodiless || head.framing == Framing::kNone);
  for (const Field& field : head.fields) {
    SLUICE_CHECK(Within(bytes, field.name) && Within(bytes, field.value));
    SLUICE_CHECK(!field.name.empty());
    SLUICE_CHECK(field.value.find_first_of(std::string_view("\0\r\n", 3)) ==
                 std::string_view::npos);
  }
}

// The head as the serializer writes it is read as the same head.
void CheckRewritten(Method method, const ResponseHead& head) {
  if (head.minor_version == 0 || head.reason.empty()) return;  // It writes neither.
  std::string block(HeadLimits().head_bytes, '\0');
  HeadWriter writer(block.data(), block.size());
  writer.StatusLine(head.status, head.reason);
  for (const Field& field : head.fields) writer.Field(field.name, field.value);
  writer.Crlf();
  if (writer.overflow()) return;
  const std::string outcome = FeedResponse(writer.view(), {}, method);
  SLUICE_CHECK(outcome == "done " + std::to_string(writer.size()) + ": " + Describe(head));
}

void CheckOne(std::string_view bytes) {
  // The first byte chooses the request's method and limits.
  HeadLimits limits;
  Method method = Method::kGet;
  if (!bytes.empty() && bytes.front() <= 3 && bytes.front() > 0) {
    if (bytes.front() == 1) limits = {.head_bytes = 64, .target_bytes = 16, .fields = 3};
    if (bytes.front() == 2) method = Method::kHead;
    if (bytes.front() == 3) method = Method::kConnect;
    bytes.remove_prefix(1);
  }
  const std::string whole = FeedResponse(bytes, {}, method, limits);
  SLUICE_CHECK(FeedResponse(bytes, EveryByte(bytes.size()), method, limits) == whole);
  const size_t half = bytes.size() / 2;
  SLUICE_CHECK(FeedResponse(bytes, std::span(&half, 1), method, limits) == whole);

  ResponseParser parser;
  ResponseHead head;
  parser.Reset(limits, method);
  if (parser.Parse(bytes, &head) != ParseResult::kDone) return;
  SLUICE_CHECK(parser.consumed() <= bytes.size() && parser.consumed() <= limits.head_bytes);
  CheckHead(bytes, method, head);
  CheckRewritten(method, head);
}

}  // namespace
}  // namespace sluice::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sluice::http::CheckOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
