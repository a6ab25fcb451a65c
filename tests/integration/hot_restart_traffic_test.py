#!/usr/bin/python3
"""Hot restarts while clients of every kind are at it: WebSockets and gRPC over HTTP/1.1 and HTTP/2,
held and short, large bodies both ways, wrk and h2load. Nothing fails, and what is held stays where
it is."""
import contextlib
import os
import re
import struct
import subprocess
import sys
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import h2_websocket
import interop
import restarts
import rig
import traffic
import ws_echo

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "soak"))
import clients  # noqa: E402

MIB = 1 << 20
CALLS = "/grpc.testing.TestService"
RESTARTS = (2, 3, 1, 4, 2)  # Workers.


class HeldH2WebSocket(traffic.Worker):
    """One tunnel in a stream of its own connection."""

    def __init__(self, host, port, **options):
        self._open = lambda: h2_websocket.H2WebSocket(traffic.H2Client(host, port, **options), "/ws")
        self._held = None
        super().__init__(self._echo)

    def __exit__(self, *_):
        super().__exit__()
        if self._held:
            self._held.close(1000)
            self._held.wait_closed()

    def _echo(self):
        if not self._held:
            self._held = self._open()
        self._held.send("still ", "there?")
        if self._held.message()[0] != b"still there?":
            raise AssertionError("another message came back")
        time.sleep(0.1)


def h2_websocket_calls(host, port, **options):
    def step():
        client = traffic.H2Client(host, port, **options)
        with contextlib.closing(client):
            websocket = h2_websocket.H2WebSocket(client, "/ws")
            if websocket.response.status != 200:
                raise AssertionError(repr(websocket.response))
            for size in (1, 126, 70_000):
                websocket.send(b"x" * size)
                if len(websocket.message()[0]) != size:
                    raise AssertionError(f"another message of {size} bytes came back")
            websocket.close(1000)
            if websocket.wait_closed().code != 1000:
                raise AssertionError("closed for another reason")
    return traffic.Worker(step)


class HeldCall(traffic.Worker):
    """A gRPC call with messages both ways from beginning to end."""
    ASK = b"\0" + struct.pack(">I", 4) + b"\x12\x02\x08\x05"  # For a response of 5 bytes.

    def __init__(self, host, port, **options):
        self._connect = lambda: traffic.H2Client(host, port, **options)
        self._client = self._call = self._size = None
        super().__init__(self._exchange)

    def __exit__(self, *_):
        super().__exit__()
        if not self._client:
            return
        self._client.send(self._call, end=True)
        response = self._client.finish(self._call)
        if response.reset is not None or response.trailer("grpc-status") != "0":
            self.failures.append(repr(response))

    def _exchange(self):
        if not self._client:
            self._client = self._connect()
            self._call = self._client.start(
                f"{CALLS}/FullDuplexCall",
                [("content-type", "application/grpc"), ("te", "trailers")])
        response = self._client.responses[self._call]
        before = len(response.body)
        self._client.send(self._call, self.ASK)

        def whole():
            body = response.body[before:]
            return response.ended or len(body) >= 5 and \
                len(body) >= 5 + struct.unpack(">I", body[1:5])[0]
        self._client.wait(whole)
        if response.ended:
            raise AssertionError(repr(response))
        time.sleep(0.1)


def h2load(url, connections, streams):
    """What it has begun and not sent when a GOAWAY comes h2load counts as failed and does not ask
    again: so much it may lose on each of its connections, and no answer may be bad. The access log
    tells whether anything that was sent is among it."""
    def one():
        run = subprocess.run([*clients.SPARE, "h2load", "-D", str(clients.SLICE), "-c",
                              str(connections), "-m", str(streams), url], capture_output=True,
                             text=True, timeout=clients.SLICE + 60)
        found = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, 0 timeout$", run.stdout, re.M)
        codes = re.search(r"^status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx$", run.stdout, re.M)
        if run.returncode or not found or not codes or int(found[2]) > connections * streams or \
                found[3] != found[2]:
            raise AssertionError(f"h2load: {run.returncode}: {run.stdout[-900:]} {run.stderr[-300:]}")
        return int(found[1])
    return clients.Slices(one)


