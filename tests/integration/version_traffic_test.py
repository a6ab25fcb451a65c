#!/usr/bin/python3
"""Traffic by version: what was served since a version became effective, and before it."""
import unittest  # noqa: F401

import _path  # noqa: F401
import rig


class VersionTrafficTest(rig.FleetTest):
    nodes = 2

    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()

    def document(self, status):
        return rig.document(rig.service(self.port, [
            rig.route("answer", path_prefix="/answer", respond={"status": status}),
            rig.route("all", respond={"status": 200})]))

    def ask(self, path, count):
        for proxy in self.rig.proxies:
            with rig.h1.Client(proxy.host, self.port) as client:
                for _ in range(count):
                    client.ask(rig.request(path))

    def traffic(self, name, revision):
        """Of a node, as it last reported; None: not of this version."""
        node = self.rig.ctl.json("describe", "node", name)
        return next((t for t in node["report"]["traffic_by_version"]
                     if t["version"]["revision"] == revision), None)

    def wait_requests(self, revision, requests):
        def reported():
            for proxy in self.rig.proxies:
                traffic = self.traffic(proxy.node, revision)
                if not traffic or traffic["requests"] != requests:
                    raise AssertionError(traffic)
            return True
        rig.wait_for(f"{requests} requests under version {revision}", reported)

    def test_counts_since_each_version(self):
        self.rig.apply(self.document(200))
        first = self.rig.ctl.revision()
        self.ask("/answer", 10)
        self.wait_requests(first, 10)
        self.rig.apply(self.document(503))
        second = self.rig.ctl.revision()
        self.ask("/answer", 5)
        self.ask("/other", 15)
        self.wait_requests(second, 20)

        for name in ("node-1", "node-2"):
            now, before = self.traffic(name, second), self.traffic(name, first)
            self.assertEqual(now["responses_by_class"], [0, 15, 0, 0, 5])
            self.assertEqual(now["superseded_unix_ms"], 0)
            self.assertEqual(now["latency_buckets"][-1], 20)
            self.assertEqual(before["responses_by_class"], [0, 10, 0, 0, 0])
            self.assertGreaterEqual(before["superseded_unix_ms"], before["effective_unix_ms"])
            figures = self.rig.ctl.node(name)["current_version_traffic"]
            self.assertEqual(figures["version"]["revision"], second)
            self.assertEqual((figures["requests"], figures["errors"]), (20, 5))
            self.assertEqual(figures["error_ratio"], 0.25)

        traffic = self.rig.ctl.json("describe", "version", first)["traffic"]
        self.assertEqual((traffic["nodes_now"], traffic["nodes_ever"]), (0, 2))
        self.assertEqual((traffic["under"]["requests"], traffic["under"]["errors"]), (20, 0))
        self.assertEqual((traffic["since"]["requests"], traffic["since"]["errors"]), (60, 10))
        text = self.rig.ctl("describe", "version", second).stdout
        self.assertIn("Effective on: 2 of 2 nodes now", text)
        self.assertRegex(text, r"under it +\d+s +40 .* 30 +0 +0 +10 +25\.0%")
        self.assertRegex(self.rig.ctl("describe", "node", "node-1").stdout, rf"{second} \(now\) .* 20 ")
        wide = self.rig.ctl("get", "nodes", "-o", "wide").stdout
        self.assertIn("REQS-SINCE", wide)

        # A rollback is a version of its own: it begins at nothing.
        self.rig.ctl("rollback", "--wait")
        third = self.rig.ctl.revision()
        self.ask("/answer", 3)
        self.wait_requests(third, 3)
        self.assertEqual(self.traffic("node-1", first)["requests"], 10)
        self.assertEqual(self.traffic("node-1", second)["requests"], 20)


if __name__ == "__main__":
    rig.main()
