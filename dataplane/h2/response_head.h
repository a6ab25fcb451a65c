// Response heads as HTTP/2 carries them (RFC 9113 section 8.3.2), into the form that knows no
// version.
//
// Hot path. nghttp2 has checked what the framing demands.
#pragma once

#include "dataplane/h2/field_block.h"
#include "dataplane/http/message.h"

namespace sluice::h2 {

// Views of `block`. `method`: of the request, which decides whether there can be a body; `end`:
// none follows. False if it is malformed.
bool ReadResponseHead(const FieldBlock& block, http::Method method, bool end,
                      http::ResponseHead* head);

}  // namespace sluice::h2
