"""wrk, and an own load generator that says exactly what failed and when."""
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import h1

REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('RIG {"requests":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\\n',
    summary.requests, e.connect, e.read, e.write, e.status, e.timeout))
end
"""


class Wrk:
    """wrk in the background: 64 keep-alive connections by default. `before`: nice, taskset, ..."""

    def __init__(self, rig, url, seconds, connections=64, headers=(), before=()):
        script = rig.path("report.lua")
        with open(script, "w") as out:
            out.write(REPORT)
        argv = [*before, shutil.which("wrk") or "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
                "--timeout", "15s", "-s", script]
        for header in headers:
            argv += ["-H", header]
        self.proc = subprocess.Popen([*argv, url], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)

    def running(self):
        return self.proc.poll() is None

    def end(self):
        """Before its time; it still reports."""
        self.proc.send_signal(signal.SIGINT)

    def result(self):
        out, _ = self.proc.communicate(timeout=600)
        match = re.search(r"^RIG (\{.*\})$", out, re.M)
        if self.proc.returncode or not match:
            raise AssertionError(f"wrk: {self.proc.returncode}: {out}")
        return json.loads(match[1])


class Steady:
    """Threads that ask one after the other and keep every failure.

    A refused new connection is counted apart: that is what a draining proxy may do.
    """

    def __init__(self, host, port, path="/", threads=8, tls=None, server_name=None, accept=(200,)):
        self.ok = 0
        self.refused = 0
        self.closed_idle = 0  # Closed between two requests: legal at any time.
        self.failures = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._args = (host, port, path, tls, server_name, accept)
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _note(self, **changes):
        with self._lock:
            for name, value in changes.items():
                if name == "failure":
                    self.failures.append((round(time.monotonic(), 3), value))
                else:
                    setattr(self, name, getattr(self, name) + value)

    def _run(self):
        host, port, path, tls, server_name, accept = self._args
        ask = f"GET {path} HTTP/1.1\r\nHost: {server_name or 'a.test'}\r\n\r\n".encode()
        while not self._stop.is_set():
            try:
                client = h1.Client(host, port, tls=tls, server_name=server_name)
            except OSError as error:
                self._note(refused=1)
                if not isinstance(error, ConnectionRefusedError):
                    self._note(failure=f"connect: {error!r}")
                self._stop.wait(0.01)
                continue
            with client:
                try:
                    while not self._stop.is_set():
                        client.send(ask)
                        response = client.response()
                        if response.status not in accept:
                            self._note(failure=f"{response.status} {response.body[:200]!r}")
                        else:
                            self._note(ok=1)
                        if (response.get("connection") or "").lower() == "close":
                            break
                except (h1.Gone, BrokenPipeError, ConnectionResetError):
                    # Closed while idle: the request crossed the close on the wire; not a byte of
                    # an answer came, and a client repeats it. RFC 9112 section 9.3.1.
                    self._note(closed_idle=1)
                except (h1.Cut, h1.Malformed, OSError) as error:
                    self._note(failure=repr(error))


def burst(call, count, threads=8):
    """Runs call(i) `count` times on some threads; the results in order."""
    results = [None] * count
    numbers = iter(range(count))
    lock = threading.Lock()

    def run():
        while True:
            with lock:
                i = next(numbers, None)
            if i is None:
                return
            results[i] = call(i)
    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return results


def cpu_count():
    return len(os.sched_getaffinity(0))
