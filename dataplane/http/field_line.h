// One field line of a head or of trailers (RFC 9112 section 5).
//
// Hot path.
#pragma once

#include "dataplane/http/message.h"

namespace sluice::http {

// `line` has no CRLF and only bytes that LineScanner lets pass. False when it is malformed: no colon, an
// empty or bad name, whitespace before the colon, a fold.
bool ParseFieldLine(std::string_view line, Field* field);

// Moves the views of `field` from bytes that were at `from` to where they are now.
void Rebase(const char* from, const char* to, Field* field);
inline void Rebase(const char* from, const char* to, std::string_view* view) {
  if (view->data() != nullptr) *view = {to + (view->data() - from), view->size()};
}

}  // namespace sluice::http
