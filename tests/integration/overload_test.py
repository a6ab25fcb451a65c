#!/usr/bin/python3
"""Short of descriptors, connections or memory, the proxy turns newcomers away and lives."""
import contextlib
import resource
import socket
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import h1
import h2_client
import rig
from upstream import reply

MIB = 1 << 20


class OverloadTest(rig.FleetTest):
    workers = 1

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.certificate = r.cert("a", ["a.test"])
        cls.port, cls.tls_port, cls.raw_port = r.port(), r.port(), r.port()
        cls.up = r.upstream(on_request=lambda c, q: reply(b"ok"))
        cls.held = r.upstream(on_request=lambda c, q: None)
        cls.apply()

    @classmethod
    def apply(cls, **limits):
        held = rig.route("held", [cls.held], path_prefix="/held")
        rest = rig.route("all", [cls.up])
        tls = {"enabled": True, "cert_path": cls.certificate.cert, "key_path": cls.certificate.key}
        cls.rig.apply(rig.document(
            rig.service(cls.port, [held, rig.route("fixed", path_prefix="/fixed",
                                                   respond={"status": 204}), rest]),
            rig.service(cls.tls_port, [rest], name="tls", tls=tls),
            rig.service(cls.raw_port, [rest], name="raw", protocol="tcp"),
            server={"limits": limits} if limits else {}))

    def setUp(self):
        super().setUp()
        self.open = []
        self.addCleanup(self.close_all)

    def close_all(self):
        for sock in self.open:
            sock.close()
        self.open.clear()
        self.apply()
        rig.wait_for("all connections to be gone",
                     lambda: self.figure("sluice_connections_active") == 0)

    def connect(self, port=None):
        sock = socket.create_connection((self.proxy.host, port or self.port), rig.DEADLINE)
        self.open.append(sock)
        return sock

    def figure(self, name, **labels):
        return rig.metric(self.proxy.metrics(), name, **labels)

    def busy(self, count):
        """So many connections with a request under way."""
        before = len(self.held.requests)
        for _ in range(count):
            self.connect().sendall(rig.request("/held"))
        rig.wait_for(f"{count} held requests", lambda: len(self.held.requests) == before + count)
        return self.open[-count:]

    def finish(self, sockets):
        """Each of the requests under way is answered after all."""
        for connection in self.held.connections:
            with contextlib.suppress(OSError):  # Some clients have left.
                connection.send(reply(b"late"))
        for sock in sockets:
            data = b""
            while not data.endswith(b"late"):
                more = sock.recv(4096)
                self.assertTrue(more, data)
                data += more

    def assert_refused(self, sock):
        sock.sendall(rig.request("/"))
        data = b""
        try:
            while piece := sock.recv(4096):
                data += piece
        except ConnectionResetError:  # What was sent behind the refusal was not read.
            pass
        if data:
            self.assertTrue(data.startswith(b"HTTP/1.1 503 "), data)
            self.assertIn(b"Retry-After: 1\r\n", data)
        return bool(data)

    def test_beyond_the_limit_of_connections_newcomers_get_503(self):
        self.apply(connections=20)
        busy = self.busy(20)
        shed = self.figure("sluice_overload_shed_total", resource="connections")
        told = sum(self.assert_refused(self.connect()) for _ in range(10))
        self.assertGreater(told, 0)
        with self.assertRaises((OSError, EOFError)):
            certs.client_context().wrap_socket(self.connect(self.tls_port),
                                               server_hostname="a.test").recv(1)
        self.assertEqual(self.connect(self.raw_port).recv(1), b"")
        self.assertEqual(self.figure("sluice_overload_shed_total", resource="connections"),
                         shed + 12)
        self.assertGreaterEqual(self.figure("sluice_failures_total", service="web",
                                            code="overloaded"), 10)
        self.assertEqual(self.figure("sluice_overload_limit", resource="connections"), 20)
        self.finish(busy)
        rig.wait_for("idle ones to make room", lambda: self.get("/").status == 200)

    def test_idle_connections_make_room_for_new_ones(self):
        self.apply(connections=20)
        busy = self.busy(5)
        idle = [self.connect() for _ in range(15)]
        for sock in idle[:5]:  # The oldest have been served before.
            sock.sendall(rig.request("/fixed"))
            self.assertTrue(sock.recv(4096).startswith(b"HTTP/1.1 204 "))
        for _ in range(40):
            with self.client() as client:
                self.assertEqual(client.ask(rig.request("/")).status, 200)
        self.finish(busy)

    def test_out_of_descriptors(self):
        before = resource.prlimit(self.proxy.pid, resource.RLIMIT_NOFILE)
        self.addCleanup(resource.prlimit, self.proxy.pid, resource.RLIMIT_NOFILE, before)
        resource.prlimit(self.proxy.pid, resource.RLIMIT_NOFILE, (256, before[1]))
        self.apply(connections=1_000_000)  # Limits are looked at whenever a version goes into service.
        self.assertEqual(self.figure("sluice_overload_limit", resource="descriptors"), 192)
        busy = self.busy(40)
        idle = [self.connect() for _ in range(600)]
        self.assertEqual(self.get("/").status, 200)
        # With requests under way on all it lets in, nothing is left to be given up.
        for _ in range(300):
            sock = self.connect()
            sock.sendall(rig.request("/held"))
        rig.wait_for("refusals", lambda: self.figure(
            "sluice_overload_shed_total", resource="descriptors") > 600)
        # Where one that was held has given up its place, a newcomer may be served.
        with contextlib.suppress(h1.Gone, ConnectionResetError):
            self.assertIn(self.get("/").status, (200, 503))
        self.assertLessEqual(self.proxy.open_files(), 256)
        self.assertTrue(self.proxy.healthy())
        self.finish(busy)
        for sock in self.open:
            sock.close()
        del idle
        rig.wait_for("room again", lambda: self.get("/").status == 200)
        self.assertEqual(self.rig.ctl.state("node-1"), "synced")
        self.assertEqual(self.figure("sluice_endpoint_healthy", upstream="all-up"), 1)

    @unittest.skipIf(rig.SANITIZER, "a sanitizer keeps freed memory, so it would stay short")
    def test_short_of_memory_requests_are_shed(self):
        resident = self.proxy.rss_kib() << 10
        limit = max(64 * MIB, resident + 24 * MIB)
        self.apply(memory_bytes=limit)
        client = self.client()
        self.assertEqual(client.ask(rig.request("/")).status, 200)
        idle = self.connect()
        talk = self.connect(self.raw_port)  # Began before.
        self.assert_talks(talk)
        # Uploads nobody reads: a buffer each, kept while its request waits.
        filling = []
        head = b"POST /held HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10000000\r\n\r\n"
        while not self.figure("sluice_overload_shedding"):
            self.assertLess(len(filling), 5000)
            for _ in range(50):
                sock = self.connect()
                sock.setblocking(False)
                sock.send(head + bytes(200_000))
                filling.append(sock)
            time.sleep(0.05)
        rig.wait_for("the idle one to be closed", lambda: idle.recv(1) == b"")
        answer = self.get("/")
        self.assertEqual((answer.status, answer.get("retry-after")), (503, "1"))
        self.assertEqual(answer.get("connection"), "close")
        record = self.proxy.wait_record(lambda r: r.get("failure") == "overloaded")
        self.assertEqual(record["status"], 503)
        over_h2 = h2_client.Client(self.proxy.host, self.port)
        self.addCleanup(over_h2.close)
        self.assertEqual(over_h2.finish(over_h2.start("/", method="GET", end=True)).status, 503)
        self.assertEqual(self.get("/fixed").status, 204, "what costs nothing is served")
        self.assert_tcp_is_shed(talk)
        self.assertTrue(self.proxy.healthy())
        for sock in filling:
            sock.close()
        rig.wait_for("requests to be served again", lambda: self.get("/").status == 200)
        self.assertEqual(self.figure("sluice_overload_shedding"), 0)
        self.assert_talks(self.connect(self.raw_port))
        self.assertIn("memory is short", self.proxy.output())
        self.assertIn("memory is no longer short", self.proxy.output())

    def assert_talks(self, sock):
        sock.sendall(rig.request("/"))
        self.assertTrue(sock.recv(4096).startswith(b"HTTP/1.1 200 "))

    def assert_tcp_is_shed(self, open_before):
        """Newcomers of a TCP service hear an end at once; who talks goes on."""
        shed = self.figure("sluice_overload_shed_total", resource="memory")
        for _ in range(3):
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(self.connect(self.raw_port).recv(1), b"")
        self.assertGreaterEqual(self.figure("sluice_overload_shed_total", resource="memory"),
                                shed + 3)
        self.assert_talks(open_before)

    def test_limits_are_checked(self):
        said = self.rig.ctl("validate", "-f", self.rig.write(rig.document(
            rig.service(self.port, [rig.route("all", [self.up])]),
            server={"limits": {"memory_bytes": 1000}})), code=1)
        self.assertIn("memory_bytes", str(said))
        self.assertIn("at least 67108864", str(said))


if __name__ == "__main__":
    rig.main()
