// Request heads: the outcome does not depend on how the bytes arrive, and an accepted head is
// sound.
#include "common/base/check.h"
#include "dataplane/http/feed_for_test.h"
#include "dataplane/http/hop_by_hop.h"
#include "dataplane/http/target.h"

namespace sluice::http {
namespace {

bool Within(std::string_view whole, std::string_view part) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

void CheckHead(std::string_view bytes, const RequestHead& head) {
  SLUICE_CHECK(Within(bytes, head.method_text) && Within(bytes, head.target));
  SLUICE_CHECK(IsValidTarget(head.target, head.method));
  const Target target = SplitTarget(head.target, head.method);
  SLUICE_CHECK(head.method == Method::kConnect || target.path == "*" || target.path[0] == '/');
  SLUICE_CHECK(target.authority.empty() || IsValidAuthority(target.authority));
  SLUICE_CHECK(head.host.empty() || IsValidAuthority(head.host));
  SLUICE_CHECK(head.framing != Framing::kUntilClose);
  SLUICE_CHECK((head.framing == Framing::kLength) == (head.content_length > 0));
  SLUICE_CHECK(head.framing != Framing::kChunked || !head.has_content_length);
  size_t framing_fields = 0, hosts = 0;
  for (const Field& field : head.fields) {
    SLUICE_CHECK(Within(bytes, field.name) && Within(bytes, field.value));
    SLUICE_CHECK(!field.name.empty());
    SLUICE_CHECK(field.name.find_first_of(" \t\r\n:") == std::string_view::npos);
    SLUICE_CHECK(field.value.find_first_of(std::string_view("\0\r\n", 3)) ==
                 std::string_view::npos);
    framing_fields += field.id == FieldId::kContentLength || field.id == FieldId::kTransferEncoding;
    hosts += field.id == FieldId::kHost;
    if (field.id == FieldId::kConnection) SLUICE_CHECK(!IsForwardable(head, field));
  }
  SLUICE_CHECK(framing_fields <= 1);
  SLUICE_CHECK(hosts == 1 || (hosts == 0 && head.minor_version == 0));
}

// The head written again from its parts is read as the same head.
void CheckRewritten(const RequestHead& head, const std::string& described) {
  std::string bytes(head.method_text);
  bytes.append(" ")
      .append(head.target)
      .append(" HTTP/1.")
      .append(std::to_string(head.minor_version));
  bytes.append("\r\n");
  for (const Field& field : head.fields) {
    bytes.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  bytes.append("\r\n");
  if (bytes.size() > HeadLimits().head_bytes) return;
  const std::string outcome = FeedRequest(bytes);
  SLUICE_CHECK(outcome == "done " + std::to_string(bytes.size()) + ": " + described);
}

void CheckOne(std::string_view bytes) {
  // The first byte chooses limits, so that small inputs reach them.
  HeadLimits limits;
  if (!bytes.empty() && bytes.front() == '\x01') {
    bytes.remove_prefix(1);
    limits = {.head_bytes = 64, .target_bytes = 16, .fields = 3};
  }
  const std::string whole = FeedRequest(bytes, {}, limits);
  SLUICE_CHECK(FeedRequest(bytes, EveryByte(bytes.size()), limits) == whole);
  const size_t half = bytes.size() / 2;
  SLUICE_CHECK(FeedRequest(bytes, std::span(&half, 1), limits) == whole);

  RequestParser parser;
  RequestHead head;
  parser.Reset(limits);
  if (parser.Parse(bytes, &head) != ParseResult::kDone) return;
  SLUICE_CHECK(parser.consumed() <= bytes.size() && parser.consumed() <= limits.head_bytes);
  CheckHead(bytes, head);
  CheckRewritten(head, Describe(head));
}

}  // namespace
}  // namespace sluice::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sluice::http::CheckOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
