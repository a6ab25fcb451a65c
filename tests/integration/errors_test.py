#!/usr/bin/python3
"""Every status the proxy answers itself: short, plain or JSON, with the request id and a code."""
import json
import unittest  # noqa: F401

import _path  # noqa: F401
import rig
from upstream import OK, reply


class ErrorsTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port, cls.hasty_port = r.port(), r.port()
        cls.up = r.upstream()
        cls.refusing = f"127.0.0.1:{r.port()}"
        limits = {"header_bytes": 8192, "header_count": 50, "target_bytes": 2048, "body_bytes": 1000}
        r.apply(rig.document(
            rig.service(cls.port, [
                rig.route("dead", [cls.refusing], path_prefix="/dead"),
                rig.route("late", [cls.up], "up", path_prefix="/late", timeouts={"first_byte": "300ms"}),
                rig.route("small", [cls.up], "up", path_prefix="/small", body_bytes=10),
                rig.route("all", [cls.up], "up", path_prefix="/up"),
            ], limits=limits),
            rig.service(cls.hasty_port, [rig.route("all", [cls.up], "up")], name="hasty",
                        timeouts={"header": "300ms", "idle": "300ms", "keep_alive": "300ms"})))

    def setUp(self):
        super().setUp()
        self.up.on_request = lambda c, q: OK
        self.up.on_head = None

    def check(self, answer, status, closes=None):
        self.assertEqual(answer.status, status, answer.body)
        self.assertLess(len(answer.body), 1000)
        self.assertTrue(answer.get("content-type", "").startswith("text/plain"))
        request_id = answer.get("x-request-id")
        self.assertTrue(request_id)
        self.assertIn(request_id.encode(), answer.body)
        record = self.proxy.wait_record(lambda r: r.get("request_id") == request_id)
        self.assertEqual(record["status"], status)
        self.assertTrue(record["failure"], record)
        if closes is not None:
            self.assertEqual((answer.get("connection") or "").lower() == "close", closes)
        return record

    def raw(self, data, port=None):
        client = self.client(port)
        client.send(data)
        return client.response()

    def test_400(self):
        self.check(self.raw(b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n"), 400, closes=True)
        self.check(self.raw(b"GET / HTTP/1.1\r\n\r\n"), 400)
        self.check(self.get("/up/%zz"), 400)

    def test_404(self):
        self.check(self.get("/nowhere"), 404, closes=False)

    def test_408(self):
        client = self.client(self.hasty_port)
        client.send(b"GET / HTTP/1.1\r\nHost: a.te")
        self.check(client.response(), 408, closes=True)
        self.assertEqual(client.at_end(), b"")

    def test_idle_keep_alive_connection_ends_silently(self):
        client = self.client(self.hasty_port)
        client.ask(rig.request())
        self.assertEqual(client.at_end(), b"")

    def test_413(self):
        self.check(self.get("/up", method="POST", body=b"x" * 1001), 413)
        self.assertEqual(self.get("/up", method="POST", body=b"x" * 1000).status, 200)
        self.check(self.get("/small", method="POST", body=b"x" * 11), 413)
        # Without a length it shows only on the way; the upstream never sees it complete.
        count = len(self.up.requests)
        # Whether all of it has arrived or not, the connection ends.
        for end in (b"0\r\n\r\n", b""):
            client = self.client()
            client.send(b"POST /up HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
                        b"5dc\r\n" + b"x" * 1500 + b"\r\n" + end)
            self.check(client.response("POST"), 413, closes=True)
        self.assertEqual(len(self.up.requests), count)

    def test_414(self):
        self.check(self.get("/up/" + "a" * 3000), 414)

    def test_431(self):
        self.check(self.get("/up", headers=["X: " + "a" * 9000]), 431)
        self.check(self.get("/up", headers=[f"X-{i}: a" for i in range(60)]), 431)

    def test_405_or_501_for_connect(self):
        answer = self.raw(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n")
        self.assertIn(answer.status, (400, 405, 501))

    def test_505(self):
        self.assertIn(self.raw(b"GET / HTTP/2.0\r\nHost: a.test\r\n\r\n").status, (400, 505))

    def test_501_for_unknown_transfer_coding(self):
        answer = self.raw(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: gzip\r\n\r\n")
        self.assertIn(answer.status, (400, 501))

    def test_502(self):
        self.check(self.get("/dead"), 502)
        self.up.on_request = lambda c, q: b"SSH-2.0-OpenSSH\r\n"
        self.check(self.get("/up"), 502)
        self.up.on_request = lambda c, q: "close"
        self.check(self.get("/up", method="POST", body=b"x"), 502)

    def test_504(self):
        self.up.on_request = lambda c, q: None
        self.check(self.get("/late"), 504)

    def test_late_answer_does_not_reach_the_next_request(self):
        held = {}

        def hold(connection, request):
            if request.target == "/late/1":
                held["connection"] = connection
                return None
            return reply("fresh")
        self.up.on_request = hold
        self.assertEqual(self.get("/late/1").status, 504)
        self.up.wait("the cancel", lambda: held["connection"].ended or held["connection"].wire.eof
                     or self._try_send(held["connection"]))
        self.assertEqual(self.get("/late/2").body, b"fresh")

    @staticmethod
    def _try_send(connection):
        try:
            connection.send(reply("stale"))
        except OSError:
            pass
        return True

    def test_json_when_asked_for(self):
        answer = self.get("/nowhere", headers=["Accept: application/json"])
        self.assertEqual(answer.status, 404)
        self.assertTrue(answer.get("content-type").startswith("application/json"))
        told = json.loads(answer.body)
        self.assertEqual(told["status"], 404)
        self.assertIn(answer.get("x-request-id"), told.values())
        self.assertTrue({"code", "failure", "error"} & set(told), told)

    def test_head_gets_no_body(self):
        answer = self.get("/nowhere", method="HEAD")
        self.assertEqual((answer.status, answer.body), (404, b""))

    def test_failures_are_counted(self):
        def counted():
            return sum(float(line.rsplit(" ", 1)[1]) for line in self.proxy.metrics().splitlines()
                       if "no_route" in line and not line.startswith("#"))
        before = counted()
        for number in (1, 2):
            self.get("/nowhere")
            # Counted when the exchange is over, which is a moment after its last byte.
            rig.wait_for("the count", lambda number=number: counted() >= before + number)
            self.assertEqual(counted(), before + number)


if __name__ == "__main__":
    rig.main()
