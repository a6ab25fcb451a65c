#!/usr/bin/python3
"""The PROXY protocol on both sides, spoken by us, curl, haproxy and nginx."""
import importlib.util
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time

import _path  # noqa: F401
import certs
import peers
import process
import rig

CLIENT = "203.0.113.7"
V1 = f"PROXY TCP4 {CLIENT} 10.0.0.1 4711 443\r\n".encode()
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
GET = rig.request("/")


def v2(body=b"", family=0x11, command=0x21):
    return SIGNATURE + bytes([command, family]) + struct.pack(">H", len(body)) + body


ENDS = socket.inet_aton(CLIENT) + socket.inet_aton("10.0.0.1") + struct.pack(">HH", 4711, 443)
ENDS6 = (socket.inet_pton(socket.AF_INET6, "2001:db8::7") +
         socket.inet_pton(socket.AF_INET6, "::1") + struct.pack(">HH", 4711, 443))
V2 = v2(ENDS + b"\x01\x00\x02h2" + b"\x04\x02\x00" + b"x" * 512)


class Talk:
    """Bytes on a connection, and what comes back until it closes or `enough` is in it."""

    def __init__(self, host, port, source=None):
        self.sock = socket.create_connection((host, port), rig.DEADLINE,
                                             source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data, split=False):
        try:
            for piece in ([data[i:i + 1] for i in range(len(data))] if split else [data]):
                self.sock.sendall(piece)
                if split:
                    time.sleep(0.0005)
        except (BrokenPipeError, ConnectionResetError):
            pass  # Refused before its end.

    def read(self, enough=None):
        while enough is None or enough not in self.got:
            try:
                piece = self.sock.recv(65536)
            except ConnectionResetError:
                piece = b""
            if not piece:
                return self.got
            self.got += piece
        return self.got


def catalogue():
    """The bytes of the group proxy-protocol of tests/security/cases.yaml, by id."""
    path = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "security",
                        "cases.py")
    spec = importlib.util.spec_from_file_location("cases", path)
    cases = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cases)
    return {case.id: case for case in cases.load(["proxy-protocol"])}


