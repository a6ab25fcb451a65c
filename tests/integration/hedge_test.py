#!/usr/bin/python3
"""Slow reads go to a second node as well; the first answer counts, and the other try is ended."""
import concurrent.futures
import hashlib
import threading
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import h1
import h2_upstream
import rig
from upstream import OK, reply

AFTER = 0.2  # Seconds.
BIG = bytes(range(256)) * 12_000


class HedgeTest(rig.FleetTest):
    workers = 1

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        cls.both = [r.upstream(), r.upstream()]
        cls.third = r.upstream()
        cls.both_h2 = [r.h2_upstream(on_request=cls.answer_h2) for _ in range(2)]
        cls.scripts_h2 = {}
        turn = {"lb_strategy": "round_robin"}
        hedge = {"hedge_after": f"{int(AFTER * 1000)}ms"}

        def to(name, nodes, upstream=None, retry=None, **options):
            return rig.route(name, nodes, name, {**turn, **(upstream or {})},
                             path_prefix="/" + name, retry={**hedge, **(retry or {})}, **options)
        cls.routes = [
            to("both", cls.both),
            to("none", cls.both, retry={"on": []}),
            to("three", [*cls.both, cls.third]),
            to("statuses", cls.both, retry={"on": ["gateway_error"]}),
            to("lone", cls.both[:1]),
            to("total", cls.both, timeouts={"request": "600ms"}),
            to("trouble", cls.both),
            to("full", [r.full_upstream(), cls.both[0]]),
            to("h2", cls.both_h2, {"protocol": "http2"}),
        ]
        cls.apply()

    @classmethod
    def apply(cls, *more):
        cls.rig.apply(rig.document(rig.service(cls.port, [*more, *cls.routes])))

    @classmethod
    def answer_h2(cls, request):
        return cls.scripts_h2[request.path](request)

    def in_turn(self, *answers):
        """The first node that is asked gives the first answer, and so on; then OK. An answer may be
        a function. The list of (connection, request) seen."""
        seen, lock = [], threading.Lock()

        def answer(connection, request):
            with lock:
                seen.append((connection, request))
                number = len(seen)
            given = answers[number - 1] if number <= len(answers) else OK
            return given() if callable(given) else given
        for up in (*self.both, self.third):
            up.on_request = answer
        return seen

    def node_of(self, connection):
        return next(up for up in self.both if connection in up.connections)

    def after(self, seconds, answer):
        def wait():
            time.sleep(seconds)
            return answer
        return wait

    def record(self, path):
        return self.proxy.wait_record(lambda r: r["path"] == path)

    def count(self, name, upstream="both"):
        return rig.metric(self.proxy.metrics(), f"sluice_upstream_{name}_total",
                          upstream=upstream) or 0

    def assert_ended(self, connection):
        rig.wait_for("the other try's end", lambda: connection.ended)

    # --- Who wins.
    def test_a_silent_node_is_outrun(self):
        hedges, won = self.count("hedges"), self.count("hedges_won")
        seen = self.in_turn(None, reply("second"))
        self.assertEqual(self.get("/both/silent").body, b"second")
        self.assertEqual([q.target for _, q in seen], ["/both/silent"] * 2)
        self.assertNotEqual(*(self.node_of(connection) for connection, _ in seen))
        self.assert_ended(seen[0][0])
        record = self.record("/both/silent")
        self.assertEqual(record["attempts"], 2)
        self.assertEqual(record["endpoint"], self.node_of(seen[1][0]).address)
        rig.wait_for("the counters", lambda: (self.count("hedges"), self.count("hedges_won")) ==
                     (hedges + 1, won + 1))
        # The winner's connection serves on.
        self.in_turn(*[OK] * 4)
        for _ in range(4):
            self.assertEqual(self.get("/both/on").status, 200)
        self.assertFalse(seen[1][0].ended)

    def test_a_fast_node_is_not_hedged(self):
        seen = self.in_turn()
        for _ in range(5):
            self.assertEqual(self.get("/both/fast").status, 200)
        self.assertEqual(len(seen), 5)
        self.assertEqual(self.record("/both/fast")["attempts"], 1)

    def test_the_first_may_still_win(self):
        won = self.count("hedges_won")
        seen = self.in_turn(self.after(2 * AFTER, reply("first")), None)
        self.assertEqual(self.get("/both/late").body, b"first")
        self.assertEqual(len(seen), 2)
        self.assert_ended(seen[1][0])
        self.assertEqual(self.count("hedges_won"), won)

    def test_what_is_no_read_is_not_hedged(self):
        for method, body in (("POST", b"x"), ("DELETE", None), ("GET", b"x"), ("OPTIONS", None)):
            seen = self.in_turn(self.after(2 * AFTER, reply("first")), reply("second"))
            answer = self.get("/both/x", method=method, body=body)
            self.assertEqual((answer.body, len(seen)), (b"first", 1), method)

    def test_head(self):
        self.in_turn(None, b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n")
        answer = self.get("/both/x", method="HEAD")
        self.assertEqual((answer.status, answer.get("content-length")), (200, "77"))

    def test_a_node_that_cannot_be_connected_to(self):
        for _ in range(4):
            self.in_turn(*[reply("here")] * 4)
            begin = time.monotonic()
            self.assertEqual(self.get("/full/x").body, b"here")
            self.assertLess(time.monotonic() - begin, 1 * rig.SLOWDOWN)

    def test_the_only_node_is_not_asked_twice(self):
        seen = self.in_turn(self.after(2 * AFTER, reply("first")))
        self.assertEqual(self.get("/lone/x").body, b"first")
        self.assertEqual(len(seen), 1)

    def test_a_large_body_of_the_second(self):
        self.in_turn(None, reply(BIG))
        answer = self.get("/both/big")
        self.assertEqual(hashlib.sha256(answer.body).digest(), hashlib.sha256(BIG).digest())

    def test_interim_responses_commit_to_nobody(self):
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
        self.in_turn(early, reply("second"))
        answer = self.get("/both/x")
        self.assertEqual((answer.body, answer.interim), (b"second", []))

    # --- Failures.
    def test_the_first_fails_meanwhile(self):
        seen = self.in_turn(self.after(1.5 * AFTER, "close"),
                            self.after(3 * AFTER, reply("second")))
        self.assertEqual(self.get("/both/first-fails").body, b"second")
        self.assertEqual(len(seen), 2)
        self.assertEqual(self.record("/both/first-fails")["failure"], "")

    def test_the_second_fails(self):
        seen = self.in_turn(self.after(3 * AFTER, reply("first")), "close")
        self.assertEqual(self.get("/both/second-fails").body, b"first")
        self.assertEqual(len(seen), 2)

    def test_both_fail(self):
        for path, status, tries in (("/none/x", 502, 2), ("/three/x", 200, 3)):
            seen = self.in_turn(self.after(1.5 * AFTER, "close"), self.after(2 * AFTER, "close"))
            self.assertEqual(self.get(path).status, status, path)
            self.assertEqual(len(seen), tries, path)

    def test_bad_answers_do_not_win(self):
        for path, bad in (("/both/x", "500 Internal Server Error"),
                          ("/statuses/x", "503 Service Unavailable")):
            for answers in ([self.after(3 * AFTER, reply("good")), reply("bad", bad)],
                            [self.after(1.5 * AFTER, reply("bad", bad)),
                             self.after(3 * AFTER, reply("good"))]):
                self.in_turn(*answers)
                self.assertEqual(self.get(path).body, b"good", path)

    def test_a_bad_answer_is_better_than_none(self):
        self.in_turn(self.after(1.5 * AFTER, "close"),
                     self.after(3 * AFTER, reply("bad", "500 Internal Server Error")))
        answer = self.get("/both/x")
        self.assertEqual((answer.status, answer.body), (500, b"bad"))

    def test_both_share_the_requests_time(self):
        seen = self.in_turn(None, None)
        self.assertEqual(self.get("/total/x").status, 504)
        self.assertEqual(len(seen), 2)
        for connection, _ in seen:
            self.assert_ended(connection)

    def test_the_client_leaves(self):
        for path, first in (("/both/left-early", None),
                            ("/both/left-late", self.after(1.5 * AFTER, "close"))):
            seen = self.in_turn(first, None)
            client = h1.Client(self.proxy.host, self.port)
            client.send(rig.request(path))
            rig.wait_for("both tries", lambda: len(seen) == 2)
            if first is not None:
                self.assert_ended(seen[0][0])
            client.reset()
            for connection, _ in seen:
                self.assert_ended(connection)
            self.assertEqual(self.record(path)["failure"], "client_gone")

    def test_a_change_of_configuration_meanwhile(self):
        seen = self.in_turn(None, self.after(5 * AFTER, reply("second")))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            answer = pool.submit(self.get, "/both/change")
            rig.wait_for("both tries", lambda: len(seen) == 2)
            self.apply(rig.route("more", self.both, "more", path_prefix="/more"))
            self.assertEqual(answer.result().body, b"second")

    # --- HTTP/2.
    def test_streams(self):
        for path, late in (("/h2/silent", False), ("/h2/late", True)):
            seen, lock = [], threading.Lock()

            def answer(request, late=late, seen=seen, lock=lock):
                with lock:
                    seen.append(request)
                    first = len(seen) == 1
                if first == late:  # The winner.
                    time.sleep(2 * AFTER if late else 0)
                    return BIG
                rig.wait_for("the reset", lambda: request.reset is not None)
                return b""
            self.scripts_h2[path] = answer
            body = self.get(path).body
            self.assertEqual(hashlib.sha256(body).digest(), hashlib.sha256(BIG).digest())
            self.assertEqual(len(seen), 2)
            loser = seen[1 if late else 0]
            rig.wait_for("its reset", lambda loser=loser: loser.reset is not None)
            self.assertEqual(loser.reset, h2_upstream.h2.errors.ErrorCodes.CANCEL)
            self.assertFalse(loser.connection.ended)

    # --- Not too many.
    def test_where_all_are_slow_few_are_sent_twice(self):
        seen, lock = [0], threading.Lock()

        def answer(connection, request):
            with lock:
                seen[0] += 1
            time.sleep(4 * AFTER)
            return OK
        for up in self.both:
            up.on_request = answer
        refused = self.count("retries_refused", "trouble")
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            statuses = list(pool.map(lambda _: self.get("/trouble/x").status, range(200)))
        self.assertEqual(set(statuses), {200})
        self.assertGreater(seen[0], 200)
        self.assertLess(seen[0], 340)
        self.assertGreater(self.count("retries_refused", "trouble"), refused)


if __name__ == "__main__":
    rig.main()
