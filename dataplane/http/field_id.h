// Recognises the field names the proxy itself looks at.
//
// By length and first letter, then mostly no comparison or one: on the hot path of h1_parser.h.
#pragma once

#include "dataplane/http/message.h"

namespace sluice::http {

// `name` is a token. kUnderscore for a known name with "_" for any "-".
FieldId IdentifyField(std::string_view name);

}  // namespace sluice::http
