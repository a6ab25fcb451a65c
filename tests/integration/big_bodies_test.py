#!/usr/bin/python3
"""Bodies of any size stream through a bounded amount of memory."""
import threading
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import h1
import rig
from upstream import reply

SIZE = (1 << 30) if not rig.SANITIZER else (64 << 20)
GROWTH_KIB = 64 << 10 if not rig.SANITIZER else 256 << 10


class BigBodiesTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        cls.port, cls.tls_port = cls.rig.port(), cls.rig.port()
        cls.backend = cls.rig.nginx("files")
        cls.file = cls.backend.file("big", SIZE)
        cls.up = cls.rig.upstream(on_request=lambda c, r: reply(str(r.body_bytes)))
        cls.site = cls.rig.cert("site", ["a.test"])
        routes = [rig.route("files", [cls.backend], path_prefix="/files"),
                  rig.route("all", [cls.up])]
        cls.rig.apply(rig.document(
            rig.service(cls.port, routes, limits={"body_bytes": 0}),
            rig.service(cls.tls_port, routes, name="tls", limits={"body_bytes": 0},
                        tls={"enabled": True, "cert_path": cls.site.cert, "key_path": cls.site.key})))

    def bounded(self, what):
        before = self.proxy.rss_kib()
        what()
        grown = self.proxy.rss_kib("VmHWM") - before
        self.assertLess(grown, GROWTH_KIB, "KiB of memory more than before")

    def download(self, port, tls=None):
        with h1.Client(self.proxy.host, port, tls=tls, server_name="a.test" if tls else None) as client:
            client.wire.raw_max = 0
            answer = client.ask(rig.request(self.file))
        self.assertEqual((answer.status, answer.body_bytes), (200, SIZE))

    def upload(self, port, chunked, tls=None):
        piece = b"x" * (1 << 20)
        with h1.Client(self.proxy.host, port, tls=tls, server_name="a.test" if tls else None) as client:
            if chunked:
                client.send(b"POST /up HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in range(SIZE // len(piece)):
                    client.send(b"100000\r\n" + piece + b"\r\n")
                client.send(b"0\r\n\r\n")
            else:
                client.send(f"POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Length: {SIZE}\r\n\r\n")
                for _ in range(SIZE // len(piece)):
                    client.send(piece)
            self.assertEqual(client.response("POST").body, str(SIZE).encode())

    def test_download(self):
        self.bounded(lambda: self.download(self.port))

    def test_download_over_tls(self):
        self.bounded(lambda: self.download(self.tls_port, certs.client_context()))

    def test_upload(self):
        self.bounded(lambda: self.upload(self.port, False))

    def test_upload_in_chunks(self):
        self.bounded(lambda: self.upload(self.port, True))

    def test_upload_over_tls(self):
        self.bounded(lambda: self.upload(self.tls_port, False, certs.client_context()))

    def test_a_slow_reader_holds_the_upstream_back(self):
        """Backpressure: what a client does not read is not read from the upstream either."""
        sent, stalled = [0], threading.Event()

        def flood(connection, request):
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n".encode())
            connection.sock.settimeout(2)
            try:
                while sent[0] < SIZE:
                    sent[0] += connection.sock.send(b"y" * (1 << 18))
            except TimeoutError:
                stalled.set()
            return "close"
        self.up.on_request = flood
        self.addCleanup(setattr, self.up, "on_request", lambda c, r: reply(str(r.body_bytes)))
        client = self.client()
        client.send(rig.request("/flood"))
        self.assertTrue(stalled.wait(rig.DEADLINE), f"{sent[0]} bytes were taken from the upstream")
        self.assertLess(sent[0], 64 << 20)


if __name__ == "__main__":
    rig.main()
