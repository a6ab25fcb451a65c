// Writes HTTP/1.1 heads and chunk framing into memory the caller has.
//
// Hot path: copies, no allocation.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/http/message.h"

namespace sluice::http {

// Appends to a block of fixed size; what does not fit sets overflow().
class HeadWriter {
 public:
  HeadWriter(char* block, size_t bytes) : begin_(block), at_(block), end_(block + bytes) {}

  void Append(std::string_view text) {
    if (static_cast<size_t>(end_ - at_) < text.size()) [[unlikely]] {
      overflow_ = true;
      return;
    }
    at_ = Copy(text, at_);
  }
  void Field(std::string_view name, std::string_view value) {
    const size_t bytes = name.size() + value.size() + 4;
    if (static_cast<size_t>(end_ - at_) < bytes) [[unlikely]] {
      overflow_ = true;
      return;
    }
    char* at = Copy(name, at_);
    *at++ = ':';
    *at++ = ' ';
    at = Copy(value, at);
    *at++ = '\r';
    *at++ = '\n';
    at_ = at;
  }
  void Crlf() { Append("\r\n"); }
  void Number(uint64_t value);
  // "HTTP/1.1 200 OK\r\n"; the standard reason where `reason` is empty.
  void StatusLine(uint16_t status, std::string_view reason);

  size_t size() const { return static_cast<size_t>(at_ - begin_); }
  std::string_view view() const { return {begin_, size()}; }
  // Something did not fit and is missing: what was written is of no use.
  bool overflow() const { return overflow_; }

 private:
  static char* Copy(std::string_view text, char* to) {
    if (text.empty()) return to;  // Its data() may be null.
    std::memcpy(to, text.data(), text.size());
    return to + text.size();
  }

  char* const begin_;
  char* at_;
  char* const end_;
  bool overflow_ = false;
};

// RFC 9110 section 15; empty for a status it does not name.
std::string_view ReasonOf(uint16_t status);

inline constexpr size_t kChunkSizeLineMax = 18;
// "1a2b\r\n"; returns its length.
size_t WriteChunkSizeLine(size_t bytes, char* out);

// The last chunk with its trailers. Allocates; trailers are rare.
std::string ChunkedEnd(const std::vector<Field>& trailers);

}  // namespace sluice::http
