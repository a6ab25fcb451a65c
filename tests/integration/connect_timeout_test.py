#!/usr/bin/python3
"""A node whose kernel does not answer: how long it is waited for, and who is asked next."""
import contextlib
import socket
import unittest  # noqa: F401

import _path  # noqa: F401
import rig
from upstream import OK

LIMIT = 0.3  # Seconds.
MS = {"connect": f"{int(LIMIT * 1000)}ms"}
LONG = {"connect": "60s"}


class ConnectTimeoutTest(rig.FleetTest):
    workers = 1

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        cls.full = r.full_upstream()
        cls.up = r.upstream(on_request=lambda c, q: OK)
        cls.new = r.h2_upstream()
        cls.tcp = {name: r.port() for name in ("tcp-route", "tcp-upstream", "tcp-next")}

        def to(name, nodes, protocol="http1", upstream=None, own=None, **options):
            return rig.route(name, nodes, name, {
                "lb_strategy": "round_robin", "protocol": protocol,
                **({"timeouts": upstream} if upstream else {})},
                path_prefix="/" + name, **({"timeouts": own} if own else {}), **options)

        def over_tcp(name, nodes, upstream, own=None):
            route = {"name": name, "upstreams": [rig.group(
                name, nodes, lb_strategy="round_robin", timeouts=upstream)]}
            return rig.service(cls.tcp[name], [{**route, "timeouts": own} if own else route],
                               name, protocol="tcp")
        once = {"retry": {"on": []}}
        r.apply(rig.document(
            rig.service(cls.port, [
                to("route", [cls.full], upstream=LONG, own=MS, **once),
                to("upstream", [cls.full], upstream=MS, **once),
                to("h2-route", [cls.full], "http2", LONG, MS, **once),
                to("h2-upstream", [cls.full], "http2", MS, **once),
                to("request", [cls.full], upstream=LONG,
                   own={"request": MS["connect"]}, **once),
                to("next", [cls.full, cls.up], upstream=MS),
                to("h2-next", [cls.full, cls.new], "http2", MS),
            ]),
            over_tcp("tcp-route", [cls.full], LONG, MS),
            over_tcp("tcp-upstream", [cls.full], MS),
            over_tcp("tcp-next", [cls.full, cls.up], MS)))

    def record(self, **what):
        return self.proxy.wait_record(lambda r: what.items() <= r.items())

    def assert_took_the_limit(self, record):
        self.assertEqual(record["failure"], "connect_timeout")
        self.assertGreaterEqual(record["duration_ms"], LIMIT * 1000)
        self.assertLess(record["duration_ms"], 10_000)

    def test_a_request_hears_504(self):
        for name in ("route", "upstream", "h2-route", "h2-upstream"):
            with self.subTest(name):
                answer = self.get(f"/{name}/x")
                self.assertEqual(answer.status, 504)
                self.assertIn(b"did not accept a connection in time", answer.body)
                record = self.record(path=f"/{name}/x")
                self.assert_took_the_limit(record)
                self.assertEqual((record["status"], record["attempts"]), (504, 1))
                self.assertEqual(record["endpoint"], self.full.address)

    def test_failures_are_counted(self):
        def count():
            return rig.metric(self.proxy.metrics(), "sluice_upstream_connect_failures_total",
                              upstream="upstream") or 0
        before = count()
        self.get("/upstream/counted")
        rig.wait_for("the count", lambda: count() == before + 1)

    def test_the_whole_requests_time_counts_as_well(self):
        self.assertEqual(self.get("/request/x").status, 504)
        self.assertLess(self.record(path="/request/x")["duration_ms"], 10_000)

    def test_the_next_node_is_asked(self):
        for name in ("next", "h2-next"):
            with self.subTest(name):
                for i in range(4):
                    # Nothing has been sent: whatever the method.
                    method = "GET" if i % 2 else "POST"
                    body = None if i % 2 else b"x"
                    self.assertEqual(
                        self.get(f"/{name}/{i}", method=method, body=body).status, 200)
                tries = [self.record(path=f"/{name}/{i}")["attempts"] for i in range(4)]
                self.assertEqual(max(tries), 2)

    def test_tcp(self):
        for name in ("tcp-route", "tcp-upstream"):
            with self.subTest(name), contextlib.closing(socket.create_connection(
                    (self.proxy.host, self.tcp[name]), rig.DEADLINE)) as sock:
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(sock.recv(1), b"")
                self.assert_took_the_limit(self.record(service=name))

    def test_tcp_asks_the_next_node(self):
        for _ in range(4):
            self.assertEqual(self.get("/", port=self.tcp["tcp-next"]).status, 200)
        self.record(service="tcp-next", attempts=2, endpoint=self.up.address, failure="")


if __name__ == "__main__":
    rig.main()
