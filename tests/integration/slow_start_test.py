#!/usr/bin/python3
"""A node that comes back gets little at first, and its share in the end."""
import unittest  # noqa: F401

import _path  # noqa: F401
import rig
from upstream import OK, reply


class SlowStartTest(rig.FleetTest):
    workers = 1

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        cls.old, cls.new = r.upstream(), r.upstream()
        cls.nodes = [cls.old]
        cls.returning_port = r.port()
        cls.pair = [r.upstream(), r.upstream()]
        cls.apply()

    @classmethod
    def apply(cls):
        cls.rig.apply(rig.document(*cls.returning(), rig.service(cls.port, [
            rig.route(strategy, cls.nodes, strategy, {
                "lb_strategy": strategy, "slow_start": "5s"}, path_prefix="/" + strategy)
            for strategy in ("round_robin", "random", "least_request")])))

    @classmethod
    def returning(cls):
        """A service whose nodes are taken out, and come back."""
        def to(name, **options):
            return rig.route(name, cls.pair, name, {
                "lb_strategy": "round_robin", "slow_start": "5s", **options},
                path_prefix="/" + name)
        return [rig.service(cls.returning_port, [
            to("ejected", outlier_detection={"consecutive_failures": 3, "base_ejection": "1s"}),
            to("checked", health_check={"schema": "tcp", "frequency_secs": 1, "timeout": "500ms",
                                        "healthy_after": 1, "unhealthy_after": 1}),
        ], "returning")]

    def share_of_returned(self, name, requests=100):
        before = len(self.pair[1].requests)
        for _ in range(requests):
            self.assertEqual(self.get(f"/{name}/x", port=self.returning_port).status, 200)
        return (len(self.pair[1].requests) - before) / requests

    def figure(self, name, upstream):
        return rig.metric(self.proxy.metrics(), name, upstream=upstream,
                          endpoint=self.pair[1].address)

    def assert_slow_return(self, name):
        share = self.share_of_returned(name)
        self.assertGreater(share, 0)
        self.assertLess(share, 0.35)
        rig.wait_for("the full share", lambda: 0.4 < self.share_of_returned(name) < 0.6)

    def test_a_node_that_comes_back_from_ejection(self):
        rig.wait_for("the full share", lambda: 0.4 < self.share_of_returned("ejected") < 0.6)
        self.pair[1].on_request = lambda c, q: reply("bad", "503 Service Unavailable")
        rig.wait_for("the ejection", lambda: self.get(
            "/ejected/x", port=self.returning_port) and self.figure(
                "sluice_endpoint_ejected", "ejected"))
        self.pair[1].on_request = lambda c, q: OK
        rig.wait_for("its return", lambda: not self.figure("sluice_endpoint_ejected", "ejected"))
        self.assert_slow_return("ejected")

    def test_a_node_that_has_become_healthy(self):
        rig.wait_for("the full share", lambda: 0.4 < self.share_of_returned("checked") < 0.6)
        self.pair[1].stop()
        rig.wait_for("its checks to fail", lambda: self.figure(
            "sluice_endpoint_healthy", "checked") == 0)
        self.pair[1].start()
        rig.wait_for("its return", lambda: self.figure("sluice_endpoint_healthy", "checked") == 1)
        self.assert_slow_return("checked")

    def share(self, strategy, requests=220):
        self.new.on_request = self.old.on_request = lambda c, q: OK
        before = len(self.new.requests)
        with rig.h1.Client(self.proxy.host, self.port) as client:
            for _ in range(requests):
                self.assertEqual(client.ask(rig.request(f"/{strategy}/x")).status, 200)
        return (len(self.new.requests) - before) / requests

    def test_a_node_that_is_added(self):
        # The old one has its full weight by then.
        with self.subTest("alone"):
            self.assertEqual(self.share("random"), 0)
        rig.wait_for("the old node's time to pass", lambda: self.age() > 5.5)
        type(self).nodes = [self.old, self.new]
        self.apply()
        for strategy in ("round_robin", "random", "least_request"):
            with self.subTest(strategy):
                # A tenth against ten tenths; some steps later it may be more, not half.
                share = self.share(strategy)
                self.assertGreater(share, 0.02)
                self.assertLess(share, 0.3)
        rig.wait_for("the full share", lambda: 0.4 < self.share("round_robin", 100) < 0.6)

    def age(self):
        """Seconds since the first version was applied."""
        return rig.metric(self.proxy.metrics(), "sluice_snapshot_age_seconds")


if __name__ == "__main__":
    rig.main()
