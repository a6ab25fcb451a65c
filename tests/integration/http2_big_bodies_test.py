#!/usr/bin/python3
"""Large bodies where HTTP/2 is spoken on either side: flow control from end to end, in a bounded
amount of memory, also where a reader stands still."""
import select
import subprocess
import unittest  # noqa: F401

import _path  # noqa: F401
import h1
import h2_client
import rig
from upstream import reply

SIZE = (128 << 20) if not rig.SANITIZER else (32 << 20)
GROWTH_KIB = 32 << 10 if not rig.SANITIZER else 256 << 10
STALLED = 64  # Streams of one connection.
# What the sockets on the way hold, and the windows.
UNTAKEN_MAX = 32 << 20
HTTP2 = {"protocol": "http2"}
CLIENTS = {"h1": "--http1.1", "h2": "--http2-prior-knowledge"}


class Http2BigBodiesTest(rig.FleetTest):
    workers = 1

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port, nghttpd = r.port(), r.port()
        cls.nginx = r.nginx("files")
        cls.file = cls.nginx.file("big", SIZE)
        cls.body = f"{cls.nginx.files}/big"
        cls.up = r.upstream(on_request=lambda c, q: reply(str(q.body_bytes)))
        r.program("nghttpd", "nghttpd", "--no-tls", "-a", "127.0.0.1", "--echo-upload",
                  "-d", f"{r.dir}/files.root", nghttpd)
        cls.hoarder = r.h2_upstream(hoards=True)
        routes = [
            rig.route("h1-files", [cls.nginx], path_prefix="/h1/files", strip_prefix="/h1"),
            rig.route("h1", [cls.up], path_prefix="/h1", strip_prefix="/h1"),
            rig.route("hoarder", [cls.hoarder], path_prefix="/hoarder", upstream_options=HTTP2),
            rig.route("h2", [f"127.0.0.1:{nghttpd}"], path_prefix="/h2", strip_prefix="/h2",
                      upstream_options=HTTP2)]
        r.apply(rig.document(rig.service(cls.port, routes, limits={"body_bytes": 0})))
        rig.wait_for("nghttpd", lambda: cls.curl("h1", "/h2/files/none")[0] == 404)

    @classmethod
    def curl(cls, client, path, *args):
        """(status, bytes received, bytes sent)"""
        run = subprocess.run(
            ["curl", "-sS", "--max-time", "200", CLIENTS[client], "-H", "Expect:", "-o", "/dev/null",
             "-w", "%{http_code} %{size_download} %{size_upload}", *args,
             f"http://{cls.rig.proxies[0].host}:{cls.port}{path}"], capture_output=True, text=True)
        assert run.returncode == 0, run
        return tuple(map(int, run.stdout.split()))

    def setUp(self):
        super().setUp()
        self.proxy.forget_peak()
        self.before_kib = self.proxy.rss_kib()

    def assert_bounded(self):
        grown = self.proxy.rss_kib("VmHWM") - self.before_kib
        self.assertLess(grown, GROWTH_KIB, "KiB of memory more than before")

    # --- Readers that read.
    def test_downloads(self):
        for client, server in (("h2", "h1"), ("h1", "h2"), ("h2", "h2")):
            with self.subTest(client=client, server=server):
                self.assertEqual(self.curl(client, f"/{server}{self.file}")[:2], (200, SIZE))
                self.assert_bounded()

    def test_uploads(self):
        self.assertEqual(self.curl("h2", "/h1/up", "-X", "POST", "-T", self.body),
                         (200, len(str(SIZE)), SIZE))
        self.assertEqual(self.up.last().body_bytes, SIZE)
        self.assert_bounded()
        for client in CLIENTS:
            with self.subTest(client=client):
                self.assertEqual(self.curl(client, "/h2/up", "-X", "POST", "-T", self.body),
                                 (200, SIZE, SIZE))
                self.assert_bounded()

    # --- Readers that do not.
    def test_clients_that_take_nothing(self):
        """Many streams, none of which gives anything back; somebody else is served meanwhile."""
        for server in ("h1", "h2"):
            with self.subTest(server=server):
                client = h2_client.Client(self.proxy.host, self.port)
                try:
                    for _ in range(STALLED):
                        client.start(f"/{server}{self.file}", method="GET", end=True)
                    # Of the connection's window nothing is left.
                    self.receive_until(client, lambda: client.h2.inbound_flow_control_window <= 0)
                    # Before those who stand still are given up.
                    self.assertEqual(self.curl("h1", f"/{server}{self.file}", "--max-time", "40")[:2],
                                     (200, SIZE))
                    self.assert_bounded()
                finally:
                    client.close()

    def receive_until(self, client, condition):
        while not condition():
            self.receive_some(client)

    def receive_some(self, client):
        data = client.sock.recv(65536)
        self.assertTrue(data, "the proxy closed the connection")
        client.h2.receive_data(data)
        client.flush()

    def test_an_upload_nobody_takes(self):
        for client, send in (("h1", self.upload_by_h1), ("h2", self.upload_by_h2)):
            with self.subTest(client=client):
                self.assertLess(send("/hoarder/up"), UNTAKEN_MAX)
                # What needs no window goes on, over the same connection.
                self.assertEqual(self.curl("h1", "/hoarder/get")[0], 200)
                self.assert_bounded()

    def upload_by_h1(self, path):
        """How many bytes went out until nothing more did."""
        client = h1.Client(self.proxy.host, self.port)
        self.addCleanup(client.reset)
        client.send(f"POST {path} HTTP/1.1\r\nHost: a.test\r\nContent-Length: {SIZE}\r\n\r\n")
        client.sock.setblocking(False)
        sent, piece = 0, b"x" * (1 << 16)
        while sent < SIZE and select.select([], [client.sock], [], 2)[1]:
            sent += client.sock.send(piece)
        return sent

    def upload_by_h2(self, path):
        client = h2_client.Client(self.proxy.host, self.port)
        self.addCleanup(client.close)
        return self.fill(client, path, STALLED)

    def fill(self, client, path, count):
        """As many uploads, each as far as its window goes; the bytes that went out."""
        streams = [client.start(path) for _ in range(count)]
        piece = b"x" * (1 << 14)
        sent = 0
        while True:
            open_now = [(s, client.h2.local_flow_control_window(s)) for s in streams]
            if stream := next((s for s, window in open_now if window > 0), None):
                size = min(client.h2.local_flow_control_window(stream), len(piece))
                client.send(stream, piece[:size])
                sent += size
            elif select.select([client.sock], [], [], 2)[0]:
                self.receive_some(client)
            else:
                return sent  # Neither may more be sent, nor does anything come that allows it.

    def test_uploads_beside_some_that_are_not_taken(self):
        """They hold most of the connection's window, and the rest of it goes round."""
        client = h2_client.Client(self.proxy.host, self.port)
        self.addCleanup(client.close)
        self.assertGreater(self.fill(client, "/hoarder/up", 3), 700_000)
        stream = client.start("/h1/up")
        size = 8 << 20
        client.send_all(stream, b"y" * size)
        client.send(stream, end=True)
        self.assertEqual(client.finish(stream).body, str(size).encode())
        self.assert_bounded()


if __name__ == "__main__":
    rig.main()
