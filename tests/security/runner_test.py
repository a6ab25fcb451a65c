#!/usr/bin/python3
"""The runner can fail: a front end that forwards bytes as they come, or says yes to all, is caught."""
import os
import socket
import sys
import threading
import unittest

import yaml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness"))
import cases    # noqa: E402
import judge    # noqa: E402
import observe  # noqa: E402
import rig      # noqa: E402
import run_cases  # noqa: E402
import h2_cases   # noqa: E402
import scenarios  # noqa: E402
import scenarios_proxy_protocol  # noqa: E402,F401
import scenarios_resource        # noqa: E402,F401
import scenarios_tls             # noqa: E402,F401


class Blind:
    """Copies bytes both ways, looking at none of them."""

    def __init__(self, port, upstream):
        self.upstream = upstream
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.serve(client)

    def serve(self, client):
        server = socket.create_connection(("127.0.0.1", self.upstream.port))
        for a, b in ((client, server), (server, client)):
            threading.Thread(target=self._copy, args=(a, b), daemon=True).start()

    @staticmethod
    def _copy(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Yes(Blind):
    """Answers everything with one fixed text and never closes."""
    text = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    def serve(self, client):
        client.sendall(self.text)
        self.kept = getattr(self, "kept", []) + [client]


class RejectKeepsOpen(Yes):
    text = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


class RejectAndClose(Blind):
    def serve(self, client):
        client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        client.shutdown(socket.SHUT_WR)


class Front:
    host = "127.0.0.1"
    records = series = None

    def __init__(self, kit, kind):
        self.up = kit.upstream()
        self.clear = kit.port()
        self.front = kind(self.clear, self.up)


class RunnerTest(unittest.TestCase):
    def setUp(self):
        self.kit = rig.Rig()
        self.addCleanup(self.kit.close)
        # Wrong answers need not be waited for here.
        patience = observe.Sending.wait
        self.addCleanup(setattr, observe.Sending, "wait", patience)
        observe.Sending.wait = lambda s, condition, _=None: patience(s, condition, 0.5)

    def hold(self, kind, *names):
        """Whether each case holds against a front end of this kind."""
        front = Front(self.kit, kind)
        self.addCleanup(front.front.stop)
        out = {}
        for case in cases.load(only=names):
            sending = observe.run(front, case, False, False)
            out[case.id] = judge.verdict(front, case, sending)[0]
            sending.end()
        self.assertEqual(len(out), len(names), out)
        return out

    def test_every_case_can_be_read_and_has_judges(self):
        found = cases.load()
        self.assertGreater(len(found), 170)
        for case in found:
            for name in case.classes:
                self.assertTrue(hasattr(judge.Judge, name), name)
                if name in ("policy", "bounded"):
                    self.assertTrue(hasattr(judge.Judge, "policy_" + case.base_id.replace("-", "_")), case.id)

    def test_every_case_of_the_catalogue_is_run_somewhere(self):
        with open(os.path.join(cases.HERE, "cases.yaml"), encoding="utf-8") as f:
            catalogue = yaml.safe_load(f)["cases"]
        sent = {case.base_id for case in cases.load() + h2_cases.load()}
        for data in catalogue:
            name = data["id"]
            places = [name in sent, name in scenarios.RUN, name in scenarios.NOT_TODAY,
                      name in scenarios.ELSEWHERE]
            self.assertEqual(sum(places), 1, f"{name}: run, told why not, or told where: {places}")
        for name, module in scenarios.ELSEWHERE.items():
            path = os.path.join(os.path.dirname(cases.HERE), module + "_test.py")
            with open(path, encoding="utf-8") as f:
                self.assertIn(f"Case {name} of", f.read(), module)

    def test_blind_forwarding_is_caught(self):
        held = self.hold(Blind, "cl-te-both", "te-obs-fold", "cl-list-diff", "bare-lf-request-line",
                         "path-dotdot", "hop-fixed-dropped", "forwarded-spoof", "resp-cl-and-te",
                         "resp-extra-bytes", "upgrade-h2c-stripped", "chunk-ext-valid-dropped",
                         "connect-default-off", "body-short-then-fin", "ws-no-key")
        # A cut body stays cut when bytes are only copied.
        self.assertEqual(held.pop("body-short-then-fin"), "abort_upstream")
        self.assertEqual(set(held.values()), {None}, held)

    def test_saying_yes_is_caught(self):
        held = self.hold(Yes, "cl-te-both", "path-dotdot", "strip-to-empty", "options-body",
                         "resp-bare-cr", "redirect-scheme-relative", "long-target", "binary-garbage")
        self.assertEqual(set(held.values()), {None}, held)

    def test_a_rejection_must_close(self):
        names = ("cl-te-both", "host-dup", "nul-value")
        self.assertEqual(set(self.hold(RejectKeepsOpen, *names).values()), {None})
        self.assertEqual(set(self.hold(RejectAndClose, *names).values()), {"reject_400_close"})

    def test_what_has_no_certain_end_must_close_where_it_is_refused(self):
        held = self.hold(RejectKeepsOpen, "ver-20-in-h1", "expect-obfuscated")
        self.assertEqual(held, {"ver-20-in-h1": None, "expect-obfuscated": "reject_status"})

    def test_a_record_of_others_does_not_stand_for_a_missing_one(self):
        tally = run_cases.Tally()
        tally.note("127.1.0.1", "one", ["answer", "answer"])
        tally.note("127.1.0.2", "other", ["answer"])
        lines = [{"peer": peer} for peer in ("127.1.0.1", "127.1.0.2", "127.1.0.2")]
        self.assertEqual(tally.missing(lines), [("one", 1)])
        self.assertEqual(tally.missing([*lines, {"peer": "127.1.0.1"}]), [])

    def test_generators_make_what_they_describe(self):
        made = {case.id: case.send for case in cases.load()}
        self.assertGreater(len(made["chunk-ext-64k"]), 65536)
        self.assertEqual(made["chunk-one-byte-x10000"].count(b"1\r\na\r\n"), 10000)
        self.assertEqual(made["trailer-1mb"].count(b"X: y\r\n"), 100000)
        self.assertEqual(made["many-headers"].count(b"X: a\r\n"), 5000)
        self.assertTrue(made["leading-crlf-1000"].startswith(b"\r\n" * 1000 + b"GET"))
        self.assertGreater(len(made["long-target"]), 70000)
        self.assertIn("reqid-injection-5000", made)


if __name__ == "__main__":
    unittest.main(verbosity=2)
