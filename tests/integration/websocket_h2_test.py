#!/usr/bin/python3
"""WebSockets in streams of HTTP/2 (RFC 8441), to servers that know only HTTP/1.1."""
import os
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import h2_client
import rig
import ws_echo
from h2_websocket import H2WebSocket
from websockets.frames import Opcode

MIB = 1 << 20


class WebSocketH2Test(rig.FleetTest):
    @classmethod
    def prepare(cls):
        r = cls.rig
        certificate = r.cert("a", ["a.test"])
        cls.ports = {False: r.port(), True: r.port()}
        cls.echo = ws_echo.EchoServer(r.port())
        cls.plain = r.nginx("plain")
        routes = [rig.route("plain", [cls.plain], "plain-up", path_prefix="/plain"),
                  rig.route("echo", [cls.echo], "echo-up")]
        cls.services = (
            rig.service(cls.ports[False], routes),
            rig.service(cls.ports[True], routes, name="tls",
                        tls={"enabled": True, "cert_path": certificate.cert,
                             "key_path": certificate.key}))
        r.apply(rig.document(*cls.services))

    def each_way(self, body):
        """body(client) on a connection in clear text, and on one over TLS."""
        for secure, port in self.ports.items():
            with self.subTest(secure=secure):
                client = h2_client.Client(self.proxy.host, port, timeout=rig.DEADLINE,
                                          tls=certs.client_context() if secure else None,
                                          server_name="a.test")
                self.addCleanup(client.close)
                body(client)

    def test_messages_fragments_and_pings(self):
        def body(client):
            socket = H2WebSocket(client, "/over-h2?room=1")
            self.assertEqual(socket.response.status, 200)
            self.assertIsNone(socket.response.field("sec-websocket-accept"))
            for fragments in (("text",), (b"\0binary",), ("",), ("x" * 70_000,),
                              ("frag", "men", "", "ted"), (os.urandom(300_000), os.urandom(5))):
                socket.send(*fragments)
                whole = "".join(fragments).encode() if isinstance(fragments[0], str) \
                    else b"".join(fragments)
                self.assertEqual(socket.message(), (whole, 1))
            socket.send("fragments")
            message, frames = socket.message()
            self.assertEqual(message, b"one two three")
            self.assertGreater(frames, 1, "frames stay what they were")
            socket.ping(b"are you there")
            answer = socket.frame()
            self.assertEqual((answer.opcode, answer.data), (Opcode.PONG, b"are you there"))
            socket.send("ping")  # The server's; the library answers it.
            self.assertEqual(socket.message()[0], b"ponged")
        self.each_way(body)
        self.assertIn("/over-h2?room=1", self.echo.paths)

    def test_a_message_of_100_mib(self):
        def body(client):
            message = os.urandom(MIB) * 100
            before = self.proxy.rss_kib()
            socket = H2WebSocket(client, "/large")
            socket.send(message)
            self.assertTrue(socket.message() == (message, 1), "it came back another")
            if not rig.SANITIZER:
                self.assertLess(self.proxy.rss_kib() - before, 64 << 10)
        self.each_way(body)

    def test_the_close_handshake_passes(self):
        def body(client):
            for code in (1000, 1001, 1011, 3000, 4999):
                socket = H2WebSocket(client, "/from-server")
                socket.send(f"close {code}")
                close = socket.wait_closed()
                self.assertEqual((close.code, close.reason), (code, "because"))
                path = f"/from-client/{code}"
                socket = H2WebSocket(client, path)
                socket.close(code, "enough")
                self.assertEqual(socket.wait_closed().code, code)
                rig.wait_for("the server to see it", lambda: (path, code) in self.echo.closed)
                self.assertIsNone(socket.response.reset)
        self.each_way(body)

    def test_many_sockets_and_requests_share_a_connection(self):
        def body(client):
            sockets = [H2WebSocket(client, f"/shared/{i}") for i in range(20)]
            for turn in range(3):
                for i, socket in enumerate(sockets):
                    socket.send(f"{i} in turn {turn}")
                self.assertEqual(client.ask("/plain/v", method="GET").status, 200)
                for i, socket in reversed(list(enumerate(sockets))):
                    self.assertEqual(socket.message()[0], f"{i} in turn {turn}".encode())
            # One that is reset leaves the others alone.
            client.reset(sockets[0].stream)
            rig.wait_for("the server to see it", lambda: ("/shared/0", 1006) in self.echo.closed)
            sockets[1].send("still here")
            self.assertEqual(sockets[1].message()[0], b"still here")
            self.echo.closed.remove(("/shared/0", 1006))
        self.each_way(body)

    def test_changes_elsewhere_do_not_cut_it(self):
        def body(client):
            socket = H2WebSocket(client, "/stays")
            for i in range(5):
                extra = rig.service(self.rig.port(), [rig.route("all", [self.plain])],
                                    name=f"extra-{i}")
                self.rig.apply(rig.document(*self.services, extra))
                socket.send(f"after change {i}")
                self.assertEqual(socket.message()[0], f"after change {i}".encode())
        self.each_way(body)
        self.rig.apply(rig.document(*self.services))

    def test_what_is_not_allowed_is_refused_and_the_connection_goes_on(self):
        def body(client):
            stream = client.start("/", [(":protocol", "bar")], method="CONNECT")
            self.assertEqual(client.finish(stream).status, 501)
            self.assertEqual(client.ask("/plain/v", method="GET").status, 200)
        self.each_way(body)


if __name__ == "__main__":
    rig.main()
