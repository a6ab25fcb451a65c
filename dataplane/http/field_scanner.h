// Reads the field lines of a head or of trailers one by one (RFC 9112 section 5), in place.
//
// On the hot path of h1_parser.h. Each byte is looked at once, however the bytes arrive and
// wherever they have moved.
#pragma once

#include <string_view>
#include <vector>

#include "dataplane/http/message.h"

namespace sluice::http {

class FieldScanner {
 public:
  enum class Next : uint8_t {
    kField,    // One was appended to `*fields`: views of `bytes`.
    kEnd,      // The empty line that ends the section was read.
    kPartial,  // All bytes were looked at; so far nothing is wrong.
    kBad,      // Shown by the first byte that cannot stand where it does.
  };

  // The first line begins at `offset` of the bytes given to Take.
  void Reset(size_t offset) {
    line_begin_ = scanned_ = offset;
    name_end_ = 0;
  }

  // `bytes` begins where it began in the last call and has at least as many bytes.
  Next Take(std::string_view bytes, std::vector<Field>* fields);

  // Where the next line begins; after kEnd, where the section ended.
  size_t position() const { return line_begin_; }

 private:
  size_t line_begin_ = 0;
  size_t scanned_ = 0;   // All before it is known to be good.
  size_t name_end_ = 0;  // Of the present line; 0: the colon was not reached yet.
};

// Makes views of bytes that began at `from` views of the same bytes at `to`. `from` is a number
// because the memory may be gone.
void Rebase(uintptr_t from, const char* to, std::vector<Field>* fields);

}  // namespace sluice::http
