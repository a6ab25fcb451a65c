#!/usr/bin/python3
"""WebSockets and other upgrades: real client and server libraries, timeouts."""
import asyncio
import os
import socket
import ssl
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import h2_client
import rig
import websockets
import ws_echo
from h2_websocket import H2WebSocket

HANDSHAKE = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
MIB = 1 << 20


def read(client, count):
    """Bytes behind the head of a switch."""
    return b"".join(client.wire.pieces(count))


class WebSocketTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.certificate = r.cert("a", ["a.test"])
        cls.port, cls.tls_port = r.port(), r.port()
        cls.echo = ws_echo.EchoServer(r.port())
        cls.backend = r.nginx("backend")
        # TLS that agrees to h2 with whoever offers it.
        h2_port = r.port()
        r.nginx("h2-backend", certificate=cls.certificate, extra=f'''
          }} server {{ listen 127.0.0.1:{h2_port} ssl http2;
          location /auto/told {{ return 200 "protocol=$server_protocol;"; }}
          location / {{ proxy_pass http://{cls.echo.address}; proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }}''')
        # Another protocol: what follows 101 comes back in upper case.
        cls.other = r.upstream(on_request=cls.switch)
        routes = [rig.route("foo", [cls.other], path_prefix="/foo", upgrades=["foo"]),
                  rig.route("none", [cls.echo], path_prefix="/none", upgrades=[]),
                  rig.route("short", [cls.echo], path_prefix="/short", upstream_name="short-up",
                            timeouts={"tunnel": "300ms"}),
                  rig.route("plain", [cls.backend], path_prefix="/plain"),
                  rig.route("auto", [f"127.0.0.1:{h2_port}"], path_prefix="/auto",
                            upstream_options={"protocol": "auto", "tls": {
                                "sni": "a.test", "ca_path": cls.certificate.cert}}),
                  rig.route("echo", [cls.echo])]
        named = [{**route, "upstreams": [{"name": route["upstreams"][0]["name"]}]}
                 for route in routes]
        cls.services = (
            rig.service(cls.port, routes),
            rig.service(cls.tls_port, named, name="tls",
                        tls={"enabled": True, "cert_path": cls.certificate.cert,
                             "key_path": cls.certificate.key}))
        r.apply(rig.document(*cls.services))

    @classmethod
    def switch(cls, connection, request):
        if (request.get("upgrade") or "") != "foo":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain"
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n")
        while True:
            data = connection.sock.recv(65536)
            if not data:
                connection.send(b"BYE")
                return "close"
            connection.send(data.upper())

    def run_ws(self, body, path="/", secure=False):
        async def main():
            options = {"max_size": None, "ping_interval": None}
            url = f"ws://{self.proxy.host}:{self.port}{path}"
            if secure:
                context = ssl._create_unverified_context()
                context.set_alpn_protocols(["http/1.1"])
                options["ssl"] = context
                url = f"wss://{self.proxy.host}:{self.tls_port}{path}"
            async with websockets.connect(url, **options) as connection:
                await body(connection)
        asyncio.run(asyncio.wait_for(main(), 120))

    def test_messages_go_both_ways(self):
        async def body(connection):
            for message in ("text", b"binary", "", "x" * 70_000, os.urandom(300_000)):
                await connection.send(message)
                self.assertEqual(await connection.recv(), message)
        for secure in (False, True):
            self.run_ws(body, "/chat?room=1", secure)
        self.assertIn("/chat?room=1", self.echo.paths)

    def test_fragments_and_pings(self):
        async def body(connection):
            await connection.send(["frag", "men", "ted"])
            self.assertEqual(await connection.recv(), "fragmented")
            await (await connection.ping(b"are you there"))

            async def slowly():
                yield "a message "
                await (await connection.ping(b"between two fragments"))
                yield "in two"
            await connection.send(slowly())
            self.assertEqual(await connection.recv(), "a message in two")
            await connection.send("fragments")
            self.assertEqual(await connection.recv(), "one two three")
            await connection.send("ping")
            self.assertEqual(await connection.recv(), "ponged")
        for secure in (False, True):
            self.run_ws(body, secure=secure)

    def test_a_message_of_100_mib(self):
        message = os.urandom(MIB) * 100

        async def body(connection):
            receive = asyncio.ensure_future(connection.recv())
            await connection.send(message)
            self.assertEqual(await receive, message)
        before = self.proxy.rss_kib()
        for secure in (False, True):
            self.run_ws(body, secure=secure)
        if not rig.SANITIZER:
            self.assertLess(self.proxy.rss_kib() - before, 64 << 10)

    def test_the_close_handshake_passes(self):
        codes = (1000, 1001, 1003, 1008, 1011, 3000, 4999)
        for code in codes:
            async def from_server(connection):
                await connection.send(f"close {code}")
                with self.assertRaises(websockets.ConnectionClosed) as closed:
                    await connection.recv()
                self.assertEqual((closed.exception.rcvd.code, closed.exception.rcvd.reason),
                                 (code, "because"))

            async def from_client(connection):
                await connection.close(code, "enough")
            for secure in (False, True):
                self.run_ws(from_server, "/from-server", secure)
                self.run_ws(from_client, f"/from-client/{code}/{secure}", secure)
        for path in ((f"/from-client/{code}/{secure}", code)
                     for code in codes for secure in (False, True)):
            rig.wait_for("the server to see it", lambda: path in self.echo.closed)

    def test_it_is_logged_when_it_ends(self):
        async def body(connection):
            await connection.send("x")
            await connection.recv()
        self.run_ws(body, "/logged")
        record = self.proxy.wait_record(lambda r: r["path"] == "/logged")
        self.assertEqual(record["status"], 101)
        self.assertEqual(record.get("failure") or "", "")
        self.assertGreater(record["response_bytes"], 2)

    def test_another_protocol_and_half_closing(self):
        client = self.client()
        # Bytes behind the head wait until the switch is made.
        client.send(rig.request("/foo", headers=["Connection: upgrade", "Upgrade: foo"]) + b"early")
        answer = client.response()
        self.assertEqual((answer.status, answer.get("upgrade")), (101, "foo"))
        self.assertEqual(read(client, 5), b"EARLY")
        client.send(b"more")
        self.assertEqual(read(client, 4), b"MORE")
        client.sock.shutdown(socket.SHUT_WR)
        self.assertEqual(read(client, 3), b"BYE")

    def test_what_is_not_allowed_stays_http(self):
        for path, headers in (("/foo", HANDSHAKE), ("/plain", ["Connection: Upgrade", "Upgrade: foo"]),
                              ("/plain", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
                                          "HTTP2-Settings: AAMAAABk"])):
            client = self.client()
            self.assertEqual(client.ask(rig.request(path, headers=headers)).status, 200)
            self.assertEqual(client.ask(rig.request("/plain")).status, 200, "the connection goes on")
        self.assertNotIn(b"upgrade: websocket", self.other.raw.lower())

    def test_a_server_that_refuses_is_heard(self):
        self.assertEqual(self.get("/plain", headers=HANDSHAKE).status, 200)
        self.assertIn(self.get("/none", headers=HANDSHAKE).status, (400, 426))

    def test_a_wrong_accept_is_a_bad_gateway(self):
        bad = self.rig.upstream(on_request=lambda c, r: (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: AAAA\r\n\r\n"))
        port = self.rig.port()
        self.rig.apply(rig.document(*self.services, rig.service(
            port, [rig.route("bad", [bad])], name="bad")))
        self.assertEqual(self.get("/", port=port, headers=HANDSHAKE).status, 502)
        self.rig.apply(rig.document(*self.services))

    def test_an_upstream_that_would_agree_to_http2_is_asked_for_http1(self):
        async def body(connection):
            await connection.send("hello")
            self.assertEqual(await connection.recv(), "hello")
        for _ in range(2):  # Neither way disturbs the other.
            self.assertEqual(rig.told(self.get("/auto/told").body)["protocol"], "HTTP/2.0")
            for secure in (False, True):
                self.run_ws(body, "/auto/by-http1", secure)
            client = h2_client.Client(self.proxy.host, self.tls_port, tls=certs.client_context(),
                                      server_name="a.test")
            self.addCleanup(client.close)
            over_h2 = H2WebSocket(client, "/auto/by-http2")
            over_h2.send("hello")
            self.assertEqual(over_h2.message()[0], b"hello")
        self.assertEqual([path for path in self.echo.paths if path.startswith("/auto")],
                         ["/auto/by-http1", "/auto/by-http1", "/auto/by-http2"] * 2)

    def test_a_silent_tunnel_ends(self):
        async def body(connection):
            for _ in range(4):  # Together longer than the limit: what moves keeps it open.
                await asyncio.sleep(0.15)
                await connection.send("still here")
                await connection.recv()
            with self.assertRaises(websockets.ConnectionClosed):
                await asyncio.wait_for(connection.recv(), 30)
        self.run_ws(body, "/short")
        record = self.proxy.wait_record(lambda r: r["path"] == "/short")
        self.assertEqual(record["failure"], "tunnel_timeout")

    def test_changes_elsewhere_do_not_cut_it(self):
        async def body(connection):
            for i in range(10):
                extra = rig.service(self.rig.port(), [rig.route("all", [self.backend])],
                                    name=f"extra-{i}")
                await asyncio.to_thread(self.rig.apply, rig.document(*self.services, extra))
                await connection.send(f"after change {i}")
                self.assertEqual(await connection.recv(), f"after change {i}")
        self.run_ws(body, "/stays")
        self.rig.apply(rig.document(*self.services))


if __name__ == "__main__":
    rig.main()
