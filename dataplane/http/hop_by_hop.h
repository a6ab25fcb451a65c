// Which fields end at this hop and must not be forwarded (RFC 9110 section 7.6.1).
//
// Hot path: one comparison where Connection names no fields, which is nearly always.
#pragma once

#include "dataplane/http/message.h"

namespace sluice::http {

// Fields that Connection may not remove, though it names them: framing, routing and identity are not the
// sender's to take away.
bool IsForwardable(const RequestHead& head, const Field& field);
bool IsForwardable(const ResponseHead& head, const Field& field);

}  // namespace sluice::http