class HotRestartTrafficTest(restarts.HotRestarts, rig.FleetTest):
    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.clear, cls.tls = r.port(), r.port()
        cls.certificate = r.cert("a", ["a.test"])
        cls.files = r.nginx("files")
        cls.file = cls.files.file("big.bin", 16 * MIB)
        cls.echo = ws_echo.EchoServer(r.port())
        routes = [
            rig.route("calls", [interop.Server(r, "calls")], path_prefix=CALLS,
                      upstream_options={"protocol": "http2"}),
            rig.route("echo", [cls.echo], path_prefix="/ws"),
            rig.route("all", [cls.files])]
        named = [{**route, "upstreams": [{"name": route["upstreams"][0]["name"]}]}
                 for route in routes]
        r.apply(rig.document(
            rig.service(cls.clear, routes),
            rig.service(cls.tls, named, name="tls",
                        tls={"enabled": True, "cert_path": cls.certificate.cert,
                             "key_path": cls.certificate.key}),
            server={"drain_timeout_secs": 300}))
        clients.SLICE = 5  # So that restarts meet ends and beginnings.

    def held(self):
        host, secure = self.proxy.host, clients.insecure
        return {
            "WebSocket": clients.HeldWebSocket(f"ws://{host}:{self.clear}/ws"),
            "WebSocket in HTTP/2": HeldH2WebSocket(host, self.clear),
            "WebSocket in HTTP/2 over TLS": HeldH2WebSocket(host, self.tls, **secure()),
            "gRPC": HeldCall(host, self.clear),
            "gRPC over TLS": HeldCall(host, self.tls, **secure())}

    def short(self):
        host, secure = self.proxy.host, clients.insecure
        url = f"http://{host}:{self.clear}"
        return {
            "WebSockets": clients.websocket_calls(f"ws://{host}:{self.clear}/ws"),
            "WebSockets in HTTP/2": h2_websocket_calls(host, self.clear),
            "WebSockets in HTTP/2 over TLS": h2_websocket_calls(host, self.tls, **secure()),
            "gRPC calls": clients.grpc(f"{host}:{self.clear}"),
            "downloads": clients.download(host, self.clear, self.file, 16 * MIB),
            "downloads over TLS": clients.download(host, self.tls, self.file, 16 * MIB, **secure()),
            "uploads": clients.upload(host, self.clear, "/store", 4 * MIB),
            "uploads over TLS": clients.upload(host, self.tls, "/store", 4 * MIB, **secure()),
            "wrk": clients.wrk(self.rig, url + "/wrk", 8),
            "h2load": h2load(url + "/h2load", 2, 8),
            "HTTP/2": traffic.http2(host, self.clear, streams=8),
            "HTTP/2 over TLS": traffic.http2(host, self.tls, streams=8, **secure())}

    def test_restarts_under_everything(self):
        held, short = self.held(), self.short()
        kinds = {**held, **short}
        with contextlib.ExitStack() as stack:
            for kind in kinds.values():
                stack.enter_context(kind)

            def progress():
                marks = {name: kind.done for name, kind in kinds.items()}
                rig.wait_for("progress of every kind", lambda: all(
                    kind.done > marks[name] for name, kind in kinds.items()) or self.fail(
                        {name: (kind.done - marks[name], kind.failures)
                         for name, kind in kinds.items() if kind.done == marks[name]}), 120)
            progress()
            first = self.running
            for workers in RESTARTS:
                self.restart(workers=workers)
                progress()
            # What was held at the beginning is held by the first process still.
            self.assertTrue(first.running())
            self.assertGreaterEqual(self.proxy.get("/stats")["draining_predecessors"]["connections"],
                                    len(held))
        for name, kind in kinds.items():
            self.assertEqual([f for f in kind.failures if not self.never_came(name, f)], [], name)
        # At the end of a slice h2load leaves in the middle.
        self.assertLessEqual(self.ends_of("/h2load"), {(200, ""), (0, "client_gone")})
        self.assertEqual(self.ends_of(CALLS), {(200, "")})
        self.assertEqual(first.wait(), 0, first.tail())
        rig.wait_for("the others to end", lambda: self.proxy.get("/stats")
                     ["draining_predecessors"]["processes"] == 0)
        self.assertEqual(self.rig.ctl.state("node-1"), "synced")

    @staticmethod
    def never_came(name, failure):
        """A call that crossed a GOAWAY was not taken, which the client is told; gRPC's library sends
        it again once, at most. The access log shows that no call that was taken was lost."""
        return name == "gRPC calls" and "ended with 14 (GOAWAY received)" in str(failure)

    def ends_of(self, path):
        return {(record["status"], record["failure"]) for record in self.proxy.access_records()
                if record["path"].startswith(path)}


if __name__ == "__main__":
    rig.main()
