#!/usr/bin/python3
"""timeouts.request and a call's deadline hold while a body flows, whichever way it goes: what keeps
coming lets no timer fire."""
import contextlib
import socket
import struct
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import h1
import h2_client
import rig
import streams

LIMIT = 0.5  # Seconds.
LATEST = 1.4 * rig.SLOWDOWN  # Ten times as long as the drips go on is what a failure looks like.
DRIPS = 5 * rig.SLOWDOWN
PIECE = b"d" * 200
HUGE = 1 << 31


class DeadlineTest(rig.FleetTest):
    workers = 1

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port, cls.tls_port = r.port(), r.port()
        cls.up = r.upstream(on_request=cls.drip)
        cls.new = r.h2_upstream(on_request=cls.drip_h2)
        cls.files = r.nginx("files")
        cls.file = cls.files.file("big", HUGE)
        certificate = r.cert("a", ["a.test"])
        limit = {"timeouts": {"request": f"{int(LIMIT * 1000)}ms"}}
        http2 = {"protocol": "http2"}
        routes = [
            rig.route("h2", [cls.new], path_prefix="/h2", upstream_options=http2, **limit),
            rig.route("call", [cls.new], path_prefix="/test.S", upstream_options=http2),
            rig.route("files", [cls.files], path_prefix="/files", **limit),
            rig.route("h1", [cls.up], path_prefix="/", **limit)]
        named = [{**route, "upstreams": [{"name": route["upstreams"][0]["name"]}]}
                 for route in routes]
        r.apply(rig.document(
            rig.service(cls.port, routes),
            rig.service(cls.tls_port, named, "tls", tls={
                "enabled": True, "cert_path": certificate.cert, "key_path": certificate.key})))

    # --- Upstreams that never stop for long.
    @staticmethod
    def drips(send):
        end = time.monotonic() + DRIPS
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                send()
                time.sleep(0.0005)

    @classmethod
    def drip(cls, connection, request):
        chunked = "chunked" in request.target
        connection.send(b"HTTP/1.1 200 OK\r\n" + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked
                                                  else b"Content-Length: %d\r\n\r\n" % HUGE))
        if "flood" in request.target:
            with contextlib.suppress(OSError):
                while True:
                    connection.send(b"10000\r\n" + bytes(0x10000) + b"\r\n" if chunked
                                    else bytes(1 << 16))
        cls.drips(lambda: connection.send(b"c8\r\n" + PIECE + b"\r\n" if chunked else PIECE))
        return "close"

    @classmethod
    def drip_h2(cls, request):
        fields = [("content-type", "application/grpc")] if "test.S" in request.path else []
        request.connection.head(request.stream, 200, fields)

        def send():
            if request.reset is not None:
                raise OSError("reset")
            request.connection.data(request.stream, struct.pack(">BI", 0, 195) + PIECE[:195])
        cls.drips(send)

    # --- What the clients see.
    def record(self, path):
        return self.proxy.wait_record(lambda r: r["path"] == path)

    def assert_cut_in_time(self, path, failure, read):
        begin = time.monotonic()
        with self.assertRaises((h1.Cut, ConnectionError, socket.timeout)):
            read()
        self.assertGreaterEqual(time.monotonic() - begin, LIMIT - 0.01)
        record = self.record(path)
        self.assertIn(record["failure"], failure, record)
        self.assertLess(record["duration_ms"], LATEST * 1000)

    def test_drips(self):
        for kind in ("/chunked", "/spliced", "/h2"):
            for version, make in streams.KINDS.items():
                for secure in (False, True):
                    path = f"{kind}-{make.__name__}-{secure}"
                    with self.subTest(path), contextlib.closing(make(
                            self.proxy.host, self.tls_port if secure else self.port,
                            certs.client_context() if secure else None, "a.test")) as stream:
                        def read(stream=stream, path=path):
                            stream.start(path)
                            self.assertEqual(stream.status(), 200)
                            stream.rest()
                        self.assert_cut_in_time(path, ["upstream_body_timeout"], read)

    def test_as_fast_as_it_goes(self):
        def read():
            with h1.Client(self.proxy.host, self.port) as client:
                client.wire.raw_max = 0
                client.send(rig.request(self.file))
                while client.wire.more():
                    client.wire.buffer.clear()
                raise h1.Cut("ended")
        self.assert_cut_in_time(self.file, ["upstream_body_timeout", "client_gone"], read)

    def test_a_client_that_reads_little_by_little(self):
        for kind in ("chunked", "spliced"):
            path = f"/{kind}-flood"
            with self.subTest(path), socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.settimeout(rig.DEADLINE)
                client.connect((self.proxy.host, self.port))

                def read(client=client, path=path):
                    client.sendall(rig.request(path))
                    end = time.monotonic() + DRIPS
                    while time.monotonic() < end and client.recv(2048):
                        time.sleep(0.0005)
                    raise h1.Cut("ended")
                # It is not the upstream's fault.
                self.assert_cut_in_time(path, ["client_gone"], read)

    def test_a_call_that_streams(self):
        for timeout in ("500m", "500000u"):
            client = h2_client.Client(self.proxy.host, self.port)
            self.addCleanup(client.close)
            begin = time.monotonic()
            path = f"/test.S/Drip{timeout}"
            response = client.ask(path, [("content-type", "application/grpc"), ("te", "trailers"),
                                         ("grpc-timeout", timeout)], struct.pack(">BI", 0, 0))
            self.assertIsNotNone(response.reset)
            self.assertGreaterEqual(time.monotonic() - begin, LIMIT - 0.01)
            record = self.record(path)
            self.assertEqual(record["failure"], "deadline_exceeded")
            self.assertLess(record["duration_ms"], LATEST * 1000)

    def test_what_is_complete_in_time_is_left_alone(self):
        """The body's last piece comes long before the limit, and the connection serves on."""
        self.up.on_request = lambda c, q: b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + \
            bytes(300_000)
        self.addCleanup(setattr, self.up, "on_request", self.drip)
        with h1.Client(self.proxy.host, self.port) as client:
            for _ in range(3):
                self.assertEqual(len(client.ask(rig.request("/whole")).body), 300_000)
                time.sleep(LIMIT / 2)


if __name__ == "__main__":
    rig.main()
