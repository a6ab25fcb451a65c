#!/usr/bin/python3
"""Event streams, long polls and trickling bodies: what comes is passed on at once.

No test here looks at a clock. Each side does its next step only after the other has shown that
the last one arrived: a proxy that waits for more before it passes anything on waits for ever.
"""
import contextlib
import itertools
import threading
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import rig
import streams

EVENTS = [f"id: {i}\ndata: {'x' * size}\n\n".encode()
          for i, size in enumerate((1, 10, 3000, 70_000, 0, 5))]
SHORT = "600ms"


class Script:
    """What an upstream does for one request, and what it saw of the client's leaving."""

    def __init__(self):
        self.confirmed = threading.Semaphore(0)  # The client has the last piece.
        self.arrived = threading.Event()
        self.gone = threading.Event()

    def confirm(self):
        self.confirmed.release()

    def wait(self):
        if not self.confirmed.acquire(timeout=rig.DEADLINE):
            raise OSError("the client never had the last piece")


class StreamingTest(rig.FleetTest):
    workers = 2

    @classmethod
    def prepare(cls):
        r = cls.rig
        certificate = r.cert("a", ["a.test"])
        # By whether the service loses patience early, and whether it has TLS.
        cls.ports = {key: r.port() for key in itertools.product((False, True), repeat=2)}
        cls.scripts = {}
        cls.old = r.upstream(on_request=cls.serve)
        cls.new = r.h2_upstream(on_request=cls.serve_h2)
        cls.stalling = r.upstream(on_request=cls.stall)
        http2 = {"protocol": "http2"}
        # Silence ends an exchange early, except where it is the upstream's turn to answer.
        patient, impatient = {"first_byte": "60s", "idle": "60s"}, {"first_byte": "60s", "idle": SHORT}
        routes = [
            rig.route("stall", [cls.stalling], path_prefix="/stall", timeouts=impatient),
            rig.route("poll-h2", [cls.new], path_prefix="/h2/poll", timeouts=impatient,
                      upstream_options=http2),
            rig.route("poll", [cls.old], path_prefix="/h1/poll", timeouts=impatient),
            rig.route("h2", [cls.new], path_prefix="/h2", timeouts=patient, upstream_options=http2),
            rig.route("h1", [cls.old], path_prefix="/h1", timeouts=patient)]
        named = [{**route, "upstreams": [{"name": route["upstreams"][0]["name"]}]}
                 for route in routes]
        tls = {"enabled": True, "cert_path": certificate.cert, "key_path": certificate.key}
        services = []
        for (early, secure), port in cls.ports.items():
            options = {"timeouts": {"idle": SHORT, "keep_alive": SHORT, "half_close": SHORT}} \
                if early else {}
            services.append(rig.service(port, named if services else routes, f"service-{port}",
                                        **options, **({"tls": tls} if secure else {})))
        r.apply(rig.document(*services))

    # What the upstreams do.

    @classmethod
    def serve(cls, connection, request):
        script = cls.scripts[request.target]
        script.arrived.set()
        kind = request.target.split("/")[2].split("?")[0]
        if kind == "poll":
            script.wait()
            return b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnews"
        if kind == "upload":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        if kind == "silent":
            cls.note_gone(connection, script)
            return "close"
        chunked = kind.startswith("chunked")
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" +
                        (b"Transfer-Encoding: chunked\r\n\r\n" if chunked
                         else b"Connection: close\r\n\r\n"))
        if "leave" in request.target:
            connection.send(b"4\r\nping\r\n" if chunked else b"ping")
            cls.note_gone(connection, script)
            return "close"
        for event in EVENTS:
            script.wait()
            connection.send(b"%x\r\n%s\r\n" % (len(event), event) if chunked else event)
        script.wait()
        if chunked:
            connection.send(b"0\r\n\r\n")
            return None
        return "close"

    @staticmethod
    def note_gone(connection, script):
        """The proxy says nothing more on this connection but that it is over."""
        connection.sock.settimeout(rig.DEADLINE)
        try:
            ended = connection.sock.recv(1) == b""
        except ConnectionResetError:
            ended = True
        if ended:
            script.gone.set()

    @classmethod
    def serve_h2(cls, request):
        script = cls.scripts[request.path]
        script.arrived.set()
        connection, stream = request.connection, request.stream
        if "/poll" in request.path:
            script.wait()
            connection.head(stream, 200, [("content-length", "4")])
            connection.data(stream, b"news", end=True)
        elif "/upload" in request.path:
            request.complete.wait(rig.DEADLINE)
            connection.head(stream, 200, end=True)
        elif "/silent" not in request.path:
            connection.head(stream, 200, [("content-type", "text/event-stream")])
            if "leave" in request.path:
                connection.data(stream, b"ping")
                return
            for event in EVENTS:
                script.wait()
                connection.data(stream, event)
            script.wait()
            connection.data(stream, end=True)

    @classmethod
    def stall(cls, connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        connection.sock.recv(1)
        return "close"

    # What the clients do.

    def each_way(self, kinds, body, clients=streams.KINDS):
        """body(stream, script, target) for each way of asking for each kind."""
        for kind, (version, make), secure in itertools.product(
                kinds, clients.items(), (False, True)):
            target = f"{kind}?{'tls' if secure else 'clear'}-{make.__name__}-{self.id()}"
            self.scripts[target] = Script()
            early = kind.endswith(("poll", "leave", "silent"))
            with self.subTest(kind=kind, version=version, secure=secure), contextlib.closing(
                    make(self.proxy.host, self.ports[early, secure],
                         certs.client_context() if secure else None, "a.test")) as stream:
                body(stream, self.scripts[target], target)

    def test_events_arrive_one_by_one(self):
        def body(stream, script, target):
            stream.start(target)
            # The head alone, then each event alone: the upstream goes on when it was confirmed.
            self.assertEqual(stream.status(), 200)
            self.assertEqual(stream.field("content-type"), "text/event-stream")
            for event in EVENTS:
                script.confirm()
                self.assertEqual(stream.read(len(event)), event)
            script.confirm()
            self.assertEqual(stream.rest(), b"")
        self.each_way(("/h1/chunked", "/h1/close", "/h2/events"), body)

    def test_a_long_poll_outlives_the_idle_timeouts(self):
        def body(stream, script, target):
            stream.start(target)
            self.assertTrue(script.arrived.wait(rig.DEADLINE))
            # A stalled response that began later is cut by the very same timeout, twice.
            for _ in range(2):
                stalled = streams.H2Stream(self.proxy.host, self.ports[True, False])
                stalled.start("/stall")
                self.assertEqual(stalled.read(4), b"half")
                with self.assertRaises(rig.h1.Cut):
                    stalled.rest()
                stalled.close()
            script.confirm()
            self.assertEqual(stream.status(), 200)
            self.assertEqual(stream.rest(), b"news")
        self.each_way(("/h1/poll", "/h2/poll"), body)

    def test_a_trickling_request_body_arrives_as_it_comes(self):
        def body(stream, script, target):
            stream.start(target, "POST", has_body=True)
            for i in range(5):
                piece = f"[{i} of {target}]".encode()
                stream.send(piece)
                rig.wait_for(f"piece {i} at the upstream", lambda: piece in self.uploaded(target))
            stream.end()
            self.assertEqual(stream.status(), 200)
        self.each_way(("/h1/upload", "/h2/upload"), body)

    def uploaded(self, target):
        if target.startswith("/h1"):
            return self.old.raw
        return b"".join(r.body for r in self.new.requests if r.path == target)

    def assert_upstream_told(self, script, target):
        if target.startswith("/h1"):
            self.assertTrue(script.gone.wait(rig.DEADLINE), "the upstream's connection stays open")
            return
        request = next(r for r in self.new.requests if r.path == target)
        self.assertTrue(request.complete.wait(rig.DEADLINE) and
                        rig.wait_for("the reset", lambda: request.reset is not None))
        self.assertFalse(request.connection.ended, "other streams go on")

    def test_a_client_that_leaves_a_stream_ends_it_upstream(self):
        def body(stream, script, target):
            stream.start(target)
            self.assertEqual(stream.status(), 200)
            self.assertEqual(stream.read(4), b"ping")
            stream.leave()
            self.assert_upstream_told(script, target)
        self.each_way(("/h1/chunked-leave", "/h1/close-leave", "/h2/leave"), body, streams.LEAVERS)

    def test_a_client_that_leaves_before_the_answer_ends_it_upstream(self):
        def body(stream, script, target):
            stream.start(target)
            self.assertTrue(script.arrived.wait(rig.DEADLINE))
            stream.leave()
            self.assert_upstream_told(script, target)
        self.each_way(("/h1/silent", "/h2/silent"), body, streams.LEAVERS)


if __name__ == "__main__":
    rig.main()
