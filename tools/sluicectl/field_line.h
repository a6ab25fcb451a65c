// "Label:        value", as descriptions are written.
#pragma once

#include <string>

#include "tools/sluicectl/text.h"

namespace sluice::sluicectl {

inline void AddField(Text* text, const char* label, const std::string& value,
                     Style style = Style::kPlain) {
  text->AddPadded(label, 14, Style::kBold).Add(value.empty() ? "-" : value, style).EndLine();
}

}  // namespace sluice::sluicectl
