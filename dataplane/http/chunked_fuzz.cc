// Chunked bodies: the outcome does not depend on how the bytes arrive; what was decoded, coded
// again, decodes to the same; BodyReader, which joins pieces in place, agrees.
#include <algorithm>

#include "common/base/check.h"
#include "dataplane/http/body_reader.h"
#include "dataplane/http/feed_for_test.h"
#include "dataplane/http/h1_serializer.h"
#include "dataplane/http/trailer_fields.h"

namespace sluice::http {
namespace {

struct Read {
  BodyReader::Step last;
  std::string body;
  std::string trailers;
  size_t consumed = 0;
};

// Like a connection: what was not consumed comes first in the next read.
Read ReadBody(std::string_view bytes, size_t piece_bytes, const HeadLimits& limits) {
  BodyReader reader;
  reader.Start(Framing::kChunked, 0, limits);
  Read read;
  while (read.consumed < bytes.size() && !read.last.done && !read.last.error) {
    const std::string_view piece = bytes.substr(read.consumed, piece_bytes);
    const std::unique_ptr<char[]> copy = ExactCopy(piece);
    read.last = reader.Take(copy.get(), piece.size());
    SLUICE_CHECK(read.last.consumed <= piece.size());
    SLUICE_CHECK(read.last.error || read.last.done || read.last.consumed == piece.size());
    read.body.append(read.last.data);
    read.consumed += read.last.consumed;
  }
  AppendFields(reader.trailers(), &read.trailers);
  return read;
}

void CheckReader(std::string_view bytes, const HeadLimits& limits, const std::string& whole) {
  for (const size_t piece_bytes : {bytes.size() + 1, size_t{1}, size_t{7}}) {
    const Read read = ReadBody(bytes, piece_bytes, limits);
    if (read.last.done) {
      SLUICE_CHECK(whole ==
                   "done " + std::to_string(read.consumed) + ": " + read.body + read.trailers);
    } else if (read.last.error) {
      SLUICE_CHECK(whole.starts_with("error ") && whole.ends_with(": " + read.body));
    } else {
      SLUICE_CHECK(whole == "more: " + read.body);
    }
  }
}

void CheckCodedAgain(std::string_view bytes, const HeadLimits& limits) {
  ChunkedDecoder decoder;
  decoder.Reset(limits);
  std::string coded, body;
  std::string_view rest = bytes;
  for (;;) {
    const ChunkedDecoder::Step step = decoder.Next(rest);
    SLUICE_CHECK(step.consumed <= rest.size());
    rest.remove_prefix(step.consumed);
    if (step.state == ChunkedDecoder::State::kDone) break;
    if (step.state != ChunkedDecoder::State::kData) return;
    SLUICE_CHECK(!step.data.empty());
    char size_line[kChunkSizeLineMax];
    coded.append(size_line, WriteChunkSizeLine(step.data.size(), size_line));
    coded.append(step.data).append("\r\n");
    body.append(step.data);
  }
  for (const Field& field : decoder.trailers()) SLUICE_CHECK(MayBeTrailer(field));
  SLUICE_CHECK(decoder.trailers().size() <= limits.fields);
  const std::string end = ChunkedEnd(decoder.trailers());
  coded += end;
  // The separators we write may be longer than those we read.
  const HeadLimits wide{.head_bytes = 2 * limits.head_bytes + 64, .fields = limits.fields};
  std::string expected = "done " + std::to_string(coded.size()) + ": " + body;
  AppendFields(decoder.trailers(), &expected);
  SLUICE_CHECK(FeedChunked(coded, {}, wide) == expected);
}

void CheckOne(std::string_view bytes) {
  HeadLimits limits;
  if (!bytes.empty() && bytes.front() == '\x01') {
    bytes.remove_prefix(1);
    limits = {.head_bytes = 32, .target_bytes = 0, .fields = 2};
  }
  const std::string whole = FeedChunked(bytes, {}, limits);
  SLUICE_CHECK(FeedChunked(bytes, EveryByte(bytes.size()), limits) == whole);
  const size_t half = bytes.size() / 2;
  SLUICE_CHECK(FeedChunked(bytes, std::span(&half, 1), limits) == whole);
  CheckReader(bytes, limits, whole);
  CheckCodedAgain(bytes, limits);
}

}  // namespace
}  // namespace sluice::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sluice::http::CheckOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
