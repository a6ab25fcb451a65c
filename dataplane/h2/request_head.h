// Request heads as HTTP/2 carries them (RFC 9113 section 8.3.1), into the form that knows no
// version.
//
// Hot path. nghttp2 has checked what the framing demands: lower case, which pseudo-header fields,
// no connection-level fields, bytes of values. Here is what remains for anybody who passes them on
// to HTTP/1.1.
#pragma once

#include <string>
#include <string_view>

#include "dataplane/h2/field_block.h"
#include "dataplane/http/message.h"
#include "dataplane/http/parse_error.h"

namespace sluice::h2 {

struct RequestHeadLimits {
  size_t target_bytes_max;
};

struct PseudoFields {
  std::string_view scheme, authority, protocol;
};

// Views of `block`, and of `cookie`, in which crumbs are joined (section 8.2.3). `end`: no body
// follows.
http::ParseError ReadRequestHead(const FieldBlock& block, const RequestHeadLimits& limits, bool end,
                                 std::string* cookie, PseudoFields* pseudo,
                                 http::RequestHead* head);

}  // namespace sluice::h2
