#!/usr/bin/python3
"""A node that comes back gets little at first, and its share in the end."""
import unittest  # noqa: F401

import _path  # noqa: F401
import rig
from upstream import OK


class SlowStartTest(rig.FleetTest):
    workers = 1

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        cls.old, cls.new = r.upstream(), r.upstream()
        cls.nodes = [cls.old]
        cls.apply()

    @classmethod
    def apply(cls):
        cls.rig.apply(rig.document(rig.service(cls.port, [
            rig.route(strategy, cls.nodes, strategy, {
                "lb_strategy": strategy, "slow_start": "5s"}, path_prefix="/" + strategy)
            for strategy in ("round_robin", "random", "least_request")])))

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
