#!/usr/bin/python3
"""Choosing among nodes, and doing without the dead ones."""
import collections
import unittest  # noqa: F401

import _path  # noqa: F401
import h1
import load
import rig
from upstream import reply


class BalancingTest(rig.FleetTest):
    workers = 1  # The order of one worker's choices is what is looked at.

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        cls.three = [r.nginx(f"n{i}") for i in range(3)]
        cls.gone = [r.nginx("gone-0"), r.nginx("gone-1")]
        cls.checked = [r.nginx("checked-0"), r.nginx("checked-1")]
        cls.sick = r.upstream(on_request=lambda c, q: reply("sick"))
        cls.answering = r.upstream(on_request=lambda c, q: reply("well"))
        cls.refusing = f"127.0.0.1:{r.port()}"
        weighted = [rig.node(cls.three[0], weight=3), rig.node(cls.three[1], weight=1)]

        def to(name, nodes, **options):
            return rig.route(name, nodes, path_prefix="/" + name, upstream_options=options)
        quick = {"frequency_secs": 1, "timeout": "500ms", "healthy_after": 1, "unhealthy_after": 1}
        r.apply(rig.document(rig.service(cls.port, [
            to("rr", cls.three, lb_strategy="round_robin"),
            to("weighted", weighted, lb_strategy="round_robin"),
            to("random", cls.three, lb_strategy="random"),
            to("least", cls.three),
            to("ip", cls.three, lb_strategy="hash", hash_on="client_ip"),
            to("path", cls.three, lb_strategy="hash", hash_on="path"),
            to("header", cls.three, lb_strategy="hash", hash_on="header:X-Key"),
            to("cookie", cls.three, lb_strategy="hash", hash_on="cookie:sid"),
            to("query", cls.three, lb_strategy="hash", hash_on="query:k"),
            to("retry", [*cls.gone], lb_strategy="round_robin"),
            to("half", [cls.refusing, cls.three[0]], lb_strategy="round_robin"),
            to("none", [cls.refusing]),
            to("tcp", cls.checked, lb_strategy="round_robin",
               health_check={"schema": "tcp", **quick}),
            to("http", [cls.sick, cls.answering], lb_strategy="round_robin", panic_threshold_percent=0,
               health_check={"schema": "http", "http_path": "/health", "expected_statuses": [200],
                             **quick}),
        ])))

    def nodes_of(self, path, count, headers=lambda i: ()):
        client = self.client()
        out = []
        for i in range(count):
            answer = client.ask(rig.request(path(i) if callable(path) else path, headers=headers(i)))
            self.assertEqual(answer.status, 200, answer.body)
            out.append(rig.told(answer.body).get("node"))
        return out

    def test_round_robin_is_even(self):
        count = collections.Counter(self.nodes_of("/rr", 30))
        self.assertEqual(count, {"n0": 10, "n1": 10, "n2": 10})

    def test_weights(self):
        count = collections.Counter(self.nodes_of("/weighted", 40))
        self.assertEqual(count, {"n0": 30, "n1": 10})

    def test_random_and_least_request_use_all(self):
        for path in ("/random", "/least"):
            self.assertEqual(len(set(self.nodes_of(path, 120))), 3, path)

    def test_least_request_avoids_the_busy_one(self):
        busy, idle = self.rig.upstream(), self.rig.upstream()
        busy.on_request = lambda c, q: None  # Never answers.
        port = self.rig.port()
        document = rig.document(rig.service(port, [rig.route("all", [busy, idle], "busy-up")], name="busy"))
        before = self.rig.ctl.json("get", "versions")
        self.rig.apply(document, "--allow-shrink")
        try:
            held = []
            for _ in range(6):
                client = self.client(port)
                client.send(rig.request())
                held.append(client)
                # Each is either answered at once or hangs on the busy node.
                rig.wait_for("a choice", lambda: len(busy.requests) + len(idle.requests) >= len(held))
            # One or two hang; after that the idle node has fewer open requests and is chosen.
            self.assertLessEqual(len(busy.requests), 3)
            self.assertGreaterEqual(len(idle.requests), 3)
        finally:
            self.rig.ctl("rollback", "--wait")
        self.assertTrue(before)

    def test_hash_keeps_a_key_on_its_node(self):
        self.assertEqual(len(set(self.nodes_of("/ip", 20))), 1)
        keyed = (
            (lambda i: f"/path/{i % 20}", lambda i: ()),
            (lambda i: "/header", lambda i: [f"X-Key: {i % 20}"]),
            (lambda i: "/cookie", lambda i: [f"Cookie: a=b; sid={i % 20}"]),
            (lambda i: f"/query?x=1&k={i % 20}", lambda i: ()),
        )
        for path, headers in keyed:
            nodes = self.nodes_of(path, 60, headers)
            self.assertEqual(nodes[:20], nodes[20:40])
            self.assertEqual(nodes[:20], nodes[40:])
            self.assertGreater(len(set(nodes)), 1)

    def test_requests_on_a_dead_node_go_to_another(self):
        self.assertEqual(set(self.nodes_of("/retry", 10)), {"gone-0", "gone-1"})
        self.gone[0].stop()
        try:
            self.assertEqual(set(self.nodes_of("/retry", 20)), {"gone-1"})
            client = self.client()
            for _ in range(6):  # A body that was not consumed can go again.
                answer = client.ask(rig.request("/retry", method="POST", body=b"x" * 1000))
                self.assertEqual(rig.told(answer.body)["node"], "gone-1")
        finally:
            self.gone[0].start()

    def test_never_up_node_is_invisible(self):
        self.assertEqual(set(self.nodes_of("/half", 20)), {"n0"})

    def test_no_node_at_all_is_a_502_or_503(self):
        self.assertIn(self.get("/none").status, (502, 503))

    def test_tcp_check_ejects_and_takes_back(self):
        self.assertEqual(set(self.nodes_of("/tcp", 10)), {"checked-0", "checked-1"})
        self.checked[0].stop()

        def healthy(address, wanted):
            for endpoint in self.endpoints():
                if rig.pick(endpoint, "address") == address:
                    return bool(rig.pick(endpoint, "healthy")) == wanted
            return False
        address = self.checked[0].address
        rig.wait_for("the ejection to reach the controller", lambda: healthy(address, False))
        self.assertEqual(set(self.nodes_of("/tcp", 10)), {"checked-1"})
        self.checked[0].start()
        rig.wait_for("the return", lambda: healthy(address, True))
        self.assertEqual(set(self.nodes_of("/tcp", 10)), {"checked-0", "checked-1"})

    def endpoints(self):
        return rig.pick(self.rig.ctl.node("node-1") or {}, "report", "endpoints") or []

    def test_http_check_ejects_and_takes_back(self):
        def bodies():
            with h1.Client(self.proxy.host, self.port) as client:
                return {client.ask(rig.request("/http")).body for _ in range(10)}
        self.assertEqual(rig.wait_for("both", lambda: bodies() == {b"sick", b"well"}), True)
        self.sick.on_request = lambda c, q: (reply("", "503 Unwell") if q.target == "/health"
                                             else reply("sick"))
        rig.wait_for("the ejection", lambda: bodies() == {b"well"})
        self.sick.on_request = lambda c, q: reply("sick")
        rig.wait_for("the return", lambda: bodies() == {b"sick", b"well"})
        checks = [q for q in self.sick.requests if q.target == "/health"]
        self.assertTrue(checks and all(q.method == "GET" for q in checks))

    def test_node_dies_under_load_and_no_get_fails(self):
        with load.Steady(self.proxy.host, self.port, "/retry") as steady:
            for _ in range(3):
                self.gone[0].stop()
                self.gone[0].start()
                mark = steady.ok
                rig.wait_for("traffic", lambda: steady.ok > mark + 50)
        self.assertEqual(steady.failures, [])


if __name__ == "__main__":
    rig.main()
