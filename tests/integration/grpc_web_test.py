#!/usr/bin/python3
"""gRPC-Web, binary and text, in front of servers that speak gRPC only."""
import threading
import unittest  # noqa: F401

import _path  # noqa: F401
import grpc_web
import h1
import h2_upstream
import interop
import rig
from grpc_web import message

HTTP2 = {"protocol": "http2"}
SERVICE = "/grpc.testing.TestService/"
WAYS = ({"text": False}, {"text": True}, {"text": True, "segment": 7})
OK, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, UNAVAILABLE = 0, 2, 4, 8, 12, 14


def payload_bytes(data):
    """Of a response: its payload's body."""
    payload = grpc_web.fields_of(data).get(1, [b""])[0]
    return len(grpc_web.fields_of(payload).get(2, [b""])[0])


def unary(response_size=0, request_size=0, status=None):
    fields = [(2, response_size), (3, [(2, b"\0" * request_size)])]
    return message(fields + ([(7, [(1, status[0]), (2, status[1])])] if status else []))


class GrpcWebTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        cls.server = interop.Server(r, "server")
        cls.scripts = {}
        cls.scripted = r.h2_upstream(on_request=lambda request: cls.scripts[request.path](request))
        r.apply(rig.document(rig.service(cls.port, [
            rig.route("scripted", [cls.scripted], path_prefix="/scripted.Service",
                      upstream_options=HTTP2),
            rig.route("dead", [f"127.0.0.1:{r.port()}"], path_prefix="/dead.Service",
                      upstream_options=HTTP2),
            rig.route("small", [cls.server], path_prefix="/grpc.testing.SmallService",
                      upstream_options=HTTP2, body_bytes=100),
            rig.route("server", [cls.server], path_prefix="/grpc.testing.TestService",
                      upstream_options=HTTP2)])))

    def ask(self, method, messages, **options):
        path = method if method.startswith("/") else SERVICE + method
        return grpc_web.ask(self.proxy.host, self.port, path, messages, **options)

    def each(self, *args, **options):
        """(way, call) for each way to write the same request."""
        calls = [(way, self.ask(*args, **way, **options)) for way in WAYS]
        for way, call in calls:
            self.assertEqual(call.response.status, 200, way)
        return calls

    # --- A real server.
    def test_unary(self):
        for way, call in self.each("UnaryCall", [unary(314159, 271828)]):
            with self.subTest(**way):
                self.assertEqual((call.code, call.message), (OK, ""))
                self.assertEqual([payload_bytes(one) for one in call.messages], [314159])
                self.assertIsNotNone(call.trailers)
                self.assertFalse(call.response.has("grpc-status"))

    def test_an_empty_message(self):
        for way, call in self.each("EmptyCall", [b""]):
            with self.subTest(**way):
                self.assertEqual((call.code, call.messages), (OK, [b""]))

    def test_server_streaming(self):
        sizes = [31415, 9, 2653, 58979]
        request = message([(2, [(1, size)]) for size in sizes])
        for way, call in self.each("StreamingOutputCall", [request]):
            with self.subTest(**way):
                self.assertEqual(call.code, OK)
                self.assertEqual([payload_bytes(one) for one in call.messages], sizes)

    def test_many_messages_in_one_request(self):
        sizes = [27182, 8, 1828, 45904]
        requests = [message([(1, [(2, b"\0" * size)])]) for size in sizes]
        for way, call in self.each("StreamingInputCall", requests):
            with self.subTest(**way):
                self.assertEqual(call.code, OK)
                self.assertEqual(grpc_web.fields_of(call.messages[0])[1], [sum(sizes)])

    def test_statuses_and_messages(self):
        text = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
        for said in ("test status message", text):
            for way, call in self.each("UnaryCall", [unary(status=(UNKNOWN, said))]):
                with self.subTest(**way):
                    self.assertEqual((call.code, call.message, call.messages), (UNKNOWN, said, []))

    def test_what_the_server_does_not_have(self):
        for way, call in self.each("UnimplementedCall", [b""]):
            with self.subTest(**way):
                self.assertEqual(call.code, UNIMPLEMENTED)

    def test_metadata(self):
        headers = ["x-grpc-test-echo-initial: first", "x-grpc-test-echo-trailing-bin: q6ur"]
        for way, call in self.each("UnaryCall", [unary(10)], headers=headers):
            with self.subTest(**way):
                self.assertEqual(call.response.get("x-grpc-test-echo-initial"), "first")
                self.assertEqual(call.trailers["x-grpc-test-echo-trailing-bin"], "q6ur")

    def test_the_response_is_of_the_type_the_client_accepts(self):
        for text, accept, told in ((False, None, grpc_web.BINARY), (True, None, grpc_web.TEXT),
                                   (True, grpc_web.BINARY, grpc_web.BINARY),
                                   (False, grpc_web.TEXT, grpc_web.TEXT),
                                   (True, "*/*", grpc_web.TEXT)):
            with self.subTest(text=text, accept=accept):
                call = self.ask("UnaryCall", [unary(10)], text=text,
                                headers=[f"Accept: {accept}"] if accept else [])
                kind = call.response.get("content-type").split(";")[0]
                self.assertIn(kind, (told, told + "+proto"))
                self.assertEqual(call.code, OK)

    # --- A scripted one.
    def script(self, method, script):
        self.scripts["/scripted.Service/" + method] = script
        return "/scripted.Service/" + method

    def test_every_message_arrives_before_the_next_is_sent(self):
        for text in (False, True):
            with self.subTest(text=text):
                seen = [threading.Event() for _ in range(4)]

                def answer(request):
                    connection, stream = request.connection, request.stream
                    connection.head(stream, 200, [("content-type", "application/grpc")])
                    for i, event in enumerate(seen):
                        connection.data(stream, grpc_web.frame(b"m" * (i + 1)))
                        if not event.wait(30):
                            return
                    connection.trailers(stream, [("grpc-status", "0")])
                path = self.script("OneByOne", answer)
                stream = grpc_web.Stream(self.proxy.host, self.port, path, b"go", text=text)
                self.addCleanup(stream.close)
                for i, event in enumerate(seen):
                    self.assertEqual(stream.next(), (0, b"m" * (i + 1)))
                    event.set()
                self.assertEqual(stream.next(), (grpc_web.TRAILERS, b"grpc-status: 0\r\n"))
                self.assertIsNone(stream.next())

    def test_a_client_that_leaves_cancels_the_call(self):
        for text in (False, True):
            with self.subTest(text=text):
                def answer(request):
                    request.connection.head(request.stream, 200,
                                            [("content-type", "application/grpc")])
                    request.connection.data(request.stream, grpc_web.frame(b"first"))
                path = self.script("Leave", answer)
                stream = grpc_web.Stream(self.proxy.host, self.port, path, b"go", text=text)
                self.assertEqual(stream.next(), (0, b"first"))
                request = self.scripted.requests[-1]
                stream.client.reset()
                rig.wait_for("the reset", lambda: request.reset is not None)
                self.assertEqual(request.reset, h2_upstream.h2.errors.ErrorCodes.CANCEL)

    def test_failures_of_the_proxy_have_a_status(self):
        silent = self.script("Silent", lambda request: None)
        rows = [("/nowhere.Service/Call", UNIMPLEMENTED, ()),
                ("/dead.Service/Call", UNAVAILABLE, ()),
                (silent, DEADLINE_EXCEEDED, ["grpc-timeout: 200m"])]
        for path, code, headers in rows:
            for way, call in self.each(path, [b""], headers=headers):
                with self.subTest(**way):
                    self.assertEqual((call.code, call.messages), (code, []))
                    self.assertTrue(call.message)
                    self.assertTrue(call.response.get("content-type").startswith(
                        grpc_web.TEXT if call.text else grpc_web.BINARY))
        for way, call in self.each("/grpc.testing.SmallService/Call", [b"x" * 1000]):
            with self.subTest(**way):
                self.assertEqual(call.code, RESOURCE_EXHAUSTED)

    def test_a_response_that_is_cut_does_not_look_complete(self):
        def answer(request):
            request.connection.head(request.stream, 200, [("content-type", "application/grpc")])
            request.connection.data(request.stream, grpc_web.frame(b"first") + b"\0\0")
            request.connection.reset(request.stream, 2)
        path = self.script("Cut", answer)
        for way in WAYS:
            with self.subTest(**way):
                try:
                    call = self.ask(path, [b""], **way)
                except (h1.Cut, h1.Malformed, ConnectionResetError):
                    continue
                self.assertNotIn(call.code, (None, OK))


if __name__ == "__main__":
    rig.main()
