#!/usr/bin/python3
"""With too few nodes left all are used, and it shows; ejections never bring that about."""
import unittest  # noqa: F401

import _path  # noqa: F401
import rig
from upstream import OK, reply

CHECK = {"schema": "tcp", "frequency_secs": 1, "timeout": "500ms", "healthy_after": 1,
         "unhealthy_after": 1}


class PanicTest(rig.FleetTest):
    workers = 2

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        cls.ups = [r.upstream() for _ in range(4)]
        options = {"lb_strategy": "round_robin", "health_check": CHECK,
                   "outlier_detection": {"consecutive_failures": 3, "base_ejection": "60s",
                                         "max_ejected_percent": 99}}
        r.apply(rig.document(rig.service(cls.port, [
            rig.route("four", cls.ups, "four", options, path_prefix="/four"),
            rig.route("two", cls.ups[:2], "two", options, path_prefix="/two")])))

    def setUp(self):
        super().setUp()
        for up in self.ups:
            up.on_request = lambda c, q: OK
            self.wait_healthy(up, 1)

    def sample(self, name, upstream, up=None):
        labels = {"endpoint": up.address} if up else {}
        return rig.metric(self.proxy.metrics(), name, upstream=upstream, **labels)

    def wait_healthy(self, up, healthy):
        """Each upstream has checks of its own."""
        rig.wait_for("its checks", lambda: all(
            self.sample("sluice_endpoint_healthy", upstream, up) in (healthy, None)
            for upstream in ("four", "two")))

    def down(self, up):
        up.stop()
        self.addCleanup(self.wait_healthy, up, 1)
        self.addCleanup(up.start)
        self.wait_healthy(up, 0)

    def ask(self, name, count):
        return [self.get(f"/{name}/x").status for _ in range(count)]

    def page(self, upstream):
        return next(cluster for cluster in self.proxy.get("/clusters")
                    if cluster["name"] == upstream)

    def test_ejected_nodes_count(self):
        bad = self.ups[0]
        bad.on_request = lambda c, q: reply("bad", "503 Service Unavailable")
        self.ask("four", 20)
        self.assertEqual(self.sample("sluice_endpoint_ejected", "four", bad), 1)
        self.assertEqual(self.sample("sluice_upstream_panic", "four"), 0)
        self.assertFalse(self.page("four")["panic"])
        self.assertEqual(set(self.ask("four", 12)), {200})

        bad.on_request = lambda c, q: reply("bad but here")
        before = len(bad.requests)
        self.down(self.ups[1])  # Half are left.
        self.assertEqual(self.sample("sluice_upstream_panic", "four"), 0)
        self.ask("four", 12)
        self.assertEqual(len(bad.requests), before)

        self.down(self.ups[2])  # A quarter.
        self.assertEqual(self.sample("sluice_upstream_panic", "four"), 1)
        self.assertTrue(self.page("four")["panic"])
        self.ask("four", 12)
        self.assertGreater(len(bad.requests), before)

        self.ups[2].start()
        self.wait_healthy(self.ups[2], 1)
        self.assertEqual(self.sample("sluice_upstream_panic", "four"), 0)
        self.ups[2].stop()

    def test_the_last_that_is_healthy_stays(self):
        self.down(self.ups[1])
        self.ups[0].on_request = lambda c, q: reply("bad", "503 Service Unavailable")
        self.assertEqual(set(self.ask("two", 20)), {503})
        self.assertEqual(self.sample("sluice_endpoint_ejected", "two"), 0)
        self.assertEqual(self.sample("sluice_upstream_panic", "two"), 0)


if __name__ == "__main__":
    rig.main()
