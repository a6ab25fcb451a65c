// For tests and fuzzers: gives bytes to the parsers in pieces, each time in fresh memory of exactly
// their size, and puts all that came of it into one line of text, so that two ways of feeding can
// be compared.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/http/chunked.h"
#include "dataplane/http/h1_parser.h"

namespace sluice::http {

inline std::string_view NameOf(ParseError error) {
  switch (error) {
    case ParseError::kNone:
      return "None";
    case ParseError::kBadRequestLine:
      return "BadRequestLine";
    case ParseError::kBadMethod:
      return "BadMethod";
    case ParseError::kBadTarget:
      return "BadTarget";
    case ParseError::kTargetTooLong:
      return "TargetTooLong";
    case ParseError::kBadVersion:
      return "BadVersion";
    case ParseError::kUnsupportedVersion:
      return "UnsupportedVersion";
    case ParseError::kBadField:
      return "BadField";
    case ParseError::kTooManyFields:
      return "TooManyFields";
    case ParseError::kHeadTooLarge:
      return "HeadTooLarge";
    case ParseError::kBadHost:
      return "BadHost";
    case ParseError::kBadContentLength:
      return "BadContentLength";
    case ParseError::kBadTransferEncoding:
      return "BadTransferEncoding";
    case ParseError::kUnknownTransferCoding:
      return "UnknownTransferCoding";
    case ParseError::kBothLengthAndEncoding:
      return "BothLengthAndEncoding";
    case ParseError::kBadConnection:
      return "BadConnection";
    case ParseError::kBadExpect:
      return "BadExpect";
    case ParseError::kBadStatusLine:
      return "BadStatusLine";
    case ParseError::kBadChunk:
      return "BadChunk";
    case ParseError::kBadTrailer:
      return "BadTrailer";
  }
  return "?";
}

// A copy of exactly these bytes, so that AddressSanitizer sees any read beyond them.
inline std::unique_ptr<char[]> ExactCopy(std::string_view bytes) {
  std::unique_ptr<char[]> copy(new char[bytes.size()]);
  if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
  return copy;
}

inline void AppendFields(const std::vector<Field>& fields, std::string* text) {
  for (const Field& field : fields) {
    text->append(" [").append(field.name).append("=").append(field.value).append("]");
  }
}

inline void AppendFraming(Framing framing, uint64_t content_length, std::string* text) {
  switch (framing) {
    case Framing::kNone:
      text->append(" none");
      break;
    case Framing::kLength:
      text->append(" length");
      break;
    case Framing::kChunked:
      text->append(" chunked");
      break;
    case Framing::kUntilClose:
      text->append(" until-close");
      break;
  }
  if (content_length > 0) text->append("=").append(std::to_string(content_length));
}

inline void AppendIf(bool condition, std::string_view word, std::string* text) {
  if (condition) text->append(" ").append(word);
}

inline std::string Describe(const RequestHead& head) {
  std::string text(head.method_text);
  text.append(" ").append(head.target).append(" 1.").append(std::to_string(head.minor_version));
  AppendFraming(head.framing, head.content_length, &text);
  AppendIf(head.keep_alive, "keep-alive", &text);
  AppendIf(head.has_content_length, "has-length", &text);
  AppendIf(head.expect_continue, "expect", &text);
  AppendIf(head.has_upgrade, "upgrade", &text);
  AppendIf(head.connection_names_fields, "names-fields", &text);
  text.append(" host=").append(head.host);
  AppendFields(head.fields, &text);
  return text;
}

inline std::string Describe(const ResponseHead& head) {
  std::string text = std::to_string(head.status);
  text.append(" ").append(head.reason).append(" 1.").append(std::to_string(head.minor_version));
  AppendFraming(head.framing, head.content_length, &text);
  AppendIf(head.keep_alive, "keep-alive", &text);
  AppendIf(head.connection_names_fields, "names-fields", &text);
  if (head.keep_alive_timeout_seconds > 0) {
    text.append(" timeout=").append(std::to_string(head.keep_alive_timeout_seconds));
  }
  AppendFields(head.fields, &text);
  return text;
}

// The parser sees the bytes up to the first of `ends`, up to the second, and so on, and at last
// all.
template <typename Parser, typename Head>
std::string FeedHead(Parser& parser, std::string_view bytes, std::span<const size_t> ends,
                     Head* head) {
  for (size_t i = 0; i <= ends.size(); ++i) {
    const std::string_view seen = i < ends.size() ? bytes.substr(0, ends[i]) : bytes;
    const std::unique_ptr<char[]> copy = ExactCopy(seen);
    switch (parser.Parse({copy.get(), seen.size()}, head)) {
      case ParseResult::kDone:
        return "done " + std::to_string(parser.consumed()) + ": " + Describe(*head);
      case ParseResult::kError:
        return "error " + std::string(NameOf(parser.error()));
      case ParseResult::kNeedMore:
        break;
    }
  }
  return "more";
}

inline std::string FeedRequest(std::string_view bytes, std::span<const size_t> ends = {},
                               const HeadLimits& limits = {}) {
  RequestParser parser;
  RequestHead head;
  parser.Reset(limits);
  return FeedHead(parser, bytes, ends, &head);
}

inline std::string FeedResponse(std::string_view bytes, std::span<const size_t> ends = {},
                                Method method = Method::kGet, const HeadLimits& limits = {}) {
  ResponseParser parser;
  ResponseHead head;
  parser.Reset(limits, method);
  return FeedHead(parser, bytes, ends, &head);
}

// The same for a chunked body; the decoder gets each byte once, in pieces that end at `ends`.
inline std::string FeedChunked(std::string_view bytes, std::span<const size_t> ends = {},
                               const HeadLimits& limits = {}) {
  ChunkedDecoder decoder;
  decoder.Reset(limits);
  std::string body;
  size_t begin = 0;
  for (size_t i = 0; i <= ends.size(); ++i) {
    const size_t end = i < ends.size() ? ends[i] : bytes.size();
    const std::string_view piece = bytes.substr(begin, end - begin);
    const std::unique_ptr<char[]> copy = ExactCopy(piece);
    size_t used = 0;
    for (bool more = true; more;) {
      const ChunkedDecoder::Step step = decoder.Next({copy.get() + used, piece.size() - used});
      used += step.consumed;
      switch (step.state) {
        case ChunkedDecoder::State::kData:
          body.append(step.data);
          break;
        case ChunkedDecoder::State::kNeedMore:
          more = false;
          break;
        case ChunkedDecoder::State::kDone: {
          std::string text = "done " + std::to_string(begin + used) + ": " + body;
          AppendFields(decoder.trailers(), &text);
          return text;
        }
        case ChunkedDecoder::State::kError:
          return "error " + std::string(NameOf(decoder.error())) + ": " + body;
      }
    }
    begin = end;
  }
  return "more: " + body;
}

// {1, 2, ..., bytes - 1}: every byte on its own.
inline std::vector<size_t> EveryByte(size_t bytes) {
  std::vector<size_t> ends;
  for (size_t i = 1; i < bytes; ++i) ends.push_back(i);
  return ends;
}

}  // namespace sluice::http
