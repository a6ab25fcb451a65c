#!/usr/bin/python3
"""The harness proves itself on nginx and on hand-made bytes: a strict reader must be strict."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certs
import h1
import process
import rig
import upstream
import yamlish


class FakeSocket:
    def __init__(self, data):
        self.data = [data]

    def recv(self, _):
        return self.data.pop() if self.data else b""


def parse_request(data):
    wire = h1.Wire(FakeSocket(data))
    request = h1.read_request_head(wire)
    h1.take_body(wire, request, request.framing)
    return request


class StrictReaderTest(unittest.TestCase):
    def test_refuses_what_can_be_read_in_two_ways(self):
        head = b"POST / HTTP/1.1\r\nHost: a\r\n"
        for bad in (b"GET / HTTP/1.1\nHost: a\r\n\r\n",
                    b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
                    b"GET / HTTP/1.1\r\n\r\n",
                    b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
                    head + b"X : y\r\n\r\n",
                    head + b"X: y\r\n folded\r\n\r\n",
                    head + b"X: a\rb\r\n\r\n",
                    head + b"X: a\0b\r\n\r\n",
                    head + b"Content-Length: +3\r\n\r\nabc",
                    head + b"Content-Length: 03\r\n\r\nabc",
                    head + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
                    head + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    head + b"Transfer-Encoding: gzip\r\n\r\n",
                    head + b"Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\n",
                    head + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
                    head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n"):
            with self.subTest(bad=bad), self.assertRaises(h1.Malformed):
                parse_request(bad)

    def test_reads_chunks_and_trailers(self):
        request = parse_request(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                b"A\r\n0123456789\r\n2\r\nab\r\n0\r\nT: v\r\n\r\n")
        self.assertEqual(request.body, b"0123456789ab")
        self.assertEqual(request.chunks, [10, 2])
        self.assertEqual(request.trailers, [(b"T", b"v")])

    def test_tells_a_cut_message_from_a_closed_connection(self):
        with self.assertRaises(h1.Gone):
            parse_request(b"")
        for cut in (b"GET / HT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc"):
            with self.subTest(cut=cut), self.assertRaises(h1.Cut):
                parse_request(cut)

    def test_keeps_interim_responses_apart(self):
        wire = h1.Wire(FakeSocket(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                                  b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
        response = h1.read_response(wire)
        self.assertEqual([i.status for i in response.interim], [103])
        self.assertEqual((response.status, response.body), (200, b"hi"))


class RigTest(unittest.TestCase):
    def setUp(self):
        self.rig = rig.Rig()
        self.addCleanup(self.rig.close)

    def test_nginx_backend_tells_what_it_received(self):
        backend = self.rig.nginx("one")
        with h1.Client(backend.host, backend.port) as client:
            seen = rig.told(client.ask(rig.request("/p?q=1", "a.test", ["X-Request-ID: r"])).body)
            again = rig.told(client.ask(rig.request("/")).body)
        self.assertEqual((seen["node"], seen["uri"], seen["rid"]), ("one", "/p?q=1", "r"))
        self.assertEqual(again["n"], "2")

    def test_nginx_forwards_to_the_recording_upstream_over_tls(self):
        authority = self.rig.cert("ca")
        site = self.rig.cert("site", ["a.test", "127.0.0.1"], issuer=authority)
        behind = self.rig.upstream(on_request=lambda c, r: upstream.reply("hi"))
        front = self.rig.nginx("front", certificate=site, extra=(
            f"location /up/ {{ proxy_http_version 1.1; proxy_pass http://{behind.address}; }}"))
        context = certs.client_context(authority)
        with h1.Client(front.host, front.port, tls=context, server_name="a.test") as client:
            client.send_split(rig.request("/up/x", method="POST", body=b"abc"), 1)
            self.assertEqual(client.response().body, b"hi")
        self.assertEqual(behind.last().body, b"abc")
        self.assertEqual(behind.last().method, "POST")
        self.assertIn(b"POST /up/x HTTP/1.1\r\n", behind.raw)

    def test_ports_differ_and_are_held(self):
        taken = {self.rig.port() for _ in range(50)}
        self.assertEqual(len(taken), 50)

    def test_reports_of_sanitizers_and_bad_exits_are_complaints(self):
        for text, code in (("ERROR: AddressSanitizer: boom", 0), ("x.cc:1: runtime error: y", 0),
                           ("WARNING: ThreadSanitizer: race", 0), ("fine", 3)):
            bad = process.Process(["/bin/sh", "-c", f"echo '{text}' >&2; exit {code}"],
                                  self.rig.dir, "bad").start()
            bad.wait()
            self.assertIsNotNone(bad.complaint(), text)
            os.unlink(bad.log)

    def test_a_wait_in_vain_fails(self):
        with self.assertRaises(AssertionError):
            rig.wait_for("nothing", lambda: False, timeout=0.05)

    def test_yaml_is_what_was_meant(self):
        self.assertEqual(yamlish.dump({"a": [{"b": 1, "c": ["x"]}, "y"], "d": {}}),
                         'a:\n  - b: 1\n    c:\n      - "x"\n  - "y"\nd: {}\n')

    def test_metric_sums_matching_samples(self):
        text = 'a_total{x="1",y="2"} 3\na_total{x="1",y="3"} 4\na_total{x="2"} 9\nab_total 1\n'
        self.assertEqual(rig.metric(text, "a_total", x="1"), 7)
        self.assertIsNone(rig.metric(text, "a_total", x="5"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
