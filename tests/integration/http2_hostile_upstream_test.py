#!/usr/bin/python3
"""HTTP/2 upstreams that mean harm: what they send without being asked costs no memory, holds up
nobody else of the worker, and ends their connection."""
import os
import socket
import struct
import sys
import threading
import unittest  # noqa: F401

import _path  # noqa: F401
import h1
import h2_client
import rig

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "security"))
import h2_frames as h2  # noqa: E402

GROWTH_KIB_MAX = 32 << 10 if not rig.SANITIZER else 256 << 10
UNIT_FRAMES = 2000
# What it sends before it is heard no more: what the sockets hold, and some.
FRAMES_MAX = 2_000_000
UPDATE = h2.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1))


def head(stream, status, more=b"", end=False, whole=True):
    flags = (h2.END_HEADERS if whole else 0) | (h2.END_STREAM if end else 0)
    return h2.frame(h2.HEADERS, flags, stream, h2.literal(":status", str(status)) + more)


class RawUpstream:
    """Says its SETTINGS, with no window for streams where `window` is 0, then what the scripts say:
    `on_head(connection, stream)` for each request's head."""

    def __init__(self, port):
        self.address = f"127.0.0.1:{port}"
        self.on_head, self.window = None, 0
        self.lock, self.connections = threading.Lock(), []
        self.asked = None  # The connection that the last request came by.
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections.append(RawConnection(self, sock))

    def begin(self, window):
        """Another connection, whose first request is answered."""
        with self.lock:
            for connection in self.connections:
                connection.close()
            self.on_head = lambda connection, stream: connection.send(head(stream, 204, end=True))
            self.window, self.connections, self.asked = window, [], None

    def close(self):
        self.listener.close()
        self.begin(0)


