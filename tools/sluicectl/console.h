// Where a command writes and reads, and what kind of thing that is.
//
// Used by one thread. Tests replace the functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "tools/sluicectl/text.h"

namespace sluice::sluicectl {

struct TerminalSize {
  size_t columns = 80;
  size_t rows = 24;
};

struct Console {
  std::function<void(std::string_view)> write_out;
  std::function<void(std::string_view)> write_error;
  std::function<absl::StatusOr<std::string>(size_t bytes_max)> read_in;
  std::function<int64_t()> now_unix_ms;
  std::function<TerminalSize()> size;
  bool out_is_terminal = false;
  bool error_is_terminal = false;
  bool color_allowed = true;  // Neither --no-color nor NO_COLOR nor a dumb terminal.

  bool out_color() const { return out_is_terminal && color_allowed; }
  bool error_color() const { return error_is_terminal && color_allowed; }

  void Print(const Text& text) const;
  void PrintError(const Text& text) const;
};

// Standard input, output and error of this process.
Console ProcessConsole();

// A block of lines on a terminal that is drawn over in place. Only for consoles with
// out_is_terminal.
class LiveBlock {
 public:
  explicit LiveBlock(const Console& console) : console_(console) {}

  // Replaces what was drawn before. Lines are cut to the terminal's width, and the block to its
  // height (the last line then says how many are missing): a wrapped line could not be drawn over.
  void Draw(const Text& text);
  void Clear();

 private:
  const Console& console_;
  size_t lines_drawn_ = 0;
};

}  // namespace sluice::sluicectl