class IncomingTest(rig.FleetTest):
    workers = 1

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.up = r.upstream()
        cls.port, cls.optional, cls.tls, cls.stranger, cls.trusting = (r.port() for _ in range(5))
        site = r.cert("site", ["a.test"])
        cls.context = certs.client_context()
        routes = [rig.route("all", [cls.up], "up")]
        ours = {"trusted": ["127.0.0.0/8"]}
        secure = {"enabled": True, "cert_path": site.cert, "key_path": site.key}
        timeouts = {"header": "1s"}
        cls.services = [
            rig.service(cls.port, routes, name="required", proxy_protocol=ours, timeouts=timeouts),
            rig.service(cls.optional, routes, name="optional", timeouts=timeouts,
                        proxy_protocol={**ours, "required": False}),
            rig.service(cls.tls, routes, name="tls", proxy_protocol=ours, tls=secure),
            rig.service(cls.stranger, routes, name="stranger",
                        proxy_protocol={"trusted": ["192.0.2.0/24"]}),
            rig.service(cls.trusting, routes, name="trusting", proxy_protocol=ours,
                        trusted_proxies=[CLIENT])]
        r.apply(rig.document(*cls.services))

    def setUp(self):
        super().setUp()
        self.up.clear()

    def seen(self, data, port=None, split=False):
        """The request as the upstream saw it."""
        with Talk(self.proxy.host, port or self.port) as talk:
            talk.send(data, split)
            self.assertIn(b" 200 ", talk.read(b"\r\n\r\n"), data)
        self.up.wait("the request", lambda: self.up.requests)
        return self.up.requests[-1]

    def refused(self, data, port=None, split=False, source=None):
        with Talk(self.proxy.host, port or self.port, source) as talk:
            talk.send(data, split)
            self.assertEqual(talk.read(), b"", data)
        self.assertEqual(self.up.connections, [], data)

    def counted(self, service="required"):
        return rig.metric(self.proxy.metrics(), "sluice_proxy_headers_refused_total",
                          service=service) or 0

    def test_a_header_names_the_client(self):
        for header, client in ((V1, CLIENT), (V2, CLIENT),
                               (v2(ENDS6, 0x21), "2001:db8::7"),
                               (b"PROXY TCP6 2001:db8::8 ::1 1 2\r\n", "2001:db8::8")):
            for split in (False, True):
                seen = self.seen(header + GET, split=split)
                self.assertEqual(seen.get("x-forwarded-for"), client)
                record = self.proxy.wait_record(
                    lambda r, seen=seen: r.get("request_id") == seen.get("x-request-id"))
                self.assertEqual((record["peer"], record["client"]), (client, client))

    def test_headers_that_name_nobody_leave_the_connections_own_address(self):
        for header in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN what ever\r\n",
                       v2(b"", 0, 0x20), v2(ENDS, 0x11, 0x20), v2(b"", 0), v2(b"a" * 216, 0x31)):
            self.assertEqual(self.seen(header + GET).get("x-forwarded-for"), "127.0.0.1")

    def test_the_name_stays_for_all_requests_of_the_connection(self):
        with Talk(self.proxy.host, self.port) as talk:
            for i in range(3):
                talk.send((V2 if i == 0 else b"") + GET)
                self.assertIn(b" 200 ", talk.read(b"\r\n\r\n"))
                talk.got = b""
        self.assertEqual([q.get("x-forwarded-for") for q in self.up.requests], [CLIENT] * 3)

    def test_what_is_no_header_is_refused_where_it_is_required(self):
        before = self.counted()
        for data in (GET, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"PROXY TCP4 1.1.1.1\n" + GET,
                     v2(ENDS[:-1]) + GET, v2(ENDS + b"\x03\x00\x04aaaa") + GET):
            for split in (False, True):
                self.refused(data, split=split)
        self.assertEqual(self.counted() - before, 10)

    def test_a_header_that_does_not_come_in_time_is_refused(self):
        started = time.monotonic()
        for data in (b"", b"PROXY TCP4 1.1.1.1 ", V2[:-1]):
            self.refused(data)
        self.assertGreater(time.monotonic() - started, 2.5)

    def test_a_sender_that_stops_early_is_refused(self):
        for data in (b"", b"P", V1[:-1], V2[:20]):
            with Talk(self.proxy.host, self.trusting) as talk:
                talk.send(data)
                talk.sock.shutdown(socket.SHUT_WR)
                started = time.monotonic()
                self.assertEqual(talk.read(), b"")
                self.assertLess(time.monotonic() - started, 10 * rig.SLOWDOWN)

    def test_a_connection_without_a_header_does_not_hold_up_the_end(self):
        port = self.rig.port()
        patient = rig.service(port, [rig.route("all", [self.up], "up")], name="patient",
                              proxy_protocol={"trusted": ["127.0.0.1"]}, timeouts={"header": "60s"})
        self.rig.apply(rig.document(*self.services, patient))
        with Talk(self.proxy.host, port) as talk:
            talk.send(b"PROXY ")
            self.rig.apply(rig.document(*self.services))
            started = time.monotonic()
            self.assertEqual(talk.read(), b"")
            self.assertLess(time.monotonic() - started, 5 * rig.SLOWDOWN)

    def test_where_it_is_optional_others_are_served_as_they_are(self):
        for split in (False, True):
            self.assertEqual(self.seen(GET, self.optional, split).get("x-forwarded-for"), "127.0.0.1")
            self.assertEqual(self.seen(V1 + GET, self.optional, split).get("x-forwarded-for"), CLIENT)
            # Begins like a header.
            post = rig.request("/", method="POST", body=b"x")
            self.assertEqual(self.seen(post, self.optional, split).body, b"x")
        self.refused_by_optional()

    def refused_by_optional(self):
        self.up.clear()
        self.refused(b"PROXY TCP4 1 2 3 4\r\n" + GET, self.optional)

    def test_a_strangers_header_is_not_one(self):
        for header in (V1, V2):
            with Talk(self.proxy.host, self.stranger) as talk:
                talk.send(header + GET)
                self.assertIn(b" 400 ", talk.read())
        self.assertEqual(self.up.requests, [])
        self.assertEqual(self.seen(GET, self.stranger).get("x-forwarded-for"), "127.0.0.1")

    def test_trusted_proxies_go_by_the_client_it_names(self):
        ask = rig.request("/", headers=["X-Forwarded-For: 198.51.100.1"])
        seen = self.seen(V1 + ask, self.trusting)
        self.assertEqual(seen.get("x-forwarded-for"), f"198.51.100.1, {CLIENT}")
        record = self.proxy.wait_record(
            lambda r: r.get("request_id") == seen.get("x-request-id"))
        self.assertEqual((record["peer"], record["client"]), (CLIENT, "198.51.100.1"))
        # The load balancer itself is nobody's proxy.
        other = b"PROXY TCP4 127.0.0.1 10.0.0.1 1 2\r\n"
        self.assertEqual(self.seen(other + ask, self.trusting).get("x-forwarded-for"), "127.0.0.1")

    def test_it_comes_before_tls(self):
        for split in (False, True):
            for header in (V1, V2):
                with Talk(self.proxy.host, self.tls) as talk:
                    talk.send(header, split)
                    with self.context.wrap_socket(talk.sock, server_hostname="a.test") as secure:
                        secure.sendall(GET)
                        self.assertIn(b" 200 ", secure.recv(65536))
                self.up.wait("the request", lambda: self.up.requests)
                self.assertEqual(self.up.requests[-1].get("x-forwarded-for"), CLIENT)
        with Talk(self.proxy.host, self.tls) as talk, self.assertRaises(OSError):
            self.context.wrap_socket(talk.sock, server_hostname="a.test")

    def test_header_and_tls_hello_in_one_piece(self):
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        secure = self.context.wrap_bio(into, out, server_hostname="a.test")
        with Talk(self.proxy.host, self.tls) as talk:
            first = V2
            done = False
            while True:
                try:
                    if not done:
                        secure.do_handshake()
                        done = True
                        secure.write(GET)
                    answer = secure.read(65536)
                    break
                except ssl.SSLWantReadError:
                    talk.send(first + out.read())
                    first = b""
                    into.write(talk.sock.recv(65536))
        self.assertIn(b" 200 ", answer)
        self.assertEqual(self.up.requests[-1].get("x-forwarded-for"), CLIENT)

    def test_connections_shows_the_client(self):
        with Talk(self.proxy.host, self.port) as talk:
            talk.send(V1 + GET)
            talk.read(b"\r\n\r\n")
            self.assertIn(CLIENT, str(self.proxy.get("/connections")))

    # ---- The catalogue's cases (tests/security/cases.yaml) --------------------------------------

    def case(self, name):
        # Refused for what they are, long before the timeout of this one.
        started = time.monotonic()
        for split in (False, True):
            self.refused(catalogue()[name].send, self.trusting, split)
        self.assertLess(time.monotonic() - started, 10 * rig.SLOWDOWN)

    def test_pp_missing(self):
        self.case("pp-missing")

    def test_pp_v1_too_long(self):
        self.case("pp-v1-too-long")

    def test_pp_v1_bad_addr(self):
        self.case("pp-v1-bad-addr")

    def test_pp_v2_huge_len(self):
        self.case("pp-v2-huge-len")

    def test_pp_twice(self):
        for split in (False, True):
            with Talk(self.proxy.host, self.port) as talk:
                talk.send(catalogue()["pp-twice"].send, split)
                self.assertTrue(talk.read().startswith(b"HTTP/1.1 400 "), talk.got)
            self.assertEqual(self.up.connections, [])

    def test_every_case_of_the_catalogue_is_here(self):
        for name in catalogue():
            self.assertTrue(hasattr(self, "test_" + name.replace("-", "_")), name)

    # ---- Others who send it ---------------------------------------------------------------------

    def curl(self, *args):
        return subprocess.run(["curl", "-sS", "-k", "--max-time", "20", "--haproxy-protocol", *args],
                              capture_output=True, text=True)

    def test_curl(self):
        peers.need("curl")
        for args in (["--http1.1", f"http://{self.proxy.host}:{self.port}/"],
                     ["--http2", "--resolve", f"a.test:{self.tls}:{self.proxy.host}",
                      f"https://a.test:{self.tls}/"],
                     ["--http2-prior-knowledge", f"http://{self.proxy.host}:{self.port}/"]):
            self.up.clear()
            result = self.curl("--interface", "127.0.0.77", "-w", "%{http_code}", *args)
            self.assertEqual((result.returncode, result.stdout), (0, "200"), result.stderr)
            self.assertEqual(self.up.requests[-1].get("x-forwarded-for"), "127.0.0.77")

    def test_haproxy_in_front(self):
        peers.need("haproxy")
        lines, ports = [], {}
        for name, options, port in (
                ("v1", "send-proxy check inter 200 check-send-proxy", self.port),
                ("v2", "send-proxy-v2 check inter 200 check-send-proxy", self.port),
                ("v2-crc", "send-proxy-v2 proxy-v2-options crc32c,ssl,authority,unique-id",
                 self.port),
                ("v2-tls", "ssl verify none sni str(a.test) send-proxy-v2-ssl-cn", self.tls)):
            ports[name] = self.rig.port()
            lines.append(f"listen {name}\n  bind 127.0.0.1:{ports[name]}\n  unique-id-format id\n"
                         f"  server s {self.proxy.host}:{port} {options}\n")
        start_haproxy(self.rig, "front", "".join(lines), ports["v1"])
        for name, port in ports.items():
            self.up.clear()

            def answered(port=port):
                with socket.create_connection(("127.0.0.1", port), 5,
                                              source_address=("127.0.0.66", 0)) as sock:
                    sock.sendall(GET)
                    answer = sock.recv(65536)
                    if not answer.startswith(b"HTTP/1.1 200"):
                        raise AssertionError(answer)
                return True
            rig.wait_for(f"an answer through {name}", answered)
            self.assertEqual(self.up.requests[-1].get("x-forwarded-for"), "127.0.0.66", name)