class RawConnection:
    def __init__(self, owner, sock):
        self.owner, self.sock = owner, sock
        self.sent_frames, self.ended, self.goaway = 0, threading.Event(), None
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            rest = len(h2.PREFACE)
            while rest:
                rest -= len(self.sock.recv(rest))
            self.sock.sendall(h2.settings((h2.INITIAL_WINDOW_SIZE, self.owner.window)))
            reader = h2.Reader()
            while data := self.sock.recv(65536):
                for read in reader.feed(data):
                    self.take(read)
        except OSError:
            pass
        self.ended.set()

    def take(self, read):
        if read.type == h2.SETTINGS and not read.flags & h2.ACK:
            self.sock.sendall(h2.frame(h2.SETTINGS, h2.ACK))
        elif read.type == h2.GOAWAY:
            self.goaway = struct.unpack_from(">II", read.payload)[1]
        elif read.type == h2.HEADERS:
            threading.Thread(target=self.answer, args=(read.stream,), daemon=True).start()

    def answer(self, stream):
        self.owner.asked = self
        try:
            self.owner.on_head(self, stream)
        except OSError:
            self.ended.set()

    def send(self, data):
        self.sock.sendall(data)

    def flood(self, frame, frames_max=FRAMES_MAX):
        """The same frame until nobody takes it any more."""
        while self.sent_frames < frames_max:
            self.send(frame * UNIT_FRAMES)
            self.sent_frames += UNIT_FRAMES
        raise AssertionError("nobody minds")

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Http2HostileUpstreamTest(rig.FleetTest):
    workers = 1

    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()
        cls.upstream = RawUpstream(cls.rig.port())
        cls.rig.apply(rig.document(rig.service(cls.port, [
            rig.route("ok", path_prefix="/ok", respond={"status": 204}),
            rig.route("hostile", [cls.upstream], upstream_options={"protocol": "http2"})])))

    @classmethod
    def tearDownClass(cls):
        cls.upstream.close()
        super().tearDownClass()

    def setUp(self):
        super().setUp()
        self.proxy.forget_peak()
        self.before_kib = self.proxy.rss_kib()
        self.bystander = self.client()

    def begin(self, on_head, window=0):
        """What the upstream does from now on; its window is known when the next request comes."""
        rig.wait_for("a connection", lambda: (
            self.upstream.begin(window),
            self.client().ask(rig.request("/hostile")).status == 204)[1])
        self.upstream.on_head = on_head

    def assert_unharmed(self):
        for _ in range(20):
            self.assertEqual(self.bystander.ask(rig.request("/ok")).status, 204)
        grown = self.proxy.rss_kib("VmHWM") - self.before_kib
        self.assertLess(grown, GROWTH_KIB_MAX, "KiB of memory more than before")

    def assert_ended(self):
        """The connection of the flood is over, and not because all of it was taken."""
        rig.wait_for("the request", lambda: self.upstream.asked)
        connection = self.upstream.asked
        self.assertTrue(connection.ended.wait(rig.DEADLINE), "the flood is still heard")
        self.assertLess(connection.sent_frames, FRAMES_MAX)
        self.assert_unharmed()

    def post(self, size=1000):
        return self.client().ask(rig.request("/hostile", method="POST", body=b"x" * size), "POST")

    # --- Heads.
    def test_interim_heads_while_the_request_has_no_window(self):
        """The exchange waits to send, and looks at no head."""
        self.begin(lambda connection, stream: connection.flood(head(stream, 103)))
        answer = self.post()
        self.assertEqual(answer.status, 502)
        self.assert_ended()

    def test_interim_heads_for_a_client_that_does_not_read(self):
        self.begin(lambda connection, stream: connection.flood(
            head(stream, 103, h2.literal("link", "x" * 120))), window=65535)
        client = self.client()
        client.send(rig.request("/hostile"))
        self.assert_ended()

    def test_interim_heads_for_a_client_of_http2(self):
        self.begin(lambda connection, stream: connection.flood(head(stream, 103)), 65535)
        client = h2_client.Client(self.proxy.host, self.port)
        self.addCleanup(client.close)
        answer = client.ask("/hostile", method="GET")
        self.assertEqual(answer.status, 502)
        self.assertLessEqual(len(answer.interim), 32)
        self.assert_ended()

    def test_few_interim_heads_that_are_large(self):
        """All that wait have the room of one head."""
        large = b"".join(h2.literal(f"x-{i}", "y" * 120) for i in range(60))
        self.begin(lambda connection, stream: connection.send(
            head(stream, 103, large) * 30))
        self.assertEqual(self.post().status, 502)
        self.assert_unharmed()

    def test_as_many_interim_heads_as_may_wait_get_through(self):
        def answer(connection, stream):
            connection.send(head(stream, 103, h2.literal("link", "</a.css>")) * 20)
            connection.send(h2.frame(h2.WINDOW_UPDATE, 0, stream, struct.pack(">I", 65535)))
            connection.send(head(stream, 204, end=True))
        self.begin(answer)
        answer = self.post()
        self.assertEqual((answer.status, len(answer.interim)), (204, 20))

    def test_a_head_that_is_looked_for_while_it_comes(self):
        """One head is whole, and the next has begun, when the first is taken."""
        first = threading.Event()

        def answer(connection, stream):
            connection.send(head(stream, 103, h2.literal("link", "</1.css>")) +
                            head(stream, 103, h2.literal("link", "</2.css>"), whole=False))
            first.wait(rig.DEADLINE)
            connection.send(h2.frame(h2.CONTINUATION, h2.END_HEADERS, stream,
                                     h2.literal("x-more", "z" * 100) * 10))
            connection.send(head(stream, 204, end=True))
        self.begin(answer, 65535)
        client = self.client()
        client.send(rig.request("/hostile"))
        rig.wait_for("the first head", lambda: b"</1.css>" in bytes(client.wire.raw) or
                     client.wire.more() and False)
        self.assertNotIn(b"</2.css>", bytes(client.wire.raw))
        first.set()
        answer = client.response()
        self.assertEqual(answer.status, 204)
        self.assertEqual([(i.status, i.get("link"), len(i.all("x-more"))) for i in answer.interim],
                         [(103, "</1.css>", 0), (103, "</2.css>", 10)])

    def test_heads_of_a_stream_that_is_over(self):
        def answer(connection, stream):
            connection.send(head(stream, 204, end=True))
            connection.flood(head(stream, 103))
        self.begin(answer, 65535)
        self.assertEqual(self.client().ask(rig.request("/hostile")).status, 204)
        self.assert_ended()

    # --- Other frames.
    def test_floods_of_frames(self):
        floods = {
            "WINDOW_UPDATE": UPDATE,
            "PING": h2.frame(h2.PING, 0, 0, bytes(8)),
            "PING that answers none": h2.frame(h2.PING, h2.ACK, 0, bytes(8)),
            "SETTINGS": h2.settings(),
            "GOAWAY": h2.frame(h2.GOAWAY, 0, 0, struct.pack(">II", 0x7fffffff, 0)),
            "PRIORITY": h2.frame(h2.PRIORITY, 0, 1, bytes(5)),
            "RST_STREAM": h2.frame(h2.RST_STREAM, 0, 1, struct.pack(">I", h2.CANCEL)),
        }
        for name, frame in floods.items():
            with self.subTest(name):
                self.begin(lambda connection, stream: connection.flood(frame), 65535)
                self.assertEqual(self.post().status, 502)
                self.assert_ended()

    def test_updates_for_what_was_sent_are_no_flood(self):
        """A reader that gives back each small portion by itself, for both windows."""
        portion, size = 512, 2 << 20
        whole = threading.Event()

        def answer(connection, stream):
            each = b"".join(h2.frame(h2.WINDOW_UPDATE, 0, n, struct.pack(">I", portion))
                            for n in (stream, 0))

            def take(read):
                if read.type == h2.DATA:
                    connection.send(each * (len(read.payload) // portion + 1))
                    if read.flags & h2.END_STREAM:
                        whole.set()
            connection.take = take
            connection.send(each * 60)
            whole.wait(rig.DEADLINE)
            connection.send(head(stream, 204, end=True))
        self.begin(answer)
        self.assertEqual(self.post(size).status, 204)

    # --- At the end.
    def test_a_proxy_under_attack_ends_when_told(self):
        self.begin(lambda connection, stream: connection.flood(
            h2.frame(0xfa), 1 << 60), 65535)  # Unknown ones are to be ignored.
        client = self.client()
        client.send(rig.request("/hostile"))
        rig.wait_for("the flood", lambda: self.upstream.asked and
                     self.upstream.asked.sent_frames > 10 * UNIT_FRAMES)
        self.assert_unharmed()
        client.reset()
        self.addCleanup(self.start_again)
        self.assertEqual(self.proxy.stop(), 0)

    def start_again(self):
        self.proxy.start()
        rig.wait_for("service", lambda: socket.create_connection(
            (self.proxy.host, self.port), rig.DEADLINE).close() is None)


if __name__ == "__main__":
    rig.main()
