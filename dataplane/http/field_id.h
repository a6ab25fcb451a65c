// Recognises the field names the proxy itself looks at.
//
// Hot path: by length and first letter, then one comparison.
#pragma once

#include "dataplane/http/message.h"

namespace sluice::http {

FieldId IdentifyField(std::string_view name);

}  // namespace sluice::http
