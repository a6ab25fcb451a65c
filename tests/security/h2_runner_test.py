#!/usr/bin/python3
"""The HTTP/2 runner can fail: a front end that says yes to all, or falls silent, is caught."""
import os
import socket
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness"))
import h2_cases    # noqa: E402
import h2_floods   # noqa: E402
import h2_frames as h2  # noqa: E402
import h2_judge    # noqa: E402
import h2_observe  # noqa: E402
import observe     # noqa: E402
import ports       # noqa: E402
import rig         # noqa: E402


class Yes:
    """Answers every HEADERS with 200 and objects to nothing."""
    host = "127.0.0.1"

    def __init__(self, kit):
        self.up = kit.upstream()
        self.clear_h2 = ports.take()
        self.listener = socket.create_server((self.host, self.clear_h2))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            client.sendall(h2.settings())
            client.recv(len(h2.PREFACE), socket.MSG_WAITALL)
            reader = h2.Reader()
            while data := client.recv(65536):
                for read in reader.feed(data):
                    client.sendall(self.answer(read))
        except OSError:
            pass

    def answer(self, read):
        if read.type != h2.HEADERS:
            return b""
        return h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, read.stream, b"\x88")  # 200.

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class ResetsAll(Yes):
    """The right answer to a bad head, even when there is none."""

    def answer(self, read):
        if read.type != h2.HEADERS:
            return b""
        return h2.frame(h2.RST_STREAM, 0, read.stream, b"\0\0\0\x01")


class WrongCode(Yes):
    def answer(self, read):
        return b"" if read.type == h2.SETTINGS else h2.frame(h2.GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\x02")


class H2RunnerTest(unittest.TestCase):
    def setUp(self):
        self.kit = rig.Rig()
        self.addCleanup(self.kit.close)
        patience = observe.Sending.wait
        self.addCleanup(setattr, observe.Sending, "wait", patience)
        observe.Sending.wait = lambda s, condition, _=None: patience(s, condition, 0.3)

    def held(self, kind, *names):
        front = kind(self.kit)
        self.addCleanup(front.stop)
        out = {}
        for case in h2_cases.load(only=names):
            sending = h2_observe.run(front, case, False, False)
            out[case.id] = h2_judge.verdict(front, case, sending)[0]
            sending.end()
        self.assertEqual(len(out), len(names), out)
        return set(out.values())

    def test_every_case_has_a_judge_or_a_generator(self):
        for case in h2_cases.load():
            if case.group == "h2":
                for name in case.classes:
                    self.assertTrue(hasattr(h2_judge.H2Judge, name), name)
            else:
                self.assertIn(case.id, h2_floods.GENERATORS)

    def test_saying_yes_is_caught(self):
        self.assertEqual(self.held(Yes, "h2-te-chunked", "h2-value-crlf", "h2-data-idle",
                                   "h2-te-trailers-ok", "h2-cookie-crumbs", "h2-hpack-bad-index",
                                   "h2-ext-connect-other-proto"), {None})

    def test_a_stream_error_must_leave_others_alone(self):
        self.assertEqual(self.held(ResetsAll, "h2-te-chunked", "h2-path-space"), {None})

    def test_the_code_counts(self):
        self.assertEqual(self.held(WrongCode, "h2-wu-zero-conn", "h2-settings-bad-len"), {None})

    def test_frames_are_read_as_they_are_written(self):
        wire = h2.settings((4, 1)) + h2.request(3) + h2.frame(h2.DATA, h2.END_STREAM, 3, b"x")
        reader, found = h2.Reader(), []
        for i in range(len(wire)):
            found += reader.feed(wire[i:i + 1])
        self.assertEqual([(f.type, f.stream) for f in found],
                         [(h2.SETTINGS, 0), (h2.HEADERS, 3), (h2.DATA, 3)])
        self.assertEqual(h2.with_stream(h2.request(3), 4), h2.request(7))


if __name__ == "__main__":
    unittest.main(verbosity=2)
