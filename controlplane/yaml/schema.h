// The format as a JSON Schema (draft 2020-12), made from the tables the reader works by.
#pragma once

#include <string>

namespace sluice::yaml {

// docs/sluice.schema.json.
std::string WriteJsonSchema();

}  // namespace sluice::yaml
