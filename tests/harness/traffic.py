"""Clients of every kind that keep asking while something happens to the proxy."""
import threading

import h1
import h2_client


class Worker:
    """Calls `step` on a thread until stopped; the first failures are kept."""

    def __init__(self, step):
        self.done, self.failures = 0, []
        self._step = step
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(60)

    def _run(self):
        while not self._stop.is_set():
            try:
                self._step()
                self.done += 1
            except Exception as error:  # Whatever it is, the test wants to hear of it.
                if len(self.failures) < 20:
                    self.failures.append(repr(error))
                self._stop.wait(0.01)


class ToEveryProxy:
    """Each proxy is asked by `ask(client)` again and again, over one connection; `pause` seconds
    follow each of the answers that it yields. They are kept by node."""

    def __init__(self, proxies, port, ask, pause):
        self.answers = {proxy.node: [] for proxy in proxies}
        self._ask, self._pause = ask, pause
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(proxy, port), daemon=True)
                         for proxy in proxies]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self, proxy, port):
        with h1.Client(proxy.host, port) as client:
            while not self._stop.is_set():
                for answer in self._ask(client):
                    self.answers[proxy.node].append(answer)
                    self._stop.wait(self._pause)

    def all(self):
        return [answer for answers in self.answers.values() for answer in answers]


def new_connections(host, port, **options):
    ask = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"

    def step():
        with h1.Client(host, port, **options) as client:
            response = client.ask(ask)
            if response.status != 200:
                raise AssertionError(f"{response.status} {response.body[:200]!r}")
    return Worker(step)


class H2Client(h2_client.Client):
    """python3-h2 takes GOAWAY for the end of everything; here streams under way go on, as RFC 9113
    section 6.8 has it: the frame is noted and kept from the library."""
    leaving = False
    _GOAWAY = 7

    def wait(self, condition):
        while not condition():
            frame = self._exactly(9)
            frame += self._exactly(int.from_bytes(frame[:3], "big"))
            if frame[3] == self._GOAWAY:
                self.leaving = True
                if frame[13:17] != b"\0\0\0\0":
                    raise ConnectionError(f"GOAWAY with error {frame[13:17].hex()}")
                continue
            for event in self.h2.receive_data(frame):
                self.take(event)
            self.flush()

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            if not more:
                raise ConnectionError("the proxy closed the connection")
            data += more
        return data


def http2(host, port, streams=1, **options):
    """One connection after the other: a new one only after GOAWAY. So many requests at a time."""
    held = []

    def step():
        if not held:
            held.append(H2Client(host, port, **options))
        client = held[0]
        for stream in [client.start("/", method="GET", end=True) for _ in range(streams)]:
            response = client.finish(stream)
            if response.status != 200 or response.reset is not None:
                raise AssertionError(repr(response))
        if client.leaving:
            held.pop().close()
    return Worker(step)
