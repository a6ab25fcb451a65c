#!/usr/bin/python3
"""HTTP/2 frame by frame: what a client may do although few do it, and what ends a connection."""
import os
import re
import sys
import time
import types
import unittest  # noqa: F401

import _path  # noqa: F401
import rig

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "security"))
import h2_frames as h2  # noqa: E402
import h2_observe       # noqa: E402


class Http2FramesTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        cls.upstream = cls.rig.upstream()
        cls.port = cls.rig.port()
        cls.rig.apply(rig.document(rig.service(
            cls.port, [rig.route("all", [cls.upstream])], timeouts={"header": "1s"})))

    def setUp(self):
        super().setUp()
        target = types.SimpleNamespace(host=self.proxy.host, clear_h2=self.port)
        self.client = h2_observe.H2Sending(target, False)
        self.addCleanup(self.client.end)

    def answered(self, stream):
        return self.client.wait(lambda: self.client.stream(stream).ended) and \
            self.client.stream(stream).status

    def test_a_head_in_many_frames_and_single_bytes(self):
        block = h2.head_block() + h2.literal("x-long", "y" * 100) * 20
        cut = [block[i:i + 500] for i in range(0, len(block), 500)]
        frames = h2.frame(h2.HEADERS, h2.END_STREAM, 1, cut[0])
        for i, part in enumerate(cut[1:], 2):
            frames += h2.frame(h2.CONTINUATION, h2.END_HEADERS if i == len(cut) else 0, 1, part)
        self.client.send(frames, 1)
        self.assertEqual(self.answered(1), 200, self.client.saw())

    def test_a_malformed_head_leaves_no_deadline_behind(self):
        self.client.send(h2.request(1, more=h2.literal("connection", "close")))
        self.assertTrue(self.client.wait(lambda: self.client.stream(1).reset is not None))
        time.sleep(1.5)  # The deadline of a head is 1 s.
        self.client.send(h2.request(3))
        self.assertEqual(self.answered(3), 200, self.client.saw())

    def test_a_malformed_head_is_logged_although_it_has_no_answer(self):
        pseudo = {name: h2.literal(name, value) for name, value in (
            (":method", "GET"), (":scheme", "http"), (":authority", "a.test"), (":path", "/refused"))}
        whole = b"".join(pseudo.values())
        blocks = {
            "no path": pseudo[":method"] + pseudo[":scheme"] + pseudo[":authority"],
            "a field of one connection": whole + h2.literal("connection", "close"),
            "upper case": whole + h2.literal("X-Upper", "1"),
            "a pseudo-header field twice": whole + pseudo[":path"],
            "a pseudo-header field behind others": whole + h2.literal("x", "1") + pseudo[":path"],
            "te": whole + h2.literal("te", "gzip"),
        }
        ways = [(name, block, cut) for name, block in blocks.items() for cut in (False, True)]
        for stream, (name, block, cut) in zip(range(1, 99, 2), ways):
            with self.subTest(name, cut=cut):
                before = len(self.refused())
                kind = h2.END_STREAM | (0 if cut else h2.END_HEADERS)
                self.client.send(h2.frame(h2.HEADERS, kind, stream, block))
                if cut:
                    self.client.send(h2.frame(h2.CONTINUATION, h2.END_HEADERS, stream,
                                              h2.literal("x-more", "1")))
                self.assertTrue(self.client.wait(
                    lambda: self.client.stream(stream).reset == h2.PROTOCOL_ERROR),
                    self.client.saw())
                rig.wait_for("a record", lambda: len(self.refused()) > before)
                record, = self.refused()[before:]
                self.assertEqual((record["status"], record["protocol"], record["path"]),
                                 (400, "HTTP/2", ""))
        self.client.send(h2.request(99, "/behind"))
        self.assertEqual(self.answered(99), 200, self.client.saw())
        self.assertEqual([q.target for q in self.upstream.requests if q.target == "/refused"], [])

    def refused(self):
        return [r for r in self.proxy.access_records() if r.get("failure") == "bad_request"]

    def test_a_stream_that_was_passed_over_stays_closed(self):
        self.client.send(h2.request(5))
        self.assertEqual(self.answered(5), 200)
        self.client.send(h2.request(3))
        self.assertTrue(self.client.wait(lambda: self.client.closed))
        self.assertEqual(self.client.goaway(), h2.PROTOCOL_ERROR)

    def test_abuse_winds_the_connection_down_and_open_streams_end_well(self):
        self.client.send(h2.request(1, method="POST", end=False))
        # Three quarters of 200, and less than all.
        self.client.send(h2.settings() * 170)
        self.assertTrue(self.client.wait(lambda: self.client.goaways))
        self.assertEqual(self.client.goaways, [(1, h2.ENHANCE_YOUR_CALM)])
        rig.wait_for("the metric", lambda: re.search(r"sluice_http2_abuse_total{.*} [1-9]",
                                                     self.proxy.metrics()))
        self.client.send(h2.request(3, "/after-goaway"))
        self.client.send(h2.frame(h2.DATA, h2.END_STREAM, 1, b"the end"))
        self.assertEqual(self.answered(1), 200, self.client.saw())
        self.assertTrue(self.client.wait(lambda: self.client.closed))
        self.assertNotIn("/after-goaway", [q.target for q in self.upstream.requests])

    def test_window_updates_without_a_reason_are_abuse(self):
        update = h2.frame(h2.WINDOW_UPDATE, 0, 0, b"\0\0\0\1")
        for _ in range(1000):
            self.client.send(update * 1000)
            if self.client.closed:
                break
        self.assertTrue(self.client.wait(lambda: self.client.closed), self.client.saw())
        self.assertIn(self.client.goaway(), (h2.ENHANCE_YOUR_CALM, None))

    def test_a_window_given_back_in_small_portions_is_none(self):
        """Of each response, for the stream and the connection."""
        before = self.upstream.on_request
        self.upstream.on_request = lambda c, q: b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + \
            bytes(3000000)
        self.addCleanup(setattr, self.upstream, "on_request", before)
        portion, given = 512, 0
        self.client.send(h2.request(1))
        stream = self.client.stream(1)
        while not stream.ended and not self.client.closed:
            self.client.pump(0.1)
            count = (stream.body_bytes - given) // portion
            given += count * portion
            self.client.send(b"".join(h2.frame(h2.WINDOW_UPDATE, 0, n, portion.to_bytes(4, "big"))
                                      for n in (0, 1)) * count)
        self.assertEqual((stream.status, stream.body_bytes, self.client.goaways), (200, 3000000, []))

    def test_goaway_again_and_again_is_abuse(self):
        self.client.send(h2.request(1, method="POST", end=False))
        self.client.send(h2.frame(h2.GOAWAY, 0, 0, bytes(8)) * 100)
        self.assertTrue(self.client.wait(lambda: self.client.closed))
        self.assertEqual(self.client.goaway(), h2.ENHANCE_YOUR_CALM)

    def test_priority_updates_are_ignored(self):
        """RFC 9218 section 7.1; before the stream, while it is open, and of no stream at all."""
        priority_update = 0x10
        update = h2.frame(priority_update, 0, 0, b"\0\0\0\1u=0, i")
        self.client.send(update + h2.request(1, method="POST", end=False,
                                             more=h2.literal("priority", "u=1")))
        self.client.send(update + h2.frame(priority_update, 0, 0, b"\0\0\0\x63?") +
                         h2.frame(priority_update, 0, 0, b""))
        self.client.send(h2.frame(h2.DATA, h2.END_STREAM, 1, b"the end"))
        self.assertEqual(self.answered(1), 200, self.client.saw())
        self.assertEqual(self.client.goaways, [])
        self.assertEqual(self.upstream.last().get("priority"), "u=1")

    def test_many_requests_taken_back_at_once_harm_nobody(self):
        for first in range(1, 20000, 400):
            self.client.send(b"".join(
                h2.request(n) + h2.frame(h2.RST_STREAM, 0, n, b"\0\0\0\x08")
                for n in range(first, first + 400, 2)))
            if self.client.closed:
                break
        # It may have sent all of it before the first of it was judged.
        self.assertTrue(self.client.wait(lambda: self.client.closed))
        self.assertEqual(self.client.goaway(), h2.ENHANCE_YOUR_CALM)
        self.assertTrue(self.proxy.running())


if __name__ == "__main__":
    rig.main()