def start_haproxy(kit, name, sections, port):
    path = kit.path(name + ".cfg")
    with open(path, "w") as out:
        out.write("defaults\n  mode http\n  timeout connect 5s\n  timeout client 20s\n"
                  "  timeout server 20s\n" + sections)
    part = process.Process(["haproxy", "-db", "-f", path], kit.dir, name, expect=(0, 143, -15))
    kit.parts.append(part)
    part.start()
    rig.wait_for(name, lambda: not socket.create_connection(("127.0.0.1", port), 1).close())


class Listening:
    """Accepts, keeps what each connection sends, answers every request after its header."""

    def __init__(self, port, context=None):
        self.port, self.context, self.received = port, context, []
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def _run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(sock,), daemon=True).start()

    def _one(self, sock):
        sock.settimeout(rig.DEADLINE)
        try:
            self._serve(sock)
        except OSError:
            pass  # A probe that closed at once.
        finally:
            sock.close()

    def _serve(self, sock):
        got = sock.recv(len(SIGNATURE), socket.MSG_WAITALL)
        if got == SIGNATURE:
            got += sock.recv(4, socket.MSG_WAITALL)
            got += sock.recv(struct.unpack(">H", got[14:16])[0], socket.MSG_WAITALL)
        else:
            while not got.endswith(b"\r\n"):
                byte = sock.recv(1)
                if not byte:
                    return
                got += byte
        self.received.append(got)
        if self.context:
            sock = self.context.wrap_socket(sock, server_side=True)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = sock.recv(65536)
            if not piece:
                return
            head += piece
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        sock.recv(1)  # Until the proxy closes.


