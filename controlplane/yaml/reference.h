// The format for people, as Markdown, made from the tables the reader works by.
#pragma once

#include <string>

namespace sluice::yaml {

// docs/reference/configuration.md.
std::string ConfigurationReference();

}  // namespace sluice::yaml
