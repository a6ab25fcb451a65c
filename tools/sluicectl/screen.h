// The whole terminal, by ncurses: draws frames, reads keys, and gives it back as it was.
//
// One at a time, on the main thread: ncurses has one terminal. Signals are the caller's matter.
#pragma once

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "tools/sluicectl/top_view.h"

namespace sluice::sluicectl {

class Screen {
 public:
  // Fails on terminals that cannot be drawn on (TERM unset, unknown or dumb); the message says
  // which. Nothing has been written then. `color`: use them if the terminal has them.
  static absl::StatusOr<std::unique_ptr<Screen>> Open(bool color);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  TerminalSize size() const;
  void Draw(const TopFrame& frame);
  // Never waits, except for the rest of a key's escape sequence; empty: no key was pressed, or a
  // change of size was noticed. Call it until it is empty.
  std::optional<KeyPress> ReadKey();

 private:
  struct Terminal;
  explicit Screen(std::unique_ptr<Terminal> terminal);

  const std::unique_ptr<Terminal> terminal_;
};

}  // namespace sluice::sluicectl
