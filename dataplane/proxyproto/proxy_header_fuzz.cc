// PROXY headers: a header that is read needs its last byte and none behind it; what it names,
// written again, reads the same; nothing wants more than the longest.
#include "common/base/check.h"
#include "dataplane/proxyproto/header_parser.h"
#include "dataplane/proxyproto/header_writer.h"

namespace sluice::proxyproto {
namespace {

bool Same(const ParsedHeader& a, const ParsedHeader& b) {
  return a.state == b.state && a.bytes == b.bytes && a.names_ends == b.names_ends &&
         a.ends == b.ends;
}

void CheckWrittenAgain(const ConnectionEnds& ends) {
  for (const HeaderVersion version : {HeaderVersion::kV1, HeaderVersion::kV2}) {
    char out[kWrittenBytesMax];
    const size_t bytes = WriteHeader(version, ends, out);
    SLUICE_CHECK(bytes <= sizeof out);
    const ParsedHeader again = ParseHeader({out, bytes});
    SLUICE_CHECK(again.state == HeaderState::kDone && again.bytes == bytes && again.names_ends);
    SLUICE_CHECK(again.ends == ends);
  }
}

void CheckOne(std::string_view bytes) {
  const ParsedHeader whole = ParseHeader(bytes);
  if (whole.state == HeaderState::kNeedMore) {
    SLUICE_CHECK(bytes.size() < kHeaderBytesMax);
    return;
  }
  if (whole.state == HeaderState::kDone) {
    SLUICE_CHECK(whole.bytes <= bytes.size() && whole.bytes <= kHeaderBytesMax);
    SLUICE_CHECK(Same(ParseHeader(bytes.substr(0, whole.bytes)), whole));
    if (whole.names_ends) CheckWrittenAgain(whole.ends);
  }
  // Once decided, more bytes change nothing; before, only "more" is said.
  bool decided = false;
  for (size_t size = 0; size <= bytes.size() && size <= kHeaderBytesMax; ++size) {
    const ParsedHeader part = ParseHeader(bytes.substr(0, size));
    if (part.state != HeaderState::kNeedMore) decided = true;
    if (decided) SLUICE_CHECK(Same(part, whole));
    if (whole.state == HeaderState::kDone) SLUICE_CHECK(decided == (size >= whole.bytes));
  }
}

}  // namespace
}  // namespace sluice::proxyproto

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sluice::proxyproto::CheckOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
