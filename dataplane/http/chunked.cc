#include "dataplane/http/chunked.h"

#include <algorithm>

#include "dataplane/http/char_class.h"
#include "dataplane/http/trailer_fields.h"

namespace sluice::http {
namespace {

// All that fit 64 bits; leading zeros beyond that hide something.
constexpr uint8_t kSizeDigitsMax = 16;

}  // namespace

void ChunkedDecoder::Reset(const HeadLimits& limits) {
  limits_ = limits;
  phase_ = Phase::kSize;
  error_ = ParseError::kNone;
  size_digits_ = 0;
  chunk_bytes_ = extension_bytes_ = 0;
  scanner_.Reset(0);
  trailer_count_ = 0;
  trailer_bytes_.clear();
  trailers_.clear();
}

ChunkedDecoder::Step ChunkedDecoder::Fail(ParseError error, size_t consumed) {
  phase_ = Phase::kError;
  error_ = error;
  return {State::kError, consumed, {}};
}

ChunkedDecoder::Step ChunkedDecoder::Next(std::string_view input) {
  const char* const begin = input.data();
  const char* const end = begin + input.size();
  const char* at = begin;
  const auto consumed = [&] { return static_cast<size_t>(at - begin); };
  for (;;) {
    if (phase_ == Phase::kDone) return {State::kDone, consumed(), {}};
    if (phase_ == Phase::kError) return {State::kError, consumed(), {}};
    if (at == end) return {State::kNeedMore, consumed(), {}};
    switch (phase_) {
      case Phase::kSize:
        at = TakeSize(at, end);
        break;
      case Phase::kExtension:
        at = TakeExtension(at, end);
        break;
      case Phase::kSizeLf:
        if (*at != '\n') return Fail(ParseError::kBadChunk, consumed());
        ++at;
        FinishSizeLine();
        break;
      case Phase::kData: {
        const size_t bytes =
            static_cast<size_t>(std::min<uint64_t>(chunk_bytes_, static_cast<size_t>(end - at)));
        const std::string_view data(at, bytes);
        chunk_bytes_ -= bytes;
        at += bytes;
        if (chunk_bytes_ == 0) {
          // With its line end, where that is there: then the next may be one for JoinSmall.
          const bool ends = end - at >= 2 && at[0] == '\r' && at[1] == '\n';
          phase_ = ends ? Phase::kSize : Phase::kDataCr;
          if (ends) at += 2;
        }
        return {State::kData, consumed(), data};
      }
      case Phase::kDataCr:
        if (*at != '\r') return Fail(ParseError::kBadChunk, consumed());
        ++at;
        phase_ = Phase::kDataLf;
        break;
      case Phase::kDataLf:
        if (*at != '\n') return Fail(ParseError::kBadChunk, consumed());
        ++at;
        phase_ = Phase::kSize;
        break;
      case Phase::kTrailers:
        at += TakeTrailers({at, static_cast<size_t>(end - at)});
        break;
      case Phase::kDone:
      case Phase::kError:
        break;
    }
  }
}

size_t ChunkedDecoder::JoinSmall(std::string_view input, char** out) const {
  constexpr size_t kFraming = 5;  // A digit and two line ends.
  if (phase_ != Phase::kSize || size_digits_ != 0 || extension_bytes_ != 0) return 0;
  const char* at = input.data();
  const char* const end = at + input.size();
  char* to = *out;
  while (static_cast<size_t>(end - at) > kFraming) {
    const char digit = *at;
    const int bytes = HexValue(digit);
    if (bytes <= 0) break;
    const size_t chunk = kFraming + static_cast<size_t>(bytes);
    const auto whole = [&] {
      return static_cast<size_t>(end - at) >= chunk && at[0] == digit && at[1] == '\r' &&
             at[2] == '\n' && at[3 + bytes] == '\r' && at[4 + bytes] == '\n';
    };
    if (!whole()) break;
    // Neighbours are mostly as long: then no step waits for a size to be read.
    do {
      for (int i = 0; i < bytes; ++i) to[i] = at[3 + i];
      to += bytes;
      at += chunk;
    } while (whole());
  }
  *out = to;
  return static_cast<size_t>(at - input.data());
}

const char* ChunkedDecoder::TakeSize(const char* at, const char* end) {
  for (; at != end; ++at) {
    const int digit = HexValue(*at);
    if (digit < 0) break;
    if (++size_digits_ > kSizeDigitsMax) {
      Fail(ParseError::kBadChunk, 0);
      return at;
    }
    chunk_bytes_ = chunk_bytes_ << 4 | static_cast<uint64_t>(digit);
  }
  if (at == end) return at;
  if (size_digits_ == 0 || (*at != '\r' && *at != ';')) {
    Fail(ParseError::kBadChunk, 0);
    return at;
  }
  if (*at == '\r') {
    phase_ = Phase::kSizeLf;
  } else {
    phase_ = Phase::kExtension;
    extension_.Reset();
    ++extension_bytes_;
  }
  return at + 1;
}

const char* ChunkedDecoder::TakeExtension(const char* at, const char* end) {
  for (; at != end; ++at) {
    if (*at == '\r' && extension_.complete()) {
      phase_ = Phase::kSizeLf;
      return at + 1;
    }
    if (!extension_.Take(*at) || ++extension_bytes_ > limits_.head_bytes) {
      Fail(ParseError::kBadChunk, 0);
      return at;
    }
  }
  return at;
}

// The last chunk may be written with several zeros.
void ChunkedDecoder::FinishSizeLine() {
  size_digits_ = 0;
  phase_ = chunk_bytes_ == 0 ? Phase::kTrailers : Phase::kData;
  extension_bytes_ -= std::min(extension_bytes_, chunk_bytes_);
}

// Trailers are gathered, and read from there: they are needed when the input is long gone.
size_t ChunkedDecoder::TakeTrailers(std::string_view input) {
  if (trailer_bytes_.empty() && input.starts_with("\r\n")) [[likely]] {
    phase_ = Phase::kDone;
    return 2;
  }
  const size_t had = trailer_bytes_.size();
  const size_t taken = std::min<size_t>(input.size(), limits_.head_bytes - had);
  const auto from = reinterpret_cast<uintptr_t>(trailer_bytes_.data());
  trailer_bytes_.append(input.substr(0, taken));
  if (from != reinterpret_cast<uintptr_t>(trailer_bytes_.data())) {
    Rebase(from, trailer_bytes_.data(), &trailers_);
  }
  for (;;) {
    switch (scanner_.Take(trailer_bytes_, &trailers_)) {
      case FieldScanner::Next::kField:
        if (++trailer_count_ > limits_.fields) return FailTrailers(ParseError::kTooManyFields);
        if (!MayBeTrailer(trailers_.back())) trailers_.pop_back();
        break;
      case FieldScanner::Next::kEnd:
        phase_ = Phase::kDone;
        return scanner_.position() - had;
      case FieldScanner::Next::kPartial:
        if (taken < input.size()) return FailTrailers(ParseError::kHeadTooLarge);
        return taken;
      case FieldScanner::Next::kBad:
        return FailTrailers(ParseError::kBadTrailer);
    }
  }
}

size_t ChunkedDecoder::FailTrailers(ParseError error) {
  Fail(error, 0);
  return 0;
}

}  // namespace sluice::http