class OutgoingTest(rig.FleetTest):
    workers = 1

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port, cls.chain, pp, cls.haproxy_port = (r.port() for _ in range(4))
        cls.backend = r.nginx("n1", extra=f"""
            listen 127.0.0.1:{pp} proxy_protocol;
            location = /who {{ return 200 "addr=$proxy_protocol_addr;port=$proxy_protocol_port;to=$proxy_protocol_server_addr;toport=$proxy_protocol_server_port;conn=$connection;n=$connection_requests;"; }}""")
        site = r.cert("node", ["node.test"])
        cls.raw = {name: Listening(r.port(), context) for name, context in (
            ("v1", None), ("v2", None), ("tls", site.server_context()))}
        cls.checked = Listening(r.port())
        routes = [
            rig.route("nginx1", [f"127.0.0.1:{pp}"], "nginx1", {"proxy_protocol": "v1"},
                      path_prefix="/nginx-v1", strip_prefix="/nginx-v1"),
            rig.route("nginx2", [f"127.0.0.1:{pp}"], "nginx2", {"proxy_protocol": "v2"},
                      path_prefix="/nginx-v2", strip_prefix="/nginx-v2"),
            rig.route("haproxy1", [f"127.0.0.1:{cls.haproxy_port}"], "haproxy1",
                      {"proxy_protocol": "v1"}, path_prefix="/haproxy-v1"),
            rig.route("haproxy2", [f"127.0.0.1:{cls.haproxy_port}"], "haproxy2",
                      {"proxy_protocol": "v2"}, path_prefix="/haproxy-v2"),
            rig.route("raw1", [cls.raw["v1"]], "raw1", {"proxy_protocol": "v1"},
                      path_prefix="/raw-v1"),
            rig.route("raw2", [cls.raw["v2"]], "raw2", {"proxy_protocol": "v2"},
                      path_prefix="/raw-v2"),
            rig.route("rawtls", [cls.raw["tls"]], "rawtls",
                      {"proxy_protocol": "v2", "tls": {"verify": False, "sni": "node.test"}},
                      path_prefix="/raw-tls"),
        ]
        cls.routes = routes
        r.apply(cls.document())
        if shutil.which("haproxy"):
            start_haproxy(r, "back", f"listen back\n  bind 127.0.0.1:{cls.haproxy_port} accept-proxy\n"
                          '  http-request return status 200 content-type text/plain lf-string '
                          '"addr=%[src];port=%[src_port];to=%[dst];toport=%[dst_port];"\n',
                          cls.haproxy_port)

    @classmethod
    def document(cls, *more):
        return rig.document(
            rig.service(cls.port, [*cls.routes, *more], trusted_proxies=["127.0.0.9"]),
            rig.service(cls.chain, cls.routes, name="chain",
                        proxy_protocol={"trusted": ["127.0.0.0/8"]}))

    @classmethod
    def tearDownClass(cls):
        for part in (*cls.raw.values(), cls.checked):
            part.close()
        super().tearDownClass()

    def ask(self, talk, path, headers=()):
        talk.got = b""
        talk.send(rig.request(path, headers=headers))
        talk.read(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", talk.got)
        while length and len(talk.got.split(b"\r\n\r\n", 1)[1]) < int(length[1]):
            talk.got += talk.sock.recv(65536)
        self.assertIn(b" 200 ", talk.got)
        return rig.told(talk.got.split(b"\r\n\r\n", 1)[1])

    def whom(self, path):
        with Talk(self.proxy.host, self.port, "127.0.0.5") as talk:
            told = self.ask(talk, path)
            self.assertEqual((told["addr"], told["port"], told["to"], told["toport"]),
                             ("127.0.0.5", str(talk.sock.getsockname()[1]), self.proxy.host,
                              str(self.port)))

    def test_nginx_behind(self):
        self.whom("/nginx-v1/who")
        self.whom("/nginx-v2/who")

    def test_haproxy_behind(self):
        peers.need("haproxy")
        self.whom("/haproxy-v1")
        self.whom("/haproxy-v2")

    def test_no_connection_is_ever_shared(self):
        """Not by two clients, and not by two requests of one: they may be for different clients."""
        seen = []
        for source in ("127.0.0.5", "127.0.0.6"):
            with Talk(self.proxy.host, self.port, source) as talk:
                for _ in range(3):
                    told = self.ask(talk, "/nginx-v2/who")
                    self.assertEqual((told["addr"], told["n"]), (source, "1"))
                    seen.append(told["conn"])
        self.assertEqual(len(set(seen)), 6)
        idle = rig.metric(self.proxy.metrics(), "sluice_upstream_connections_idle", upstream="nginx2")
        self.assertFalse(idle)

    def test_clients_behind_a_trusted_proxy_are_named(self):
        with Talk(self.proxy.host, self.port, "127.0.0.9") as talk:
            for client in ("198.51.100.1", "198.51.100.2"):
                told = self.ask(talk, "/nginx-v1/who", [f"X-Forwarded-For: {client}"])
                self.assertEqual((told["addr"], told["port"] or "0"), (client, "0"))
            told = self.ask(talk, "/nginx-v1/who", ["X-Forwarded-For: 2001:db8::1"])
            self.assertEqual(told["addr"], "2001:db8::1")

    def test_what_came_in_goes_out(self):
        for header in (V1, V2):
            for path in ("/nginx-v1/who", "/nginx-v2/who"):
                with Talk(self.proxy.host, self.chain) as talk:
                    talk.send(header)
                    told = self.ask(talk, path)
                    self.assertEqual((told["addr"], told["port"]), (CLIENT, "4711"))

    def test_the_bytes(self):
        with Talk(self.proxy.host, self.port, "127.0.0.5") as talk:
            port = talk.sock.getsockname()[1]
            for name in self.raw:
                self.raw[name].received.clear()
                self.ask(talk, f"/raw-{name}")
            v2_bytes = v2(socket.inet_aton("127.0.0.5") + socket.inet_aton(self.proxy.host) +
                          struct.pack(">HH", port, self.port))
            self.assertEqual(self.raw["v1"].received, [
                f"PROXY TCP4 127.0.0.5 {self.proxy.host} {port} {self.port}\r\n".encode()])
            self.assertEqual(self.raw["v2"].received, [v2_bytes])
            self.assertEqual(self.raw["tls"].received, [v2_bytes])  # In clear, before TLS.

    def test_health_checks_name_nobody(self):
        check = {"schema": "http", "frequency_secs": 1}
        for version, header in (("v1", b"PROXY UNKNOWN\r\n"), ("v2", v2(b"", 0, 0x20))):
            for schema in ("http", "tcp"):
                self.checked.received.clear()
                name = f"checked-{version}-{schema}"
                self.rig.apply(self.document(rig.route(
                    name, [self.checked], name,
                    {"proxy_protocol": version, "health_check": {**check, "schema": schema}},
                    path_prefix="/" + name)))
                rig.wait_for("a check", lambda: self.checked.received)
                self.assertEqual(set(self.checked.received), {header})
        self.rig.apply(self.document())

    def test_switching_it_on_leaves_old_connections_behind(self):
        beginnings = []
        for version in ("none", "v1"):
            self.rig.apply(self.document(rig.route(
                "switched", [self.checked], "switched", {"proxy_protocol": version},
                path_prefix="/switched")))
            self.checked.received.clear()
            with Talk(self.proxy.host, self.port) as talk:
                self.ask(talk, "/switched")
            beginnings += [bytes(got[:10]) for got in self.checked.received]
        self.assertEqual(beginnings, [b"GET /switc", b"PROXY TCP4"])
        self.rig.apply(self.document())


if __name__ == "__main__":
    rig.main()
