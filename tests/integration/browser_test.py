#!/usr/bin/python3
"""Chromium through the proxy: a page over HTTP/2, WebSocket, event stream, upload, gRPC-Web.

The page does its steps and reports what it saw; the tests here judge the report. Skipped where
there is no Chromium.
"""
import json
import os
import threading
import unittest  # noqa: F401

import _path  # noqa: F401
import browser
import grpc_web
import h1
import interop
import rig
import upstream
from websocket_test import EchoServer

HERE = os.path.dirname(os.path.abspath(__file__))
EVENTS = ["first", "second", "third"]
CALL_PATH = "/grpc.testing.TestService/UnaryCall"
PAYLOAD_BYTES = 70_000


class BrowserTest(rig.FleetTest):
    @classmethod
    def setUpClass(cls):
        cls.program = browser.find()
        super().setUpClass()

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.certificate = r.cert("site", ["site.test"])
        cls.port = r.port()
        cls.reported = threading.Event()
        cls.report = None
        cls.confirmed = {name: threading.Event() for name in EVENTS}
        cls.site = r.upstream(on_request=cls.serve)
        cls.echo = EchoServer(r.port())
        cls.grpc = interop.Server(r, "grpc")
        r.apply(rig.document(rig.service(
            cls.port,
            [rig.route("ws", [cls.echo], path_prefix="/ws"),
             rig.route("grpc", [cls.grpc], path_prefix="/grpc.testing.TestService",
                       upstream_options={"protocol": "http2"}),
             rig.route("site", [cls.site])],
            tls={"enabled": True, "cert_path": cls.certificate.cert,
                 "key_path": cls.certificate.key})))
        proxy = r.proxies[0]
        page = browser.Browser(r, cls.program, f"https://site.test:{cls.port}/", proxy.host,
                               cls.certificate)
        try:
            if not cls.reported.wait(3 * rig.DEADLINE):
                raise AssertionError(f"the page never reported:\n{page.tail()}")
        finally:
            page.stop()

    @classmethod
    def serve(cls, connection, request):
        path = request.target
        if path == "/":
            with open(os.path.join(HERE, "browser_page.html"), encoding="utf-8") as page:
                return upstream.reply(page.read(), headers=["Content-Type: text/html"])
        if path == "/events":
            return cls.stream_events(connection)
        if path.startswith("/confirm/"):
            cls.confirmed[path.rsplit("/", 1)[1]].set()
        if path.startswith("/arrived/"):
            piece = f"[piece {path.rsplit('/', 1)[1]}]".encode()
            cls.site.wait(f"{piece} of the upload", lambda: piece in cls.site.raw)
        if path == "/upload":
            return upstream.reply(request.body)
        if path == "/call":
            message = grpc_web.message([(2, PAYLOAD_BYTES)])
            return upstream.reply(json.dumps({"path": CALL_PATH, "message": list(message)}))
        if path == "/report":
            cls.report = json.loads(request.body)
            cls.reported.set()
        return upstream.reply(path)

    @classmethod
    def stream_events(cls, connection):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                        b"Cache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n")
        for name in [*EVENTS, "last"]:
            event = f"data: {name}\n\n".encode()
            connection.send(b"%x\r\n%s\r\n" % (len(event), event))
            if name != "last" and not cls.confirmed[name].wait(rig.DEADLINE):
                return "close"
        # The page closes it: what is not ended could not be reused.
        connection.send(b"0\r\n\r\n")
        return None

    def record(self, path):
        return self.proxy.wait_record(lambda record: record["path"] == path, f"a record of {path}")

    def test_the_page_came_over_http2(self):
        self.assertEqual(self.report["navigation"], "h2")
        self.assertEqual(self.record("/")["protocol"], "HTTP/2")

    def test_a_web_socket_echoes_and_closes(self):
        self.assertEqual(self.report["webSocket"], {
            "seen": [4, 100_000, [0, 1, 254, 255]], "code": 4321, "reason": "because",
            "wasClean": True})

    def test_the_web_socket_is_a_stream_of_http2(self):
        record = self.record("/ws")
        self.assertEqual((record["method"], record["protocol"]), ("CONNECT", "HTTP/2"))

    def test_events_arrive_one_by_one(self):
        self.assertEqual(self.report["eventStream"], [*EVENTS, "last"])

    def test_an_upload_flows_as_it_is_made(self):
        self.assertEqual(self.report["upload"],
                         {"status": 200, "text": "[piece 0][piece 1][piece 2]"})

    def test_many_requests_at_a_time(self):
        self.assertEqual(self.report["many"], {"right": 200, "protocols": ["h2"]})

    def test_a_grpc_web_call(self):
        answer = self.report["grpcWeb"]
        self.assertEqual(answer.get("status"), 200, answer)
        response = h1.Response()
        response.fields = [(b"content-type", answer["type"].encode())]
        response.body = bytes(answer["body"])
        call = grpc_web.Call(response)
        self.assertEqual((call.code, len(call.messages)), (0, 1))
        payload = grpc_web.fields_of(grpc_web.fields_of(call.messages[0])[1][0])
        self.assertEqual(len(payload[2][0]), PAYLOAD_BYTES)
        self.assertEqual(self.record(CALL_PATH)["protocol"], "HTTP/2")


if __name__ == "__main__":
    rig.main()
