// The bytes of one file made fit for the parser: UTF-8, no controls, LF line ends, no BOM.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/yaml/problems.h"

namespace sluice::yaml {

// What the scan of the bytes leaves behind.
struct PreparedText {
  std::string_view bytes;  // Of the file, or of `normalized`.
  std::string normalized;  // Only for files with CRLF line ends.
  bool ascii = true;       // Columns in bytes are columns in characters.
  // Lines (0-based) whose indentation has a tab. Whether that is wrong only the parser knows: a
  // block scalar may hold such lines.
  std::vector<int> tab_lines;
};

// At most this many tab lines are kept; the first one wrong is already enough.
inline constexpr size_t kTabLinesMax = 1000;

// False, and an error at the place, for bytes no YAML file can have. `bytes` must outlive `*text`.
bool PrepareText(std::string_view bytes, uint32_t file, PreparedText* text, Problems* problems);

}  // namespace sluice::yaml
