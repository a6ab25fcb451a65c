#!/usr/bin/python3
"""Which failed tries are followed by another, how many, and what time all of them have."""
import concurrent.futures
import threading
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import h1
import rig
from upstream import OK, reply

EVERYTHING = ["connect_failure", "reset", "timeout", "gateway_error", "429"]


class RetryTest(rig.FleetTest):
    workers = 1

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        cls.one, cls.two = r.upstream(), r.upstream()
        cls.both = [cls.one, cls.two]
        turn = {"lb_strategy": "round_robin"}
        cls.dead = f"127.0.0.1:{r.port()}"

        def to_both(name, **options):
            return rig.route(name, cls.both, "both", turn, path_prefix="/" + name, **options)
        r.apply(rig.document(rig.service(cls.port, [
            to_both("default"),
            to_both("all", retry={"on": EVERYTHING}, timeouts={"first_byte": "300ms"}),
            to_both("posts", retry={"on": EVERYTHING, "non_idempotent": True}),
            to_both("never", retry={"on": []}),
            to_both("once", retry={"attempts": 1, "on": EVERYTHING}),
            to_both("tries", retry={"on": EVERYTHING}, timeouts={"per_try": "300ms"}),
            to_both("total", retry={"on": EVERYTHING, "attempts": 8},
                    timeouts={"per_try": "300ms", "request": "700ms"}),
            to_both("length", timeouts={"request": "700ms"}),
            to_both("slow", retry={"on": EVERYTHING, "backoff": "1s", "backoff_max": "1s"}),
            rig.route("trouble", cls.both, "trouble", turn, path_prefix="/trouble",
                      retry={"on": EVERYTHING}),
            rig.route("lone", [cls.one], "lone", path_prefix="/lone", retry={"on": EVERYTHING}),
            rig.route("dead", [cls.dead, f"127.0.0.1:{r.port()}"], "dead", turn,
                      path_prefix="/dead/", retry={"backoff": "1ms", "backoff_max": "1ms"}),
            rig.route("dead-lone", [f"127.0.0.1:{r.port()}"], "dead-lone", path_prefix="/dead-lone",
                      retry={"backoff": "1ms", "backoff_max": "1ms"}),
            rig.route("half-dead", [cls.dead, cls.one], "half-dead", turn,
                      path_prefix="/half-dead"),
        ])))

    def setUp(self):
        super().setUp()
        for up in self.both:
            up.on_request = lambda c, q: OK
            up.on_head = None

    def answer_in_turn(self, *answers):
        """The first request of all gets the first answer, and so on; then OK. The list of requests
        seen."""
        seen, lock = [], threading.Lock()

        def answer(connection, request):
            with lock:
                seen.append((connection, request))
                return answers[len(seen) - 1] if len(seen) <= len(answers) else OK
        for up in self.both:
            up.on_request = answer
        return seen

    def record(self, path):
        """Of a request with a path of its own."""
        return self.proxy.wait_record(lambda r: r["path"] == path)

    # --- What is tried again.
    def test_statuses(self):
        for status in ("502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout",
                       "429 Too Many Requests"):
            with self.subTest(status=status):
                seen = self.answer_in_turn(reply("bad", status))
                self.assertEqual(self.get("/all/x").status, 200)
                self.assertEqual(len(seen), 2)
                self.assertNotEqual(seen[0][0], seen[1][0])

    def test_other_statuses_are_answers(self):
        for status in ("500 Internal Server Error", "404 Not Found"):
            seen = self.answer_in_turn(reply("bad", status))
            answer = self.get("/all/x")
            self.assertEqual((answer.status, answer.body), (int(status[:3]), b"bad"))
            self.assertEqual(len(seen), 1)

    def test_the_last_answer_is_passed_on(self):
        seen = self.answer_in_turn(*[reply(f"try {i}", "503 Service Unavailable",
                                           ["X-Request-ID: x"]) for i in range(1, 6)])
        answer = self.get("/all/x")
        self.assertEqual((answer.status, answer.body), (503, b"try 3"))
        self.assertEqual(len(seen), 3)

    def test_a_request_that_may_do_harm_is_not_repeated(self):
        for path, tries in (("/all/x", 1), ("/posts/x", 2)):
            seen = self.answer_in_turn(reply("bad", "503 Service Unavailable"))
            self.assertEqual(self.get(path, method="POST", body=b"pay").status,
                             503 if tries == 1 else 200)
            self.assertEqual([q.body for _, q in seen], [b"pay"] * tries)

    def test_bodies_are_sent_again(self):
        for size in (10, 30_000):
            seen = self.answer_in_turn(reply("bad", "503 Service Unavailable"))
            self.assertEqual(self.get("/all/x", method="PUT", body=b"x" * size).status, 200)
            self.assertEqual([len(q.body) for _, q in seen], [size, size])
        # More than is kept: the first answer counts.
        seen = self.answer_in_turn(reply("bad", "503 Service Unavailable"))
        self.assertEqual(self.get("/all/x", method="PUT", body=b"x" * 300_000).status, 503)
        self.assertEqual(len(seen), 1)

    def test_resets_before_the_response(self):
        for path, tries in (("/default/x", 2), ("/never/x", 1), ("/once/x", 1)):
            for up in self.both:
                up.clear()
            seen = self.answer_in_turn("close")
            answer = self.get(path)
            self.assertEqual(answer.status, 200 if tries == 2 else 502, path)
            self.assertEqual(len(seen), tries, path)

    def test_a_stale_connection_is_nobodys_try(self):
        self.get("/once/x")
        self.get("/once/x")  # Both are connected to.
        seen = self.answer_in_turn("close")
        self.assertEqual(self.get("/once/x").status, 200)
        self.assertEqual(len(seen), 2)

    def test_malformed_responses(self):
        seen = self.answer_in_turn(b"SSH-2.0-OpenSSH\r\n")
        self.assertEqual(self.get("/all/x").status, 200)
        self.assertEqual(len(seen), 2)
        self.answer_in_turn(b"SSH-2.0-OpenSSH\r\n")
        self.assertEqual(self.get("/default/x").status, 502)

    def test_silence(self):
        for path in ("/all/silent", "/tries/silent"):
            seen = self.answer_in_turn(None)
            self.assertEqual(self.get(path).status, 200, path)
            self.assertEqual(len(seen), 2, path)
            self.assertEqual(self.record(path)["attempts"], 2)

    def test_nodes_that_cannot_be_reached(self):
        for _ in range(6):
            self.assertEqual(self.get("/half-dead/x").status, 200)
            self.assertEqual(self.get("/half-dead/x", method="POST", body=b"x").status, 200)

    def test_the_only_node_is_tried_again(self):
        seen = []
        self.one.on_request = lambda c, q: seen.append(q) or \
            (OK if len(seen) > 2 else reply("bad", "503 Service Unavailable"))
        self.assertEqual(self.get("/lone/x").status, 200)
        self.assertEqual(len(seen), 3)

    # --- Time.
    def test_all_tries_share_the_requests_time(self):
        seen = self.answer_in_turn(*[None] * 10)
        begin = time.monotonic()
        self.assertEqual(self.get("/total/x").status, 504)
        self.assertGreaterEqual(time.monotonic() - begin, 0.69)
        self.assertEqual(self.record("/total/x")["failure"], "upstream_timeout")
        self.assertIn(len(seen), (2, 3))

    def test_the_response_belongs_to_the_requests_time(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n%s\r\nbegin"
        self.answer_in_turn(head % b"")
        with self.assertRaises((h1.Cut, ConnectionResetError)):
            self.get("/length/x")
        # Not that of an event stream.
        self.answer_in_turn(head % b"Content-Type: text/event-stream; charset=utf-8\r\n")
        with h1.Client(self.proxy.host, self.port) as client:
            client.send(rig.request("/length/x"))
            time.sleep(1)
            up = next(c for up in self.both for c in up.connections
                      if c.requests and not c.ended and c.requests[-1].target == "/length/x")
            up.send(b"." * 95)
            self.assertEqual(client.response().body, b"begin" + b"." * 95)

    def test_the_client_may_leave_while_it_waits_for_another_try(self):
        seen = self.answer_in_turn(*[reply("bad", "503 Service Unavailable")] * 2)
        client = h1.Client(self.proxy.host, self.port)
        client.send(rig.request("/slow/left"))
        rig.wait_for("the first try", lambda: seen)
        client.reset()
        record = self.proxy.wait_record(lambda r: r["path"] == "/slow/left")
        self.assertIn((record["failure"], record["attempts"]),
                      [("client_gone", n) for n in (1, 2, 3)])

    # --- The budget.
    def test_an_upstream_in_trouble_gets_little_more(self):
        """A fifth more, and what was saved up: not every request thrice."""
        lock, seen = threading.Lock(), [0]

        def answer(connection, request):
            with lock:
                seen[0] += 1
            time.sleep(0.05)
            return reply("bad", "503 Service Unavailable")
        for up in self.both:
            up.on_request = answer
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            statuses = list(pool.map(lambda _: self.get("/trouble/x").status, range(500)))
        took = time.monotonic() - begin
        self.assertEqual(set(statuses), {503})
        retries = seen[0] - 500
        # What the requests earn; what was saved up before; what time earns.
        self.assertLessEqual(retries, 500 * 0.2 + 10 + 10 * (took + 0.1))
        self.assertGreaterEqual(retries, 500 * 0.2 - 5, "all of the budget is there to be used")
        self.assertEqual(self.metric("retries_total", "trouble"), retries)
        # Each request that was not tried thrice was refused once.
        self.assertEqual(self.metric("retries_refused_total", "trouble"),
                         500 - self.tried_thrice("/trouble/x"))

    def metric(self, name, upstream):
        return rig.metric(self.proxy.metrics(), "sluice_upstream_" + name, upstream=upstream) or 0

    def tried_thrice(self, path):
        records = rig.wait_for("the log", lambda: (lambda found: found if len(found) == 500 else None)(
            [r for r in self.proxy.access_records() if r["path"] == path]))
        return sum(r["attempts"] == 3 for r in records)

    def test_where_all_nodes_refuse_each_is_asked_once_for_nothing(self):
        """Connections that are refused cost the upstream little; further tries are paid for."""
        for name, nodes in (("dead", 2), ("dead-lone", 1)):
            refused = self.metric("retries_refused_total", name)
            with concurrent.futures.ThreadPoolExecutor(10) as pool:
                statuses = list(pool.map(lambda _, n=name: self.get(f"/{n}/x").status, range(200)))
            self.assertEqual(set(statuses), {502})
            self.assertGreater(self.metric("retries_refused_total", name), refused + 100)
            connects = self.metric("connects_total", name)
            self.assertGreaterEqual(connects, 200 * nodes)
            # A fifth and what was saved up on top of that; some more for the time it takes.
            self.assertLess(connects, 200 * nodes + 40 + 10 + 200 * 0.2)


if __name__ == "__main__":
    rig.main()
