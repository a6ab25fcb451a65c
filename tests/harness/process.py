"""Programs under test: started, watched, stopped, and their last words checked."""
import os
import re
import signal
import subprocess

import waiting

# Each of these in a program's output fails the test, whatever the exit code was.
REPORTS = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|WARNING: ThreadSanitizer"
                     r"|SUMMARY: \w+Sanitizer")


def sanitizer_environment(root):
    return {
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": f"suppressions={root}/tests/tsan.supp:halt_on_error=0:second_deadlock_stack=1",
    }


class Process:
    """A program in the foreground of its own session, its output in files."""

    def __init__(self, argv, folder, name, env=None, expect=(0,)):
        self.argv, self.folder, self.name, self.env = list(map(str, argv)), folder, name, env or {}
        self.expect = expect
        self.log = os.path.join(folder, name + ".log")
        self.proc = None
        self.killed = self.paused = False

    def start(self):
        self.killed = self.paused = False
        with open(self.log, "ab") as out:
            self.proc = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                         cwd=self.folder, env={**os.environ, **self.env},
                                         start_new_session=True)
        return self

    @property
    def pid(self):
        return self.proc.pid

    def running(self):
        return self.proc is not None and self.proc.poll() is None

    def signal(self, number):
        os.kill(self.proc.pid, number)

    def kill(self, children=False):
        """As a crash would: nothing is said about the exit code. With `children` they go too."""
        self.killed = True
        if self.running():
            os.killpg(self.proc.pid, signal.SIGKILL) if children else self.proc.kill()
        self.proc.wait(waiting.DEADLINE)

    def pause(self):
        """Until resume() it does nothing, and its connections stay. Returns once it is so."""
        self.paused = True
        self.signal(signal.SIGSTOP)
        waiting.wait_for(f"{self.name} to stand still", lambda: self._stat()[0] == "T")

    def resume(self):
        self.signal(signal.SIGCONT)
        self.paused = False

    def wait(self, timeout=None):
        return self.proc.wait(timeout or waiting.DEADLINE)

    def stop(self, timeout=None):
        """SIGTERM; the program must end by itself. Returns the exit code."""
        if self.running():
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end after SIGTERM")

    def output(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, errors="replace") as f:
            return f.read()

    def wait_log(self, pattern):
        """Until it has logged something that matches."""
        return waiting.wait_for(f"{self.name} to log /{pattern}/",
                                lambda: re.search(pattern, self.output()))

    def tail(self, lines=60):
        return "\n".join(self.output().splitlines()[-lines:])

    def complaint(self):
        """What is wrong with how it ran, or None."""
        match = REPORTS.search(self.output())
        if match:
            at = self.output().index(match[0])
            return f"{self.name}: {self.output()[at:at + 6000]}"
        if self.proc and not self.running() and not self.killed \
                and self.proc.returncode not in self.expect:
            return f"{self.name} ended with {self.proc.returncode}:\n{self.tail()}"
        return None

    # From /proc.

    def rss_kib(self, field="VmRSS"):
        with open(f"/proc/{self.pid}/status") as f:
            for line in f:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        return 0

    def forget_peak(self):
        """VmHWM begins anew (proc(5), clear_refs)."""
        with open(f"/proc/{self.pid}/clear_refs", "w") as f:
            f.write("5")

    def _stat(self):
        """The fields after the name, the state first (proc(5))."""
        with open(f"/proc/{self.pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()

    def cpu_seconds(self):
        fields = self._stat()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))
