// Which fields may come after the content (RFC 9110 section 6.5.1).
#pragma once

#include "dataplane/http/message.h"

namespace sluice::http {

// False for fields that frame, route, authenticate, control or describe the content, which must be
// known before it, and for all the proxy itself looks at. Digests of the content may come after it.
bool MayBeTrailer(const Field& field);

}  // namespace sluice::http
