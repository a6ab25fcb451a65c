#!/usr/bin/python3
"""No more requests at an upstream or a node than it may have; the others wait, but not for ever."""
import concurrent.futures
import threading
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import h1
import rig
from upstream import OK


class CircuitBreakerTest(rig.FleetTest):
    workers = 4

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        cls.tcp_port, cls.tcp_connections_port = r.port(), r.port()
        cls.one, cls.two = r.upstream(), r.upstream()
        cls.fast = r.nginx("fast")
        cls.multiplexed = r.h2_upstream(on_request=cls.hold_h2)

        def limited(name, backends, path=None, **breaker):
            options = {"circuit_breaker": breaker}
            if name == "h2":
                options["protocol"] = "http2"
            return rig.route(name, backends, name, options, path_prefix=path or "/" + name)
        both = [cls.one, cls.two]
        h2_passed_on = rig.route("h2-passed-on", [r.h2_upstream()], "h2-passed-on", {
            "protocol": "http2", "circuit_breaker": {"connections": 1, "pending": 100}},
            path_prefix="/h2-passed-on")
        cls.document = rig.document(
            rig.service(cls.port, [
                limited("all", both, requests=5, pending=0),
                limited("nodes", both, node_requests=3, pending=0),
                limited("queue", both, requests=2, pending=4, pending_timeout="10s"),
                limited("impatient", both, requests=1, pending=4, pending_timeout="300ms"),
                limited("churn", [cls.fast], requests=3, pending=1000, pending_timeout="20s"),
                limited("h2", [cls.multiplexed], requests=4, pending=0),
                limited("connections", both, connections=3, pending=2),
                limited("node-connections", both, node_connections=1, pending=0),
                limited("passed-on", [cls.fast], connections=1, pending=100,
                        pending_timeout="20s"),
                limited("scarce", [cls.fast], connections=3, pending=1000, pending_timeout="20s"),
                h2_passed_on,
            ]),
            rig.service(cls.tcp_port, [
                {"name": "tcp", "upstreams": [rig.group("tcp", [cls.one], circuit_breaker={
                    "requests": 1, "pending": 1, "pending_timeout": "10s"})]}],
                name="tcp", protocol="tcp"),
            rig.service(cls.tcp_connections_port, [
                {"name": "tcp", "upstreams": [rig.group(
                    "tcp-connections", [cls.one], circuit_breaker={
                        "connections": 1, "pending": 1, "pending_timeout": "10s"})]}],
                name="tcp-connections", protocol="tcp"))
        r.apply(cls.document)

    def setUp(self):
        super().setUp()
        self.hold()
        self.addCleanup(lambda: self.release.set())

    def hold(self):
        """Requests are not answered until release is set; `held` counts them."""
        type(self).release = release = threading.Event()
        type(self).held = held = []

        def answer(connection, request):
            held.append(request)
            release.wait(30)
            return OK
        self.one.on_request = self.two.on_request = answer

    @classmethod
    def hold_h2(cls, request):
        cls.held.append(request)
        cls.release.wait(30)
        return b""

    def send(self, count, path):
        """Clients that have asked."""
        clients = []
        for _ in range(count):
            client = h1.Client(self.proxy.host, self.port)
            client.send(rig.request(path))
            clients.append(client)
            self.addCleanup(client.close)
        return clients

    def metric(self, name, upstream):
        return rig.metric(self.proxy.metrics(), "sluice_upstream_" + name, upstream=upstream) or 0

    def fill(self, count, path):
        """So many requests are at the upstreams."""
        clients = self.send(count, path)
        rig.wait_for("the requests", lambda: len(self.held) == count)
        return clients

    def check_refused(self, path):
        answer = self.get(path)
        self.assertEqual(answer.status, 503)
        self.assertIn(b"as many requests as it may", answer.body)

    def test_what_an_upstream_may_have(self):
        for path, name in (("/all/x", "all"), ("/h2/x", "h2")):
            self.hold()
            limit = 5 if name == "all" else 4
            clients = self.fill(limit, path)
            overflows = self.metric("overflows_total", name)
            for _ in range(3):
                self.check_refused(path)
            self.assertEqual(self.metric("overflows_total", name), overflows + 3)
            self.assertEqual(self.proxy.wait_record(
                lambda r: r["status"] == 503 and r["path"] == path)["failure"], "upstream_overflow")
            self.release.set()
            self.assertEqual({client.response().status for client in clients}, {200})
            self.assertEqual(self.get(path).status, 200)

    def test_what_a_node_may_have(self):
        clients = self.fill(6, "/nodes/x")
        at_one = sum(not c.ended and len(c.started) > 0 for c in self.one.connections)
        self.assertEqual(len(self.held), 6)
        self.assertGreaterEqual(at_one, 3)
        self.check_refused("/nodes/x")
        self.release.set()
        self.assertEqual({client.response().status for client in clients}, {200})

    def test_the_others_wait_in_line(self):
        first = self.fill(2, "/queue/x")
        waiting = self.send(4, "/queue/wait")
        rig.wait_for("the queue", lambda: self.metric("requests_pending", "queue") == 4)
        self.check_refused("/queue/x")
        self.assertEqual(len(self.held), 2)
        self.release.set()
        self.assertEqual({client.response().status for client in first + waiting}, {200})
        rig.wait_for("the queue to be empty", lambda: self.metric("requests_pending", "queue") == 0)

    def test_who_leaves_gives_up_the_place(self):
        first = self.fill(2, "/queue/x")
        waiting = self.send(4, "/queue/wait")
        rig.wait_for("the queue", lambda: self.metric("requests_pending", "queue") == 4)
        for client in waiting[:3]:
            client.reset()
        rig.wait_for("three to leave", lambda: self.metric("requests_pending", "queue") == 1)
        self.release.set()
        self.assertEqual({client.response().status for client in first + waiting[3:]}, {200})

    def test_who_waits_too_long_is_told(self):
        first = self.fill(1, "/impatient/x")
        begin = time.monotonic()
        self.check_refused("/impatient/x")
        self.assertGreaterEqual(time.monotonic() - begin, 0.29)
        self.release.set()
        self.assertEqual(first[0].response().status, 200)

    def test_nobody_is_forgotten(self):
        """Room goes from worker to worker; whoever waits is called."""
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            statuses = list(pool.map(lambda _: self.get("/churn/x").status, range(3000)))
        self.assertEqual(set(statuses), {200})

    def test_a_change_elsewhere_forgets_nobody(self):
        first = self.fill(5, "/all/x")
        self.document["services"][0]["routes"].append(
            rig.route("new", [self.fast], "fast-too", path_prefix="/new"))
        self.rig.apply(self.document)
        self.check_refused("/all/x")
        self.release.set()
        self.assertEqual({client.response().status for client in first}, {200})

    # --- Connections.
    def test_connections_an_upstream_may_have(self):
        clients = self.fill(3, "/connections/x")
        hits = self.metric("connection_limit_hits_total", "connections")
        clients += self.send(2, "/connections/wait")
        rig.wait_for("the queue", lambda: self.metric("requests_pending", "connections") == 2)
        self.assertEqual(self.metric("connection_limit_hits_total", "connections"), hits + 1,
                         "the second waits behind the first")
        self.check_refused("/connections/x")
        self.assertEqual(len(self.held), 3)
        self.assertEqual(self.open_connections(), 3)
        self.release.set()
        self.assertEqual({client.response().status for client in clients}, {200})
        # Used again, those that are kept, and passed on to workers that have none.
        for _ in range(12):
            self.assertEqual(self.get("/connections/x").status, 200)

    def open_connections(self):
        return sum(not c.ended and len(c.started) > 0
                   for up in (self.one, self.two) for c in up.connections
                   if any(q.target.startswith("/connections") for q in c.started))

    def test_connections_a_node_may_have(self):
        clients = self.fill(2, "/node-connections/x")
        for up in (self.one, self.two):
            self.assertEqual(sum(not c.ended and any(
                q.target.startswith("/node-connections") for q in c.started)
                for c in up.connections), 1)
        self.check_refused("/node-connections/x")
        self.release.set()
        self.assertEqual({client.response().status for client in clients}, {200})

    def test_an_unused_connection_goes_to_the_worker_that_needs_it(self):
        for path in ("/passed-on/x", "/h2-passed-on/x"):
            for _ in range(24):
                self.assertEqual(self.get(path).status, 200)

    def test_nobody_is_forgotten_where_connections_are_scarce(self):
        most, done = [0], threading.Event()

        def watch():
            while not done.is_set():
                most.append(self.metric("connections_active", "scarce"))
                time.sleep(0.01)
        watcher = threading.Thread(target=watch)
        watcher.start()
        with concurrent.futures.ThreadPoolExecutor(30) as pool:
            statuses = list(pool.map(lambda _: self.get("/scarce/x").status, range(1000)))
        done.set()
        watcher.join()
        self.assertEqual(set(statuses), {200})
        self.assertLessEqual(max(most), 3)

    def test_tcp_connections(self):
        for port, upstream in ((self.tcp_port, "tcp"),
                               (self.tcp_connections_port, "tcp-connections")):
            with self.subTest(upstream):
                self.hold()
                self.check_tcp(port, upstream)

    def check_tcp(self, port, upstream):
        def begin():
            client = h1.Client(self.proxy.host, port)
            self.addCleanup(client.close)
            client.send(rig.request("/tcp"))
            return client
        one = begin()
        rig.wait_for("the request", lambda: len(self.held) == 1)
        two = begin()
        rig.wait_for("the queue", lambda: self.metric("requests_pending", upstream) == 1)
        with self.assertRaises((h1.Cut, h1.Gone, ConnectionError)):
            begin().response()
        self.release.set()
        self.assertEqual(one.response().status, 200)
        one.close()
        self.assertEqual(two.response().status, 200)


if __name__ == "__main__":
    rig.main()
