#!/usr/bin/python3
"""HTTP/1.0 and 1.1 whole, against an upstream that reads by the letter."""
import unittest  # noqa: F401

import _path  # noqa: F401
import h1
import rig
from upstream import OK, reply


class Http1Test(rig.FleetTest):
    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()
        cls.up = cls.rig.upstream()
        cls.rig.apply(rig.document(rig.service(
            cls.port, [rig.route("slow", [cls.up], path_prefix="/slow", timeouts={"first_byte": "30s"}),
                       rig.route("all", [cls.up], "all-up")],
            timeouts={"half_close": "10s"})))

    def setUp(self):
        super().setUp()
        self.up.clear()
        self.script()

    def script(self, on_request=None, on_head=None):
        self.up.on_request = on_request or (lambda c, r: reply(r.target))
        self.up.on_head = on_head

    # ---- connections ------------------------------------------------------------------

    def test_keep_alive_reuses_both_connections(self):
        client = self.client()
        for i in range(20):
            self.assertEqual(client.ask(rig.request(f"/{i}")).body, f"/{i}".encode())
        self.assertEqual(len(self.up.connections), 1)

    def test_pipelined_requests_are_answered_in_order(self):
        client = self.client()
        client.send(b"".join(rig.request(f"/p{i}", body=b"x" * i, method="POST") for i in range(10)))
        for i in range(10):
            self.assertEqual(client.response().body, f"/p{i}".encode())

    def test_pipelined_requests_split_at_every_byte(self):
        client = self.client()
        client.send_split(rig.request("/a", method="POST", body=b"12345") + rig.request("/b"), 1)
        self.assertEqual([client.response().body, client.response().body], [b"/a", b"/b"])

    def test_client_close_is_honoured(self):
        client = self.client()
        answer = client.ask(rig.request("/", headers=["Connection: close"]))
        self.assertEqual(answer.get("connection"), "close")
        self.assertEqual(client.at_end(), b"")

    def test_upstream_close_is_honoured_and_not_passed_on(self):
        self.script(lambda c, r: reply("x", headers=["Connection: close"]))
        client = self.client()
        for _ in range(3):
            answer = client.ask(rig.request())
            self.assertEqual(answer.body, b"x")
            self.assertNotEqual((answer.get("connection") or "").lower(), "close")
        self.assertEqual(len(self.up.connections), 3)

    def test_stale_pooled_connection_is_replaced_invisibly(self):
        client = self.client()
        self.assertEqual(client.ask(rig.request("/1")).status, 200)
        first = self.up.connections[0]
        self.up.drop(first)
        self.up.wait("the drop", lambda: first.ended)
        self.assertEqual(client.ask(rig.request("/2")).status, 200)
        # The other kind: closed by the upstream exactly when the request arrives.
        count = len(self.up.requests)

        def once(connection, request):
            if len(connection.requests) > 1 and not getattr(self, "_closed", False):
                self._closed = True
                return "close"
            return reply("again")
        self.script(once)
        self.assertEqual(client.ask(rig.request("/3")).body, b"again")
        self.assertGreaterEqual(len(self.up.requests), count + 2)

    def test_post_is_not_repeated_once_it_was_consumed(self):
        seen = []

        def drop(connection, request):
            seen.append(request.target)
            return "close"
        self.script(drop)
        self.assertEqual(self.get("/post", method="POST", body=b"once").status, 502)
        self.assertEqual(seen, ["/post"])

    def test_http10(self):
        client = self.client()
        answer = client.ask("GET /ten HTTP/1.0\r\nHost: a.test\r\n\r\n")
        self.assertEqual(answer.body, b"/ten")
        self.assertEqual(client.at_end(), b"")
        keep = self.client()
        for _ in range(2):
            answer = keep.ask("GET /ten HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n")
            self.assertEqual((answer.get("connection") or "").lower(), "keep-alive")
            self.assertTrue(answer.has("content-length"))

    def test_http10_client_never_gets_chunks(self):
        self.script(lambda c, r: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        client = self.client()
        answer = client.ask("GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n")
        self.assertFalse(answer.has("transfer-encoding"))
        self.assertEqual(answer.body, b"abcde")

    # ---- bodies -------------------------------------------------------------------------

    def test_chunked_request_with_trailers(self):
        client = self.client()
        client.send_split(b"POST /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n"
                          b"Trailer: X-Sum\r\n\r\n5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\n"
                          b"X-Sum: 42\r\n\r\n", 3)
        self.assertEqual(client.response().status, 200)
        request = self.up.last()
        self.assertEqual(request.body, b"hello world")
        self.assertEqual(request.trailers, [(b"X-Sum", b"42")])
        self.assertNotIn(b"ext=1", self.up.raw)
        # And the connection is still in step.
        self.assertEqual(client.ask(rig.request("/after")).body, b"/after")

    def test_chunked_response_with_trailers(self):
        self.script(lambda c, r: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                                 b"Trailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n")
        client = self.client()
        answer = client.ask(rig.request("/", headers=["TE: trailers"]))
        self.assertEqual(answer.body, b"abc")
        self.assertEqual(answer.trailers, [(b"X-Sum", b"7")])
        self.assertEqual(client.ask(rig.request("/", headers=["TE: trailers"])).body, b"abc")

    def test_response_until_close(self):
        def until_close(connection, request):
            connection.send(b"HTTP/1.1 200 OK\r\n\r\nno length")
            return "close"
        self.script(until_close)
        self.assertEqual(self.get().body, b"no length")

    def test_response_pieces_flow_at_once(self):
        def first_piece(connection, request):
            self.held = connection
            return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
        self.script(first_piece)
        client = self.client()
        client.send(rig.request())
        while b"one" not in client.wire.raw:
            self.assertTrue(client.wire.more())
        self.held.send(b"3\r\ntwo\r\n0\r\n\r\n")
        self.assertEqual(client.response().body, b"onetwo")

    def test_request_pieces_flow_at_once(self):
        client = self.client()
        client.send(b"POST /flow HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\n\r\none")
        self.up.wait("the first half", lambda: b"one" in self.up.raw)
        client.send(b"two")
        self.assertEqual(client.response().status, 200)
        self.assertEqual(self.up.last().body, b"onetwo")

    def test_head_204_and_304_have_no_body(self):
        self.script(lambda c, r: b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
        client = self.client()
        answer = client.ask(rig.request("/", method="HEAD"), "HEAD")
        self.assertEqual((answer.status, answer.get("content-length"), answer.body), (200, "1234", b""))
        for status in ("204 No Content", "304 Not Modified"):
            self.script(lambda c, r, s=status: f"HTTP/1.1 {s}\r\nETag: \"x\"\r\n\r\n".encode())
            answer = client.ask(rig.request())
            self.assertEqual((answer.status, answer.body), (int(status[:3]), b""))
        self.script()
        self.assertEqual(client.ask(rig.request("/still")).body, b"/still")

    def test_empty_bodies(self):
        client = self.client()
        client.ask(rig.request("/", method="POST", body=b""))
        self.assertEqual(self.up.last().get("content-length"), "0")
        client.ask(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        self.assertEqual(self.up.last().body, b"")

    # ---- 1xx and Expect --------------------------------------------------------------------

    def test_interim_responses_pass(self):
        self.script(lambda c, r: b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
        answer = self.get()
        self.assertEqual([i.status for i in answer.interim], [103])
        self.assertEqual(answer.status, 200)

    def test_interim_responses_are_kept_from_http10_clients(self):
        self.script(lambda c, r: b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
        answer = self.client().ask("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
        self.assertEqual((answer.status, answer.interim), (200, []))

    def test_expect_continue(self):
        client = self.client()
        client.send(b"POST /e HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n"
                    b"Content-Length: 4\r\n\r\n")
        # The upstream itself says 100 when the head arrives; only then the body goes.
        while b"100 Continue\r\n" not in client.wire.raw:
            self.assertTrue(client.wire.more())
        client.send(b"body")
        answer = client.response("POST")
        self.assertEqual((answer.status, [i.status for i in answer.interim]), (200, [100]))
        self.assertEqual(self.up.last().body, b"body")

    def test_expect_refused_by_the_upstream(self):
        self.script(on_head=lambda c, r: reply("no", "417 Expectation Failed"))
        client = self.client()
        client.send(b"POST /e HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n"
                    b"Content-Length: 4\r\n\r\n")
        answer = client.response("POST")
        self.assertEqual((answer.status, answer.interim, answer.body), (417, [], b"no"))

    # ---- early ends ----------------------------------------------------------------------------

    def test_answer_before_the_body_was_sent(self):
        self.script(on_head=lambda c, r: reply("too big", "413 Content Too Large"))
        client = self.client()
        client.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        answer = client.response("POST")
        self.assertEqual((answer.status, answer.body), (413, b"too big"))
        # That upstream connection, its request unfinished, serves nobody else.
        self.script()
        self.assertEqual(self.get("/next").body, b"/next")
        self.assertEqual([r.target for r in self.up.connections[0].requests], [])

    def test_half_closed_client_gets_its_answer(self):
        client = self.client()
        client.send(rig.request("/half"))
        client.half_close()
        self.assertEqual(client.response().body, b"/half")
        self.assertEqual(client.at_end(), b"")

    def test_client_gone_cancels_the_upstream_request(self):
        self.script(lambda c, r: None if r.target == "/slow" else OK)
        client = self.client()
        client.send(rig.request("/slow"))
        self.up.wait("the request", lambda: self.up.requests)
        connection = self.up.connections[-1]
        client.reset()
        self.up.wait("the cancel", lambda: connection.ended)

    def test_client_gone_in_its_body_aborts_the_upstream_request(self):
        client = self.client()
        client.send(b"POST /cut HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nabc")
        self.up.wait("the head", lambda: self.up.started)
        connection = self.up.connections[-1]
        client.close()
        self.up.wait("the abort", lambda: connection.ended)
        self.assertIsNotNone(connection.cut)
        self.assertEqual(connection.requests, [])

    def test_client_cut_in_chunks_never_looks_complete_upstream(self):
        client = self.client()
        client.send(b"POST /cut HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
        self.up.wait("the head", lambda: self.up.started)
        connection = self.up.connections[-1]
        client.half_close()
        self.up.wait("the abort", lambda: connection.ended)
        self.assertEqual(connection.requests, [])

    def test_upstream_cut_in_its_body_is_seen_by_the_client(self):
        for head in (b"Content-Length: 100\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"):
            def cut(connection, request, head=head):
                connection.send(b"HTTP/1.1 200 OK\r\n" + head)
                return "close"
            self.script(cut)
            with self.subTest(head=head), self.assertRaises(h1.Cut):
                self.get()

    def test_upgrade_is_refused_cleanly(self):
        client = self.client()
        client.send(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n")
        answer = client.response()
        self.assertIn(answer.status, (200, 400, 426, 501))
        self.assertNotIn(b"Upgrade", self.up.raw)

    def test_hop_by_hop_headers_stay_here(self):
        self.script(lambda c, r: reply("x", headers=["Connection: X-Gone", "X-Gone: 1",
                                                     "Keep-Alive: timeout=5", "X-Kept: 1"]))
        answer = self.get("/", headers=["Connection: keep-alive, X-Mine", "X-Mine: 1", "TE: gzip",
                                        "Keep-Alive: timeout=9", "Proxy-Connection: keep-alive",
                                        "X-Kept: 2"])
        self.assertEqual((answer.get("x-kept"), answer.has("x-gone"), answer.has("keep-alive")),
                         ("1", False, False))
        seen = self.up.last()
        self.assertEqual(seen.get("x-kept"), "2")
        for name in ("x-mine", "te", "keep-alive", "proxy-connection"):
            self.assertFalse(seen.has(name), name)


if __name__ == "__main__":
    rig.main()
