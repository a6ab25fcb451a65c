"""One client of each kind, as workers that keep asking: every failure is kept."""
import asyncio
import json
import re
import socket
import subprocess
import threading
import time

import certs
import grpc_web
import h1
import h2_client
import h2_websocket
import interop
import load
import rig
import traffic
import websockets

SPARE = ("nice", "-n", "19")  # They take what the others leave of the machine.
SLICE = 20  # Seconds that wrk and h2load run for at a time.
GRPC_CASES = ("empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong",
              "status_code_and_message")


def keep_alive(host, port, path, headers=()):
    """One connection for many requests; a new one where the answer says so."""
    held = []

    def step():
        if not held:
            held.append(h1.Client(host, port))
        try:
            answer = held[0].ask(rig.request(path, headers=headers))
            if answer.status != 200:
                raise AssertionError(f"{answer.status} {answer.body[:200]!r}")
            if (answer.get("connection") or "").lower() == "close":
                held.pop().close()
        except BaseException:
            held.pop().close()
            raise
    return traffic.Worker(step)


def download(host, port, path, size, **options):
    """A large file, whole."""
    def step():
        with h1.Client(host, port, **options) as client:
            answer = client.ask(rig.request(path))
        if (answer.status, answer.body_bytes) != (200, size):
            raise AssertionError(f"{answer.status}, {answer.body_bytes} bytes of {size}")
    return traffic.Worker(step)


def upload(host, port, path, size, **options):
    body = bytes(size)

    def step():
        with h1.Client(host, port, **options) as client:
            answer = client.ask(rig.request(path, method="POST", body=body))
        if answer.status != 200:
            raise AssertionError(f"{answer.status} {answer.body[:200]!r}")
    return traffic.Worker(step)


def grpc(address):
    """Case after case, by gRPC's own client."""
    cases = iter(())

    def step():
        nonlocal cases
        case = next(cases, None)
        if case is None:
            cases = iter(GRPC_CASES)
            return
        code, said = interop.run_client("cpp", address, case, calls=20, parallel=2)
        if code:
            raise AssertionError(f"{case}: {code}: {said[-300:]}")
    return traffic.Worker(step)


def unary(address, authority):
    """Small calls by gRPC's own client; each may be sent again when a server dies."""
    def step():
        code, said = interop.run_client("cpp", address, "empty_unary", authority=authority, calls=50,
                                        parallel=2)
        if code:
            raise AssertionError(f"{code}: {said[-300:]}")
    return traffic.Worker(step)


def grpc_web_calls(host, port):
    """Unary calls of a browser, binary and text in turn."""
    sizes = (0, 100, 70_000)
    count = 0

    def step():
        nonlocal count
        count += 1
        size = sizes[count % len(sizes)]
        request = grpc_web.message([(2, size)])
        call = grpc_web.ask(host, port, "/grpc.testing.TestService/UnaryCall", [request],
                            text=bool(count % 2))
        if call.code != 0 or len(call.messages) != 1 or len(call.messages[0]) < size:
            raise AssertionError(f"{call.response.status} {call.code} {call.message!r}")
    return traffic.Worker(step)


def websocket_over_h2(host, port):
    """Connect by extended CONNECT, a few messages, close."""
    def step():
        client = h2_client.Client(host, port)
        try:
            tunnel = h2_websocket.H2WebSocket(client, "/ws")
            for size in (1, 126, 70_000):
                message = "x" * size
                tunnel.send(message)
                if tunnel.message()[0] != message.encode():
                    raise AssertionError(f"another message of {size} bytes came back")
            tunnel.close(1000)
            if tunnel.wait_closed().code != 1000:
                raise AssertionError("another close code came back")
        finally:
            client.close()
    return traffic.Worker(step)


def tcp_calls(host, port):
    """A connection, some bytes there and back, its end."""
    def step():
        data = b"y" * 50_000
        with socket.create_connection((host, port), 20) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            got = b""
            while piece := sock.recv(1 << 16):
                got += piece
        if got != data:
            raise AssertionError(f"{len(got)} of {len(data)} bytes came back")
    return traffic.Worker(step)


def websocket_calls(url):
    """Connect, a few messages of many sizes, close."""
    async def call():
        async with websockets.connect(url, max_size=None) as connection:
            for size in (1, 125, 126, 70_000, 400_000):
                message = "x" * size
                await connection.send(message)
                if await connection.recv() != message:
                    raise AssertionError(f"another message of {size} bytes came back")
        if connection.close_code != 1000:
            raise AssertionError(f"closed by {connection.close_code}")
    return traffic.Worker(lambda: asyncio.run(call()))


class HeldWebSocket(traffic.Worker):
    """One tunnel from beginning to end, a message each half second."""

    def __init__(self, url):
        self._loop, self._url, self._held = asyncio.new_event_loop(), url, None
        super().__init__(lambda: self._loop.run_until_complete(self._echo()))

    def __exit__(self, *_):
        super().__exit__()
        if self._held:
            self._loop.run_until_complete(self._held.close())
        self._loop.close()

    async def _echo(self):
        if not self._held:
            self._held = await websockets.connect(self._url, max_size=None, ping_interval=None)
        await self._held.send("still there?")
        if await self._held.recv() != "still there?":
            raise AssertionError("another message came back")
        await asyncio.sleep(0.5)


class Slices(traffic.Worker):
    """wrk or h2load for some seconds, again and again; `requests` were answered."""

    def __init__(self, slice_of):
        self.requests = 0

        def step():
            self.requests += slice_of()
        super().__init__(step)


def wrk(rig_, url, connections):
    def one():
        result = load.Wrk(rig_, url, SLICE, connections, before=SPARE).result()
        failed = {name: count for name, count in result.items() if name != "requests" and count}
        if failed:
            raise AssertionError(f"wrk: {json.dumps(failed)} of {result['requests']}")
        return result["requests"]
    return Slices(one)


def h2load(url, connections, streams):
    def one():
        run = subprocess.run([*SPARE, "h2load", "-D", str(SLICE), "-c", str(connections), "-m", str(streams),
                              url], capture_output=True, text=True, timeout=SLICE + 60)
        requests = re.search(r"^requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, "
                             r"(\d+) failed, (\d+) errored, (\d+) timeout$", run.stdout, re.M)
        codes = re.search(r"^status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx$", run.stdout, re.M)
        if run.returncode or not requests or not codes or any(map(int, requests.groups()[2:])):
            raise AssertionError(f"h2load: {run.returncode}: {run.stdout[-900:]} {run.stderr[-300:]}")
        return int(requests[2])
    return Slices(one)


def insecure():
    return {"tls": certs.client_context(), "server_name": "a.test"}


class Every(threading.Thread):
    """Calls `action(n)` each so many seconds; `done` counts, `failures` are kept."""

    def __init__(self, seconds, action):
        super().__init__(daemon=True)
        self.done, self.failures = 0, []
        self._seconds, self._action = seconds, action
        self._stop_asked = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stop_asked.set()
        self.join()

    def run(self):
        due = time.monotonic()
        while not self._stop_asked.wait(max(due - time.monotonic(), 0)):
            due = max(due + self._seconds, time.monotonic())
            try:
                self._action(self.done)
                self.done += 1
            except Exception as error:  # Whatever it is, the soak wants to hear of it.
                if len(self.failures) < 20:
                    self.failures.append(repr(error))
