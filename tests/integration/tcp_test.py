#!/usr/bin/python3
"""TCP services: bytes both ways, balanced, checked; TLS opened here or passed on by its name."""
import contextlib
import hashlib
import itertools
import os
import select
import socket
import ssl
import subprocess
import threading
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import rig


class Echo:
    """Greets with its name, then sends back what comes; at the client's end, "bye", then closes."""

    def __init__(self, port, name, tls=None, reset=False):
        self.port, self.name, self.tls, self.reset = port, name, tls, reset
        self.accepted, self.first, self.server_names = 0, [], []
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def complaint(self):
        return None

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            sock.sendall(self.name.encode() + b"\n")
            if self.reset:
                sock.recv(1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                return
            while data := sock.recv(1 << 16):
                self.first.append(data[:200])
                sock.sendall(data)
            sock.sendall(b"bye")
        except OSError:
            pass
        finally:
            sock.close()


def server_tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    return context


class TcpTest(rig.FleetTest):
    workers = 2

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.authority = r.cert("ca")
        certs = {name: r.cert(name, [f"{name}.test"], issuer=cls.authority)
                 for name in ("a", "b", "front")}
        cls.echoes = [Echo(r.port(), f"echo-{i}") for i in range(2)]
        cls.a, cls.b = (Echo(r.port(), name, tls=server_tls(certs[name])) for name in "ab")
        cls.plain = Echo(r.port(), "plain")
        cls.resets = Echo(r.port(), "resets", reset=True)
        cls.nginx = r.nginx("backend", certificate=certs["a"])
        cls.page = cls.nginx.file("big.bin", 5_000_000)
        names = ("echo", "sni", "terminated", "sent", "read", "short", "dead", "resets", "web",
                 "strict")
        cls.ports = {name: r.port() for name in names}

        def service(name, routes, **options):
            return rig.service(cls.ports[name], routes, name=name, protocol="tcp", **options)

        def one(name, nodes, upstream_options=None, **options):
            return rig.route(name, nodes, upstream_name=f"{name}-up",
                             upstream_options=upstream_options, **options)
        check = {"schema": "tcp", "frequency_secs": 1, "timeout": "500ms", "healthy_after": 1,
                 "unhealthy_after": 1}
        cls.services = [
            service("echo", [one("echo", cls.echoes, {"lb_strategy": "round_robin",
                                                      "health_check": check})]),
            service("sni", [one("a", [cls.a], host="a.test"), one("b", [cls.b], host="*.b.test"),
                            one("rest", [cls.plain])]),
            service("strict", [{"name": "only", "host": "a.test", "upstreams": [{"name": "a-up"}]}]),
            service("terminated", [{"name": "t", "upstreams": [{"name": "rest-up"}]}],
                    tls={"enabled": True, "cert_path": certs["front"].cert,
                         "key_path": certs["front"].key}),
            service("sent", [one("sent", [cls.plain], {"proxy_protocol": "v1"})]),
            service("read", [{"name": "r", "upstreams": [{"name": "sent-up"}]}],
                    proxy_protocol={"trusted": ["127.0.0.0/8"], "required": True}),
            service("short", [{"name": "s", "timeouts": {"tunnel": "500ms"},
                               "upstreams": [{"name": "rest-up"}]}]),
            service("dead", [one("dead", [f"127.0.0.1:{r.port()}"])]),
            service("resets", [one("resets", [cls.resets])]),
            service("web", [one("web", [cls.nginx])])]
        r.apply(rig.document(*cls.services))

    @classmethod
    def tearDownClass(cls):
        for echo in [*cls.echoes, cls.a, cls.b, cls.plain, cls.resets]:
            echo.stop()
        super().tearDownClass()

    def connect(self, name):
        sock = socket.create_connection((self.proxy.host, self.ports[name]), 20)
        self.addCleanup(sock.close)
        return sock

    @staticmethod
    def line(sock):
        out = b""
        while not out.endswith(b"\n"):
            byte = sock.recv(1)
            if not byte:
                break
            out += byte
        return out.decode().strip()

    def log_of(self, service, **what):
        def find():
            lines = [line for line in self.proxy.access_records() if line["service"] == service]
            for line in lines:
                if what.items() <= line.items():
                    return line
            raise AssertionError(lines[-3:])
        return rig.wait_for("the access log", find)

    # --- Bytes.
    def test_who_speaks_first_does_not_matter_and_ends_are_passed_on(self):
        with self.connect("echo") as sock:
            self.assertIn(self.line(sock), ("echo-0", "echo-1"))
            sock.sendall(b"hello")
            self.assertEqual(sock.recv(100), b"hello")
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(sock.recv(100), b"bye")
            self.assertEqual(sock.recv(100), b"")
        self.log_of("echo", protocol="TCP", route="echo", upstream="echo-up", failure="",
                    request_bytes=5, response_bytes=7 + 5 + 3)

    def test_connections_are_balanced(self):
        names = []
        for _ in range(20):
            with self.connect("echo") as sock:
                names.append(self.line(sock))
        self.assertEqual({names.count("echo-0"), names.count("echo-1")} <= set(range(6, 15)), True)

    def test_much_both_ways_at_once(self):
        for service in ("echo", "terminated"):
            with self.subTest(service):
                sock = self.connect(service)
                if service == "terminated":
                    sock = self.wrap(sock, "front.test")
                self.line(sock)
                data = os.urandom(1 << 20) * 30
                got = self.exchange(sock, data)
                self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(data).digest())

    @staticmethod
    def exchange(sock, data):
        """Sends `data` and receives as much, at the same time and in one thread: Python's TLS
        sockets are not for two."""
        sock.setblocking(False)
        rest, got = memoryview(data), bytearray()
        deadline = time.monotonic() + rig.DEADLINE
        while len(got) < len(data):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(got)} of {len(data)} came, {len(rest)} not sent")
            moved = False
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if rest:
                    rest = rest[sock.send(rest[:1 << 18]):]
                    moved = True
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                piece = sock.recv(1 << 18)
                if not piece:
                    raise ConnectionError(f"ended after {len(got)} bytes")
                got += piece
                moved = True
            if not moved:
                select.select([sock], [sock] if rest else [], [], 1)
        return bytes(got)

    def test_a_slow_reader_slows_the_sender(self):
        before = self.proxy.rss_kib()
        sock = self.connect("echo")
        self.line(sock)
        sock.settimeout(1)
        sent = 0
        try:
            while sent < 200_000_000:
                sent += sock.send(b"x" * (1 << 16))
        except TimeoutError:
            pass
        self.assertLess(sent, 100_000_000)
        self.assertLess(self.proxy.rss_kib() - before, 20_000)

    # --- Ends of a bad kind.
    def test_resets_are_passed_on(self):
        sock = self.connect("resets")
        self.line(sock)
        sock.sendall(b"x")
        with self.assertRaises(ConnectionResetError):
            while sock.recv(100):
                pass
            raise AssertionError("a clean end")

    def test_silence_ends_a_connection_and_talk_does_not(self):
        sock = self.connect("short")
        self.line(sock)
        for _ in range(4):
            time.sleep(0.3)
            sock.sendall(b"x")
            self.assertEqual(sock.recv(10), b"x")
        started = time.monotonic()
        self.assertEqual(sock.recv(10), b"")
        self.assertGreater(time.monotonic() - started, 0.3)
        self.log_of("short", failure="tunnel_timeout")

    def test_nobody_listens(self):
        with self.assertRaises(ConnectionResetError):
            self.connect("dead").recv(1)
            raise AssertionError("a clean end")
        self.log_of("dead", failure="connect_failed")

    rounds = itertools.count(1)  # Each has client addresses of its own, by which its records are known.

    def healthy(self, echo):
        return rig.metric(self.proxy.metrics(), "sluice_endpoint_healthy", upstream="echo-up",
                          endpoint=echo.address)

    def names_of(self, count):
        """Who greets so many connections, and how many attempts the records of those tell of."""
        names, clients = set(), [f"127.9.{next(self.rounds)}.{i + 1}" for i in range(count)]
        for client in clients:
            with socket.create_connection((self.proxy.host, self.ports["echo"]), rig.DEADLINE,
                                          source_address=(client, 0)) as sock:
                names.add(self.line(sock))

        def attempts():
            made = {r["peer"]: r["attempts"] for r in self.proxy.access_records()}
            return all(client in made for client in clients) and \
                [made[client] for client in clients]
        return names, rig.wait_for("their records", attempts)

    def test_an_endpoint_that_went_is_left_out(self):
        gone = self.echoes[0]
        rig.wait_for("the first checks", lambda: self.healthy(gone) == 1)
        gone.stop()
        try:
            self.assertEqual(self.names_of(10)[0], {"echo-1"})  # By another try,
            rig.wait_for("a check to fail", lambda: self.healthy(gone) == 0)
            names, attempts = self.names_of(10)  # then without one.
            self.assertEqual((names, attempts), ({"echo-1"}, [1] * 10))
        finally:
            gone.start()
        rig.wait_for("a check to succeed", lambda: self.healthy(gone) == 1)
        names, attempts = self.names_of(10)
        self.assertEqual((names, attempts), ({"echo-0", "echo-1"}, [1] * 10))

    # --- TLS.
    def wrap(self, sock, name):
        context = ssl.create_default_context(cafile=self.authority.cert)
        return context.wrap_socket(sock, server_hostname=name)

    def test_tls_is_passed_on_by_its_name(self):
        sock = self.wrap(self.connect("sni"), "a.test")  # Verified: the upstream's certificate.
        self.assertEqual(self.line(sock), "a")
        sock.close()
        self.log_of("sni", host="a.test", route="a")
        run = subprocess.run(
            ["openssl", "s_client", "-connect", f"{self.proxy.host}:{self.ports['sni']}",
             "-servername", "x.B.test"], input=b"", capture_output=True, timeout=30)
        self.assertIn(b"subject=CN = b", run.stdout)

    def test_what_has_no_name_takes_the_route_without_one(self):
        for first in (b"plain text\n", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"):
            sock = self.connect("sni")
            sock.sendall(first)
            self.assertEqual(self.line(sock), "plain")
            self.assertEqual(sock.recv(100), first)

    def test_a_hello_in_single_bytes(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=self.authority.cert)
        tls = context.wrap_bio(incoming, outgoing, server_hostname="a.test")
        with self.assertRaises(ssl.SSLWantReadError):
            tls.do_handshake()
        sock = self.connect("sni")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in outgoing.read():
            sock.sendall(bytes([byte]))
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        self.assertEqual(tls.getpeercert()["subjectAltName"][0][1], "a.test")

    def test_no_route_for_the_name_closes(self):
        with self.assertRaises((ConnectionError, ssl.SSLError)):
            self.wrap(self.connect("strict"), "other.test")
        self.log_of("strict", failure="no_route", host="other.test")

    def test_tls_is_opened_here(self):
        sock = self.wrap(self.connect("terminated"), "front.test")
        self.assertEqual(self.line(sock), "plain")
        self.assertIsNone(sock.selected_alpn_protocol())

    def test_tls_that_ends_by_closing_alone_loses_nothing(self):
        sock = self.wrap(self.connect("terminated"), "front.test")
        self.line(sock)
        data = os.urandom(200_000)
        self.plain.first.clear()
        sock.sendall(data)
        socket.socket.shutdown(sock, socket.SHUT_WR)  # No close_notify.
        got = b""
        with contextlib.suppress(ssl.SSLEOFError):
            while piece := sock.recv(1 << 16):
                got += piece
        self.assertEqual(len(got), len(data) + 3)
        self.assertTrue(got == data + b"bye")

    def test_a_connection_that_is_cut_is_logged(self):
        name, port = "going", self.rig.port()
        service = rig.service(port, [{"name": "g", "upstreams": [{"name": "rest-up"}]}],
                              name=name, protocol="tcp")
        options = {"server": {"drain_timeout_secs": 1}}
        self.rig.apply(rig.document(*self.services, service, **options))
        sock = socket.create_connection((self.proxy.host, port), 20)
        self.line(sock)
        sock.sendall(b"x")
        self.assertEqual(sock.recv(1), b"x")
        self.rig.apply(rig.document(*self.services, **options))
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(sock.recv(1), b"")
        self.log_of(name, failure="draining", request_bytes=1, response_bytes=7)

    def test_curl_and_nginx_talk_through_it(self):
        for version in ("--http1.1", "--http2"):
            run = subprocess.run(
                ["curl", "-sS", version, "--cacert", self.authority.cert, "--resolve",
                 f"a.test:{self.ports['web']}:{self.proxy.host}",
                 f"https://a.test:{self.ports['web']}{self.page}"], capture_output=True, timeout=60)
            self.assertEqual((run.returncode, len(run.stdout)), (0, 5_000_000), run.stderr)

    # --- The PROXY protocol.
    def test_the_client_is_named_to_the_upstream(self):
        sock = self.connect("sent")
        self.line(sock)
        ours = sock.getsockname()
        header = f"PROXY TCP4 {ours[0]} {self.proxy.host} {ours[1]} {self.ports['sent']}\r\n"
        self.assertEqual(self.line(sock) + "\r\n", header)

    def test_a_header_names_the_client(self):
        sock = self.connect("read")
        sock.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.8 1234 5678\r\n")
        self.line(sock)
        self.assertIn(" 192.0.2.7 ", self.line(sock))
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(100):
            pass
        self.log_of("read", client="192.0.2.7")

    # --- Changes.
    def test_open_connections_outlive_changes(self):
        sock = self.connect("echo")
        name = self.line(sock)
        changed = [service for service in self.services if service["name"] != "dead"]
        changed[0] = {**changed[0], "routes": [{**changed[0]["routes"][0], "upstreams": [
            {"name": "echo-up-2", "nodes": [{"addr": self.plain.address}]}]}]}
        self.rig.apply(rig.document(*changed))
        try:
            self.assertEqual(self.line(self.connect("echo")), "plain")
            sock.sendall(b"still here")
            self.assertEqual(sock.recv(100), b"still here", name)
        finally:
            self.rig.apply(rig.document(*self.services))
        sock.sendall(b"and now")
        self.assertEqual(sock.recv(100), b"and now")

    def test_what_is_http_is_refused_in_its_place(self):
        document = rig.document(rig.service(self.rig.port(), [
            {"name": "r", "path_prefix": "/x", "timeouts": {"first_byte": "3s"},
             "upstreams": [{"name": "u", "nodes": [{"addr": "127.0.0.1:1"}]}]}],
            name="db", protocol="tcp", limits={"body_bytes": 5}, trusted_proxies=["10.0.0.0/8"],
            timeouts={"keep_alive": "3s"}))
        done = self.rig.ctl("validate", "-f", self.rig.write(document), code=None)
        self.assertNotEqual(done.returncode, 0)
        out = done.stdout + done.stderr
        self.assertIn("services[0].routes[0].path_prefix", out)
        for key in ("trusted_proxies", "timeouts.keep_alive", "limits.body_bytes"):
            self.assertIn(f"services[0].{key}", out)
        self.assertIn("protocol: tcp; remove it", out)
        self.assertIn("'connect' and 'tunnel' are what counts there", out)

    def test_sluicectl_shows_the_protocol(self):
        self.assertIn("tcp", self.rig.ctl("get", "services").stdout)


if __name__ == "__main__":
    rig.main()
