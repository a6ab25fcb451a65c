#include "tools/sluicectl/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>

#include "common/base/file.h"

namespace sluice::sluicectl {
namespace {

// A closed pipe (`sluicectl ... | head`) ends the output, not the command.
void WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

absl::StatusOr<std::string> ReadStandardInput(size_t bytes_max) {
  std::string content;
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t count = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return base::ErrnoStatus(errno, "read standard input");
    if (count == 0) return content;
    content.append(buffer, static_cast<size_t>(count));
    if (content.size() > bytes_max) {
      return absl::ResourceExhaustedError(
          fmt::format("standard input: more than {} bytes", bytes_max));
    }
  }
}

TerminalSize ProcessTerminalSize() {
  winsize size{};
  TerminalSize result;
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    result.columns = size.ws_col;
    result.rows = size.ws_row;
  }
  return result;
}

bool EnvironmentAllowsColor() {
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* terminal = std::getenv("TERM");
  return terminal == nullptr || std::string_view(terminal) != "dumb";
}

}  // namespace

void Console::Print(const Text& text) const { write_out(text.Render(out_color())); }

void Console::PrintError(const Text& text) const { write_error(text.Render(error_color())); }

Console ProcessConsole() {
  Console console;
  console.write_out = [](std::string_view bytes) { WriteAll(STDOUT_FILENO, bytes); };
  console.write_error = [](std::string_view bytes) { WriteAll(STDERR_FILENO, bytes); };
  console.read_in = ReadStandardInput;
  console.now_unix_ms = [] {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
  };
  console.size = ProcessTerminalSize;
  console.out_is_terminal = ::isatty(STDOUT_FILENO) == 1;
  console.error_is_terminal = ::isatty(STDERR_FILENO) == 1;
  console.color_allowed = EnvironmentAllowsColor();
  return console;
}

void LiveBlock::Draw(const Text& text) {
  const TerminalSize size = console_.size();
  const size_t height = std::max<size_t>(size.rows, 2) - 1;  // The cursor waits below the block.
  const size_t shown = text.line_count() <= height ? text.line_count() : height - 1;
  std::string frame;
  if (lines_drawn_ > 0) frame += fmt::format("\x1b[{}A", lines_drawn_);
  frame += '\r';
  for (size_t i = 0; i < shown; ++i) {
    frame += text.RenderLine(i, console_.out_color(), size.columns);
    frame += "\x1b[K\n";
  }
  lines_drawn_ = shown;
  if (shown < text.line_count()) {
    frame +=
        CutToWidth(fmt::format("... and {} more lines", text.line_count() - shown), size.columns);
    frame += "\x1b[K\n";
    ++lines_drawn_;
  }
  frame += "\x1b[J";
  console_.write_out(frame);
}

void LiveBlock::Clear() {
  if (lines_drawn_ == 0) return;
  console_.write_out(fmt::format("\x1b[{}A\r\x1b[J", lines_drawn_));
  lines_drawn_ = 0;
}

}  // namespace sluice::sluicectl
