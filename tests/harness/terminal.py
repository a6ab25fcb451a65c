"""A program in a terminal: what it draws is read by a small emulator, keys are typed into it."""
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import unicodedata

import waiting

_SEQUENCE = re.compile(r"\x1b\[([?>]?)([\d;]*)([@-~])")
_OTHER = re.compile(r"\x1b(?:[()][0-9A-B]|[=>78M]|\][^\x07]*\x07)")


class Screen:
    """As much of a VT220/xterm as curses programs use."""

    def __init__(self, rows, columns):
        self.alternate, self.cursor_shown, self.colors = False, True, set()
        self.resize(rows, columns)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.reverse = [[False] * columns for _ in range(rows)]
        self.y = self.x = 0
        self.top, self.bottom = 0, rows - 1
        self.is_reverse, self.last, self.pending = False, " ", ""

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def marked(self):
        """The lines that are drawn in reverse, at their beginning."""
        return [line for line, flags in zip(self.lines(), self.reverse) if flags[0]]

    def feed(self, text):
        text, self.pending = self.pending + text, ""
        i = 0
        while i < len(text):
            c = text[i]
            if c != "\x1b":
                self._put(c)
                i += 1
                continue
            match = _SEQUENCE.match(text, i) or _OTHER.match(text, i)
            if not match:
                if len(text) - i < 64:  # The rest is still to come.
                    self.pending = text[i:]
                    return
                raise AssertionError(f"unknown sequence {text[i:i + 20]!r}")
            if match.re is _SEQUENCE:
                self._control(match[1], [int(n or 0) for n in match[2].split(";")], match[3])
            elif match[0] == "\x1bM":
                self._up()
            i = match.end()

    def _put(self, c):
        if c == "\r":
            self.x = 0
        elif c == "\n":
            self._down()
        elif c == "\b":
            self.x = max(self.x - 1, 0)
        elif c == "\t":
            self.x = min((self.x // 8 + 1) * 8, self.columns - 1)
        elif c >= " ":
            width = 2 if unicodedata.east_asian_width(c) in "WF" else 1
            if unicodedata.combining(c):
                return
            if self.x + width > self.columns:
                self.x = 0
                self._down()
            self.cells[self.y][self.x] = c
            self.reverse[self.y][self.x] = self.is_reverse
            if width == 2:
                self.cells[self.y][self.x + 1] = ""
            self.x, self.last = self.x + width, c

    def _down(self):
        if self.y == self.bottom:
            self._scroll(1)
        else:
            self.y = min(self.y + 1, self.rows - 1)

    def _up(self):
        if self.y == self.top:
            self._scroll(-1)
        else:
            self.y = max(self.y - 1, 0)

    def _scroll(self, count, top=None):
        top = self.top if top is None else top
        for grid, blank in ((self.cells, " "), (self.reverse, False)):
            region = grid[top:self.bottom + 1]
            empty = [[blank] * self.columns for _ in range(min(abs(count), len(region)))]
            region = region[count:] + empty if count > 0 else empty + region[:count]
            grid[top:self.bottom + 1] = region

    def _erase(self, y, start, end):
        for x in range(max(start, 0), min(end, self.columns)):
            self.cells[y][x], self.reverse[y][x] = " ", False

    def _control(self, private, numbers, final):
        n = numbers[0] or 1
        if private == "?" and final in "hl":
            for mode in numbers:
                if mode in (47, 1047, 1049):
                    self.alternate = final == "h"
                elif mode == 25:
                    self.cursor_shown = final == "h"
        elif private or final in "hlntcq":
            pass
        elif final in "Hf":
            self.y = min(n, self.rows) - 1
            self.x = min((numbers[1] if len(numbers) > 1 else 0) or 1, self.columns) - 1
        elif final == "A":
            self.y = max(self.y - n, 0)
        elif final == "B":
            self.y = min(self.y + n, self.rows - 1)
        elif final == "C":
            self.x = min(self.x + n, self.columns - 1)
        elif final == "D":
            self.x = max(self.x - n, 0)
        elif final in "G`":
            self.x = min(n, self.columns) - 1
        elif final == "d":
            self.y = min(n, self.rows) - 1
        elif final == "J":
            start, end = {0: (self.y, self.rows), 1: (0, self.y), 2: (0, self.rows)}[numbers[0]]
            if numbers[0] == 0:
                self._erase(self.y, self.x, self.columns)
                start += 1
            for y in range(start, end):
                self._erase(y, 0, self.columns)
        elif final == "K":
            start, end = {0: (self.x, self.columns), 1: (0, self.x + 1),
                          2: (0, self.columns)}[numbers[0]]
            self._erase(self.y, start, end)
        elif final == "X":
            self._erase(self.y, self.x, self.x + n)
        elif final in "@P":
            for grid, blank in ((self.cells, " "), (self.reverse, False)):
                row = grid[self.y]
                tail = [blank] * n + row[self.x:] if final == "@" else row[self.x + n:] + [blank] * n
                grid[self.y] = (row[:self.x] + tail)[:self.columns]
        elif final in "LM":
            self._scroll(-n if final == "L" else n, self.y)
        elif final in "ST":
            self._scroll(n if final == "S" else -n)
        elif final == "b":
            for _ in range(n):
                self._put(self.last)
        elif final == "r":
            self.top = (numbers[0] or 1) - 1
            self.bottom = (numbers[1] if len(numbers) > 1 and numbers[1] else self.rows) - 1
            self.y = self.x = 0
        elif final == "m":
            for code in numbers:
                if code in (0, 27):
                    self.is_reverse = False
                elif code == 7:
                    self.is_reverse = True
                elif 30 <= code <= 37 or 90 <= code <= 97:
                    self.colors.add(code)
        else:
            raise AssertionError(f"unknown sequence CSI {private}{numbers}{final}")


class Terminal:
    def __init__(self, argv, rows=24, columns=80, env=None):
        self.master, slave = pty.openpty()
        self.screen = Screen(rows, columns)
        self._resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave = slave  # Open, so that the terminal stays when the program has gone.
        self.bytes = b""
        self._lock = threading.Lock()
        environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})}
        environment = {k: v for k, v in environment.items() if v is not None}
        self.proc = subprocess.Popen(list(map(str, argv)), stdin=slave, stdout=slave, stderr=slave,
                                     env=environment, start_new_session=True,
                                     preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            ready, _, _ = select.select([self.master, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            data = os.read(self.master, 65536)
            with self._lock:
                self.bytes += data
                self.screen.feed(decoder.decode(data))

    def _resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        with self._lock:
            self.screen.resize(rows, columns)
            self._resize(rows, columns)
        self.proc.send_signal(signal.SIGWINCH)

    def type(self, keys):
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def lines(self):
        with self._lock:
            return self.screen.lines()

    def text(self):
        return "\n".join(self.lines())

    def marked(self):
        with self._lock:
            return self.screen.marked()

    def wait_text(self, *parts, without=()):
        """Until all of these, and none of those, are on the screen."""
        def seen():
            text = self.text()
            missing = [p for p in parts if p not in text] + [p for p in without if p in text]
            if missing:
                raise AssertionError(f"{missing} in\n{text}")
            return text
        return waiting.wait_for(f"{parts} on the screen", seen)

    def wait_exit(self):
        return self.proc.wait(waiting.DEADLINE)

    def assert_restored(self):
        """Nothing of what the program did to the terminal is left."""
        def restored():
            with self._lock:
                assert not self.screen.alternate, "the alternate screen is still shown"
                assert self.screen.cursor_shown, "the cursor is still hidden"
            assert termios.tcgetattr(self.slave) == self.before, "modes of the terminal differ"
            return True
        waiting.wait_for("the terminal to be as it was", restored)

    def close(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait(waiting.DEADLINE)
        os.write(self._stop_write, b"x")
        self._thread.join(waiting.DEADLINE)
        for fd in (self.master, self.slave, self._stop_read, self._stop_write):
            os.close(fd)
