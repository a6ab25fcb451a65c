// The pages of `sluicectl top` as lines that fit a terminal. No terminal is touched.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "tools/sluicectl/console.h"
#include "tools/sluicectl/text.h"
#include "tools/sluicectl/top_model.h"

namespace sluice::sluicectl {

struct TopFrame {
  Text text;  // At most as many lines as the terminal has rows, none wider than it.
  std::optional<size_t> marked_line;  // The selected node.
  // Where the cursor belongs while the filter is typed: column of the last line.
  std::optional<size_t> cursor_column;
};

// `controller` is its address. Tells the model what fits (TopModel::Fit).
TopFrame DrawTop(TopModel* model, const std::string& controller, const TerminalSize& size,
                 int64_t now_unix_ms);

}  // namespace sluice::sluicectl
