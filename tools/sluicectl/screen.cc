#include "tools/sluicectl/screen.h"

#define NCURSES_NOMACROS 1  // They would take words such as `move`.
#include <curses.h>
#include <fmt/format.h>
#include <langinfo.h>
#include <term.h>

#include <algorithm>
#include <clocale>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// Curses' macros would rename what others declare.
#undef lines
#undef columns

namespace sluice::sluicectl {
namespace {

// An Esc that nothing follows for so long is the key itself; over a slow line the rest of a
// sequence may come late.
constexpr int kEscapeDelayMs = 100;

enum ColorPair : short { kRedPair = 1, kGreenPair, kYellowPair, kCyanPair };  // NOLINT: curses'.

// Nodes have names in every script, as the other verbs print them.
void UseUtf8() {
  std::setlocale(LC_ALL, "");
  if (std::string_view(nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
}

bool CanMoveTheCursor() {
  const char* capability = tigetstr(const_cast<char*>("cup"));
  return capability != nullptr && capability != reinterpret_cast<char*>(intptr_t{-1});
}

absl::Status CannotDraw(std::string_view why) {
  return absl::FailedPreconditionError(
      fmt::format("{}; 'sluicectl status --watch' works on every terminal", why));
}

}  // namespace

struct Screen::Terminal {
  SCREEN* screen = nullptr;
  bool color = false;

  static attr_t Pair(short pair) {  // NOLINT: curses' type.
    return static_cast<attr_t>(COLOR_PAIR(pair));
  }
  attr_t AttributeOf(Style style) const {
    switch (style) {
      case Style::kPlain:
        return A_NORMAL;
      case Style::kBold:
        return A_BOLD;
      case Style::kDim:
        return A_DIM;
      case Style::kRed:
        return color ? Pair(kRedPair) : A_BOLD;
      case Style::kGreen:
        return color ? Pair(kGreenPair) : A_NORMAL;
      case Style::kYellow:
        return color ? Pair(kYellowPair) : A_BOLD;
      case Style::kCyan:
        return color ? Pair(kCyanPair) : A_UNDERLINE;
    }
    return A_NORMAL;
  }
};

Screen::Screen(std::unique_ptr<Terminal> terminal) : terminal_(std::move(terminal)) {}

absl::StatusOr<std::unique_ptr<Screen>> Screen::Open(bool color) {
  const char* name = std::getenv("TERM");
  if (name == nullptr || *name == '\0') return CannotDraw("TERM is not set");
  int error = 0;
  if (setupterm(name, fileno(stdout), &error) != OK) {
    return CannotDraw(fmt::format("no terminal of the kind TERM={} is known here", name));
  }
  const bool can_draw = CanMoveTheCursor();
  del_curterm(cur_term);
  if (!can_draw) {
    return CannotDraw(fmt::format("a terminal of the kind TERM={} cannot be drawn on", name));
  }
  UseUtf8();
  auto terminal = std::make_unique<Terminal>();
  terminal->screen = newterm(name, stdout, stdin);
  if (terminal->screen == nullptr) {
    return CannotDraw(fmt::format("the terminal (TERM={}) cannot be set up", name));
  }
  cbreak();
  noecho();
  nonl();
  keypad(stdscr, TRUE);
  nodelay(stdscr, TRUE);
  set_escdelay(kEscapeDelayMs);
  curs_set(0);
  if (color && has_colors() && start_color() == OK) {
    use_default_colors();
    init_pair(kRedPair, COLOR_RED, -1);
    init_pair(kGreenPair, COLOR_GREEN, -1);
    init_pair(kYellowPair, COLOR_YELLOW, -1);
    init_pair(kCyanPair, COLOR_CYAN, -1);
    terminal->color = true;
  }
  return std::unique_ptr<Screen>(new Screen(std::move(terminal)));
}

Screen::~Screen() {
  endwin();
  delscreen(terminal_->screen);
}

TerminalSize Screen::size() const {
  return {.columns = static_cast<size_t>(COLS), .rows = static_cast<size_t>(LINES)};
}

void Screen::Draw(const TopFrame& frame) {
  erase();
  const size_t rows = std::min(frame.text.line_count(), static_cast<size_t>(LINES));
  for (size_t row = 0; row < rows; ++row) {
    const bool marked = frame.marked_line == row;
    move(static_cast<int>(row), 0);
    size_t used = 0;
    for (const Text::Span& span : frame.text.line(row)) {
      // Each where it belongs, also where the terminal thinks otherwise of a character's width.
      move(static_cast<int>(row), static_cast<int>(used));
      attrset(marked ? A_REVERSE : terminal_->AttributeOf(span.style));
      addnstr(span.text.data(), static_cast<int>(span.text.size()));
      used += DisplayWidth(span.text);
    }
    attrset(A_NORMAL);
    if (marked) mvchgat(static_cast<int>(row), 0, -1, A_REVERSE, 0, nullptr);
  }
  curs_set(frame.cursor_column.has_value() ? 1 : 0);
  if (frame.cursor_column && rows > 0) {
    move(static_cast<int>(rows) - 1, static_cast<int>(*frame.cursor_column));
  }
  refresh();
}

std::optional<KeyPress> Screen::ReadKey() {
  switch (const int key = getch(); key) {
    case ERR:
    case KEY_RESIZE:
      return std::nullopt;
    case KEY_UP:
      return KeyPress{KeyPress::Code::kUp};
    case KEY_DOWN:
      return KeyPress{KeyPress::Code::kDown};
    case KEY_PPAGE:
      return KeyPress{KeyPress::Code::kPageUp};
    case KEY_NPAGE:
      return KeyPress{KeyPress::Code::kPageDown};
    case KEY_HOME:
      return KeyPress{KeyPress::Code::kHome};
    case KEY_END:
      return KeyPress{KeyPress::Code::kEnd};
    case KEY_ENTER:
    case '\r':
    case '\n':
      return KeyPress{KeyPress::Code::kEnter};
    case '\x1b':
      return KeyPress{KeyPress::Code::kEscape};
    case KEY_BACKSPACE:
    case '\b':
    case '\x7f':
      return KeyPress{KeyPress::Code::kBackspace};
    default:
      if (key < ' ' || key > 0xFF) return KeyPress{KeyPress::Code::kOther};
      return KeyPress{KeyPress::Code::kText, static_cast<char>(key)};
  }
}

}  // namespace sluice::sluicectl
