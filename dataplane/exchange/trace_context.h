// W3C Trace Context: the trace a request belongs to is continued, or begun, with a span id of our
// own.
//
// Hot path. https://www.w3.org/TR/trace-context/ section 3.2.
#pragma once

#include <string_view>

#include "common/base/random.h"

namespace sluice::exchange {

inline constexpr size_t kTraceparentChars = 55;
inline constexpr size_t kTraceIdChars = 32;

// Writes kTraceparentChars characters. `received`: the client's traceparent, empty if none; one
// that is malformed counts as none. True when its trace is continued; tracestate may then be passed
// on.
bool WriteTraceparent(std::string_view received, base::Random& random, char* out);

}  // namespace sluice::exchange
