#!/usr/bin/python3
"""WebSockets and other upgrades: real client and server libraries, tunnels in HTTP/2, timeouts."""
import asyncio
import os
import socket
import ssl
import threading
import unittest  # noqa: F401

import _path  # noqa: F401
import h2.config
import h2.connection
import h2.events
import h2.settings
import rig
import websockets

HANDSHAKE = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
MIB = 1 << 20


class EchoServer:
    """The websockets library's own server, on a thread."""

    def __init__(self, port):
        self.address = f"127.0.0.1:{port}"
        self.paths = []
        self.closed = []
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        threading.Thread(target=self._run, args=(port, started), daemon=True).start()
        started.wait()

    def _run(self, port, started):
        asyncio.set_event_loop(self._loop)

        async def serve():
            await websockets.serve(self._echo, "127.0.0.1", port, max_size=None, ping_interval=None)
            started.set()
        self._loop.run_until_complete(serve())
        self._loop.run_forever()

    async def _echo(self, connection, path):
        self.paths.append(path)
        try:
            async for message in connection:
                if message == "close":
                    await connection.close(4321, "because")
                    break
                await connection.send(message)
        finally:
            self.closed.append((path, connection.close_code))


def read(client, count):
    """Bytes behind the head of a switch."""
    return b"".join(client.wire.pieces(count))


class WebSocketTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.certificate = r.cert("a", ["a.test"])
        cls.port, cls.tls_port = r.port(), r.port()
        cls.echo = EchoServer(r.port())
        cls.backend = r.nginx("backend")
        # Another protocol: what follows 101 comes back in upper case.
        cls.other = r.upstream(on_request=cls.switch)
        routes = [rig.route("foo", [cls.other], path_prefix="/foo", upgrades=["foo"]),
                  rig.route("none", [cls.echo], path_prefix="/none", upgrades=[]),
                  rig.route("short", [cls.echo], path_prefix="/short", upstream_name="short-up",
                            timeouts={"tunnel": "300ms"}),
                  rig.route("plain", [cls.backend], path_prefix="/plain"),
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
        self.run_ws(body)

    def test_a_message_of_100_mib(self):
        message = os.urandom(MIB) * 100

        async def body(connection):
            receive = asyncio.ensure_future(connection.recv())
            await connection.send(message)
            self.assertEqual(await receive, message)
        before = self.proxy.rss_kib()
        self.run_ws(body)
        if not rig.SANITIZER:
            self.assertLess(self.proxy.rss_kib() - before, 64 << 10)

    def test_the_close_handshake_passes(self):
        async def body(connection):
            await connection.send("close")
            with self.assertRaises(websockets.ConnectionClosed) as closed:
                await connection.recv()
            self.assertEqual((closed.exception.rcvd.code, closed.exception.rcvd.reason),
                             (4321, "because"))
        self.run_ws(body, "/from-server")

        async def from_client(connection):
            await connection.close(4000, "enough")
        self.run_ws(from_client, "/from-client")
        rig.wait_for("the server to see it", lambda: ("/from-client", 4000) in self.echo.closed)

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

    def test_extended_connect_in_http2(self):
        with socket.create_connection((self.proxy.host, self.port)) as sock:
            sock.settimeout(20)
            connection = h2.connection.H2Connection(
                config=h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
            connection.initiate_connection()
            sock.sendall(connection.data_to_send())
            events = []

            def until(kind):
                while True:
                    for event in events:
                        if isinstance(event, kind):
                            events.remove(event)
                            return event
                    data = sock.recv(65536)
                    self.assertTrue(data, f"closed before {kind.__name__}")
                    events.extend(connection.receive_data(data))
                    sock.sendall(connection.data_to_send())
            changed = until(h2.events.RemoteSettingsChanged).changed_settings
            self.assertEqual(
                changed[h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL].new_value, 1)
            connection.send_headers(1, [(":method", "CONNECT"), (":protocol", "websocket"),
                                        (":scheme", "http"), (":path", "/over-h2"),
                                        (":authority", "a.test"), ("sec-websocket-version", "13")])
            sock.sendall(connection.data_to_send())
            headers = dict(until(h2.events.ResponseReceived).headers)
            self.assertEqual(headers[":status"], "200")
            self.assertNotIn("sec-websocket-accept", headers)
            # A masked text frame "hi"; the mask is zero.
            connection.send_data(1, b"\x81\x82\x00\x00\x00\x00hi")
            sock.sendall(connection.data_to_send())
            self.assertEqual(until(h2.events.DataReceived).data, b"\x81\x02hi")
            # Close handshake: both sides end the stream.
            connection.send_data(1, b"\x88\x82\x00\x00\x00\x00\x03\xe8")
            sock.sendall(connection.data_to_send())
            self.assertEqual(until(h2.events.DataReceived).data[:2], b"\x88\x02")
            until(h2.events.StreamEnded)
            # For what is not allowed: refused, and the connection goes on.
            connection.send_headers(3, [(":method", "CONNECT"), (":protocol", "bar"),
                                        (":scheme", "http"), (":path", "/"),
                                        (":authority", "a.test")])
            sock.sendall(connection.data_to_send())
            self.assertEqual(dict(until(h2.events.ResponseReceived).headers)[":status"], "501")
        self.assertIn("/over-h2", self.echo.paths)


if __name__ == "__main__":
    rig.main()
