#!/usr/bin/python3
"""What the proxy itself adds to gRPC calls: statuses of its own failures, deadlines, gRPC-Web."""
import base64
import struct
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import h1
import h2_client
import h2_upstream
import rig

GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = "4", "12", "13", "14"


def message(text):
    return b"\0" + struct.pack(">I", len(text)) + text


def frames(body):
    """(flags, payload) of each frame."""
    found = []
    while body:
        size = struct.unpack(">I", body[1:5])[0]
        assert len(body) >= 5 + size, body
        found.append((body[0], body[5:5 + size]))
        body = body[5 + size:]
    return found


def unpad(text):
    """Base64 segments one behind the other, each with padding of its own."""
    return b"".join(base64.b64decode(text[i:i + 4], validate=True) for i in range(0, len(text), 4))


class GrpcCallsTest(rig.FleetTest):
    workers = 1

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        cls.server = r.h2_upstream(on_request=lambda request: cls.serve(request))
        cls.second = r.h2_upstream(on_request=lambda request: cls.serve(request))
        cls.old = r.upstream()
        cls.scripts = {}
        http2 = {"protocol": "http2"}
        r.apply(rig.document(rig.service(cls.port, [
            rig.route("dead", [f"127.0.0.1:{r.port()}"], path_prefix="/dead.S",
                      upstream_options=http2),
            rig.route("slow", [cls.server], path_prefix="/slow.S", upstream_name="slow",
                      upstream_options=http2, timeouts={"first_byte": "300ms"}),
            rig.route("idle", [cls.server], path_prefix="/idle.S", upstream_name="idle",
                      upstream_options=http2, timeouts={"idle": "400ms"}),
            rig.route("small", [cls.server], path_prefix="/small.S", upstream_name="small",
                      upstream_options=http2, body_bytes=100),
            rig.route("two", [cls.server, cls.second], path_prefix="/two.S", upstream_name="two",
                      upstream_options={**http2, "lb_strategy": "round_robin"}),
            rig.route("old", [cls.old], path_prefix="/old.S"),
            rig.route("test", [cls.server], path_prefix="/test.S", upstream_options=http2)])))

    @classmethod
    def serve(cls, request):
        script = cls.scripts.get(request.path)
        if script:
            return script(request)
        request.complete.wait(20)
        if request.reset is not None:
            return None
        connection, stream = request.connection, request.stream
        connection.head(stream, 200, [("content-type", "application/grpc+proto")])
        connection.data(stream, b"".join(message(payload + b"!")
                                         for _, payload in frames(request.body)))
        connection.trailers(stream, [("grpc-status", "0"), ("x-more", "Yes")])

    def script(self, path, script):
        self.scripts[path] = script
        self.addCleanup(self.scripts.pop, path)

    def client(self):
        client = h2_client.Client(self.proxy.host, self.port)
        self.addCleanup(client.close)
        return client

    def call(self, path, body=message(b"hi"), fields=()):
        return self.client().ask(path, [*GRPC, *fields], body)

    def assert_failed(self, response, status):
        """Trailers only: one head that ends the stream."""
        self.assertEqual(response.status, 200, response)
        self.assertEqual(response.field("grpc-status"), status, response)
        self.assertTrue(response.field("grpc-message"), response)
        self.assertEqual(response.field("content-type"), "application/grpc")
        self.assertEqual((response.body, response.trailers), (b"", []))

    # --- Calls that go well.
    def test_a_call_with_messages_and_trailers(self):
        response = self.call("/test.S/M", message(b"one") + message(b"two"))
        self.assertEqual(frames(response.body), [(0, b"one!"), (0, b"two!")])
        self.assertEqual(response.trailers, [("grpc-status", "0"), ("x-more", "Yes")])
        self.assertEqual(self.server.requests[-1].field("te"), "trailers")

    def test_a_call_without_messages_ends_by_a_data_frame(self):
        """As gRPC over HTTP/2 has it; servers in Go 1.58 and before wait for ever otherwise. HEADERS and
        the empty DATA go out together, so that the proxy knows of both when it asks upstream."""
        client = self.client()
        stream = client.h2.get_next_available_stream_id()
        client.h2.send_headers(stream, [(":method", "POST"), (":scheme", "http"), (":path", "/test.S/M"),
                                        (":authority", "a.test"), *GRPC])
        client.h2.send_data(stream, b"", end_stream=True)
        client.responses[stream] = h2_client.Response()
        client.flush()
        response = client.finish(stream)
        self.assertEqual((response.body, response.trailer("grpc-status")), (b"", "0"))
        self.assertFalse(self.server.requests[-1].ended_by_head)
        # Others need no second frame.
        client.ask("/test.S/plain", [("x-plain", "1")])
        self.assertTrue(self.server.requests[-1].ended_by_head)

    def test_trailers_only_stay_one_head(self):
        """Case grpc-trailers-only of tests/security/cases.yaml."""
        self.script("/test.S/T", lambda request: request.connection.head(
            request.stream, 200, [("content-type", "application/grpc"), ("grpc-status", "12")],
            end=True))
        response = self.call("/test.S/T")
        self.assertEqual((response.field("grpc-status"), response.body, response.trailers),
                         ("12", b"", []))

    def test_calls_of_one_connection_are_balanced(self):
        client = self.client()
        before = [len(server.requests) for server in (self.server, self.second)]
        for _ in range(20):
            self.assertEqual(client.ask("/two.S/M", GRPC, message(b"x")).trailer("grpc-status"), "0")
        took = [len(server.requests) - b
                for server, b in zip((self.server, self.second), before)]
        self.assertEqual(took, [10, 10])

    def test_both_sides_may_be_silent_longer_than_a_request_may_take(self):
        """The route's idle time is what counts, and either direction keeps the call alive."""
        self.script("/idle.S/Chat", lambda request: (
            request.connection.head(request.stream, 200, [("content-type", "application/grpc")]),
            request.complete.wait(20),
            request.connection.trailers(request.stream, [("grpc-status", "0")])) and None)
        client = self.client()
        stream = client.start("/idle.S/Chat", GRPC)
        for _ in range(5):
            time.sleep(0.25)
            client.send(stream, message(b"still here"))
        client.send(stream, end=True)
        self.assertEqual(client.finish(stream).trailer("grpc-status"), "0")

    def test_silence_of_both_sides_ends_a_call(self):
        self.script("/idle.S/Dead", lambda request: None)
        client = self.client()
        stream = client.start("/idle.S/Dead", GRPC)
        self.assert_failed(client.finish(stream), DEADLINE_EXCEEDED)

    # --- Failures of the proxy's own.
    def test_failures_are_grpc_statuses(self):
        self.assert_failed(self.call("/none.S/M"), UNIMPLEMENTED)
        self.assert_failed(self.call("/dead.S/M"), UNAVAILABLE)
        self.script("/slow.S/M", lambda request: None)
        self.assert_failed(self.call("/slow.S/M"), DEADLINE_EXCEEDED)
        self.assert_failed(self.call("/small.S/M", message(b"x" * 200)), "8")
        self.script("/test.S/R", lambda request: request.connection.reset(
            request.stream, h2_upstream.h2.errors.ErrorCodes.INTERNAL_ERROR))
        self.assert_failed(self.call("/test.S/R"), UNAVAILABLE)

    def test_an_answer_by_plain_http_stays_one(self):
        """What it means the client knows best: it has the status and the text."""
        def refuse(request):
            request.connection.head(request.stream, 503, [("content-type", "text/plain"),
                                                          ("retry-after", "7")])
            request.connection.data(request.stream, b"busy", end=True)
        self.script("/test.S/Plain", refuse)
        response = self.call("/test.S/Plain")
        self.assertEqual((response.status, response.body, response.field("retry-after")),
                         (503, b"busy", "7"))
        self.assertIsNone(response.field("grpc-status"))
        self.assertEqual(response.trailers, [])
        answer = self.web("/test.S/Plain", message(b"x"))
        self.assertEqual((answer.status, answer.body, answer.get("content-type")),
                         (503, b"busy", "text/plain"))
        self.assertIsNone(answer.get("grpc-status"))

    def test_others_still_get_their_status(self):
        response = self.client().ask("/dead.S/M", [("content-type", "application/json")], b"{}")
        self.assertEqual(response.status, 502)

    def test_an_upstream_that_dies_never_looks_well(self):
        """Case grpc-upstream-dies of tests/security/cases.yaml."""
        def die(request):
            request.connection.head(request.stream, 200, [("content-type", "application/grpc")])
            request.connection.data(request.stream, message(b"first"))
            time.sleep(0.1)
            request.connection.close()
        self.script("/test.S/Die", die)
        response = self.call("/test.S/Die")
        self.assertEqual(response.body, message(b"first"))
        self.assertIsNotNone(response.reset)
        self.assertIsNone(response.trailer("grpc-status"))

    def test_grpc_over_http1_is_refused(self):
        """Case grpc-h1-client of tests/security/cases.yaml."""
        for path in ("/test.S/M", "/old.S/M"):
            with h1.Client(self.proxy.host, self.port) as client:
                answer = client.ask(f"POST {path} HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\n"
                                    "Content-Type: application/grpc\r\nContent-Length: 5\r\n\r\n"
                                    "\0\0\0\0\0")
            self.assertEqual(answer.status, 505)
            self.assertIn(b"gRPC-Web", answer.body)

    # --- Deadlines.
    def test_a_deadline_ends_the_call_and_is_told_upstream(self):
        self.script("/test.S/Sleep", lambda request: None)
        started = time.monotonic()
        self.assert_failed(self.call("/test.S/Sleep", fields=[("grpc-timeout", "300m")]),
                           DEADLINE_EXCEEDED)
        self.assertGreater(time.monotonic() - started, 0.25)
        request = self.server.requests[-1]
        told = request.field("grpc-timeout")
        self.assertTrue(told.endswith("m") and 0 < int(told[:-1]) <= 300, told)
        rig.wait_for("the reset", lambda: request.reset is not None)

    def test_a_deadline_ends_a_stream_that_has_begun(self):
        def drip(request):
            request.connection.head(request.stream, 200, [("content-type", "application/grpc")])
            while request.reset is None:
                request.connection.data(request.stream, message(b"tick"))
                time.sleep(0.05)
        self.script("/test.S/Drip", drip)
        response = self.call("/test.S/Drip", fields=[("grpc-timeout", "400m")])
        self.assertIsNotNone(response.reset)

    def test_a_deadline_nobody_can_read_is_refused(self):
        """Case grpc-timeout-huge of tests/security/cases.yaml."""
        for timeout in ("999999999H", "", "1", "S", "-1S", "1.5S", "1 S", "1D"):
            with self.subTest(timeout):
                before = len(self.server.requests)
                self.assert_failed(self.call("/test.S/M", fields=[("grpc-timeout", timeout)]),
                                   INTERNAL)
                self.assertEqual(len(self.server.requests), before)

    # --- gRPC-Web.
    def web(self, path, body, kind="application/grpc-web+proto", accept=None, chunks=None):
        headers = [f"Content-Type: {kind}", "X-Grpc-Web: 1"]
        headers += [f"Accept: {accept}"] if accept else []
        with h1.Client(self.proxy.host, self.port) as client:
            head = f"POST {path} HTTP/1.1\r\nHost: a.test\r\n" + "".join(h + "\r\n" for h in headers)
            if chunks:
                client.send(head + "Transfer-Encoding: chunked\r\n\r\n")
                for at in range(0, len(body), chunks):
                    piece = body[at:at + chunks]
                    client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                client.send(b"0\r\n\r\n")
                return client.response("POST")
            return client.ask(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def assert_web(self, answer, payloads, body):
        self.assertEqual(answer.status, 200, body)
        *messages, (flags, trailers) = frames(body)
        self.assertTrue(messages == [(0, payload) for payload in payloads], str(messages)[:200])
        self.assertEqual(flags, 0x80)
        self.assertEqual(trailers, b"grpc-status: 0\r\nx-more: Yes\r\n")

    def test_web_binary(self):
        """Case grpc-web-trailers of tests/security/cases.yaml."""
        for chunks in (None, 1, 7):
            answer = self.web("/test.S/W", message(b"one") + message(b"two"), chunks=chunks)
            self.assertEqual(answer.get("content-type"), "application/grpc-web+proto")
            self.assert_web(answer, [b"one!", b"two!"], answer.body)
            request = self.server.requests[-1]
            self.assertEqual(request.field("content-type"), "application/grpc+proto")
            self.assertEqual(request.field("te"), "trailers")
            self.assertIsNone(request.field("content-length"))

    def test_web_text(self):
        text = base64.b64encode(message(b"one")) + base64.b64encode(message(b"second"))
        for chunks in (None, 1, 5):
            answer = self.web("/test.S/W", text, "application/grpc-web-text", chunks=chunks)
            self.assertEqual(answer.get("content-type"), "application/grpc-web-text+proto")
            self.assert_web(answer, [b"one!", b"second!"], unpad(answer.body))

    def test_web_large_messages(self):
        payload = bytes(range(256)) * 2000
        for kind in ("application/grpc-web", "application/grpc-web-text"):
            body = message(payload)
            text = kind.endswith("text")
            answer = self.web("/test.S/W", base64.b64encode(body) if text else body, kind)
            self.assert_web(answer, [payload + b"!"], unpad(answer.body) if text else answer.body)

    def test_web_over_http2(self):
        response = self.client().ask("/test.S/W", [("content-type", "application/grpc-web")],
                                     message(b"one"))
        self.assertEqual(frames(response.body)[0], (0, b"one!"))
        self.assertEqual(frames(response.body)[1][0], 0x80)
        self.assertEqual(response.trailers, [])

    def test_web_trailers_only(self):
        self.script("/test.S/WT", lambda request: request.connection.head(
            request.stream, 200, [("content-type", "application/grpc"), ("grpc-status", "5")],
            end=True))
        answer = self.web("/test.S/WT", message(b"x"))
        self.assertEqual((answer.status, answer.get("grpc-status"), answer.body), (200, "5", b""))
        self.assertEqual(answer.get("content-type"), "application/grpc-web")

    def test_web_failures_are_statuses_too(self):
        answer = self.web("/dead.S/M", message(b"x"))
        self.assertEqual((answer.status, answer.get("grpc-status")), (200, UNAVAILABLE))
        self.assertEqual(answer.get("content-type"), "application/grpc-web")

    def test_web_bodies_that_are_none(self):
        good = message(b"one")
        for kind, body in (("application/grpc-web-text", b"!!!!"),
                           ("application/grpc-web-text", b"AAA"),
                           ("application/grpc-web", good[:-1]),
                           ("application/grpc-web", good + b"\x80\0\0\0\0"),
                           ("application/grpc-web-text", base64.b64encode(good)[:-4])):
            with self.subTest(kind=kind, body=body):
                answer = self.web("/test.S/W", body, kind)
                self.assertEqual((answer.status, answer.get("grpc-status")), (200, INTERNAL))

    def test_web_to_an_http1_upstream_is_left_alone(self):
        before = len(self.old.connections)
        answer = self.web("/old.S/M", message(b"x"))
        self.assertEqual(answer.status, 200)
        request = self.old.connections[before].requests[-1]
        self.assertEqual(request.get("content-type"), "application/grpc-web+proto")
        self.assertEqual(request.body, message(b"x"))


if __name__ == "__main__":
    rig.main()
