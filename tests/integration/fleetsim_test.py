#!/usr/bin/env python3
"""Two hundred simulated nodes on a real controller: changes, waves, misbehaving nodes, kill -9."""
import json
import os
import unittest

import _path  # noqa: F401
import fleet
import process
import rig

NODES = 200


def document(path, **options):
    """A route table large enough that a change of it is worth a delta."""
    routes = [rig.route(f"route-{i:03}", ["10.1.0.1:80", "10.1.0.2:80"], "up",
                        path_prefix=f"/r/{i:03}") for i in range(300)]
    routes[150]["path_prefix"] = path
    return rig.document(rig.service(8000, routes), **options)


class FleetsimTest(unittest.TestCase):
    def setUp(self):
        self.rig = rig.Rig()
        self.addCleanup(self.rig.close)
        self.controller = self.rig.start_controller(
            args=["--report-interval", "500ms", "--prepare-timeout", "5s"])

    def start(self, nodes=NODES, *args):
        self.json = self.rig.path(f"figures-{len(self.rig.parts)}.json")  # Not an earlier fleet's.
        self.fleet = process.Process(
            [os.path.join(fleet.BIN, "fleetsim"), "--controller", self.controller.grpc,
             "--insecure", "--nodes", nodes, "--label", "zone=a,b,c", "--json", self.json,
             "--reconnect-min", "100ms", "--reconnect-max", "2s", *args],
            self.rig.dir, "fleetsim", process.sanitizer_environment(fleet.ROOT))
        self.rig.parts.append(self.fleet)
        self.fleet.start()

    def figures(self):
        with open(self.json) as f:
            return json.load(f)

    def wait(self, what, condition):
        """The first figures that fulfil it."""
        def look():
            figures = self.figures()
            return figures if condition(figures) else None
        return rig.wait_for(what, look)

    def apply(self, path, *args, **options):
        return self.rig.apply(document(path), *args, **options)

    def synced(self):
        return rig.metric(self.controller.metrics(), "sluice_controller_nodes", state="synced")

    def test_a_change_reaches_all_and_a_restart_loses_none(self):
        self.apply("/r/150")
        self.start()
        first = self.wait("all to have the first version",
                          lambda f: f["revisions"].get("1") == NODES and f["settled"] == NODES)
        self.assertEqual((first["resyncs"], first["rejections"]), (0, 0))
        node = self.rig.ctl.node("sim-00004")
        self.assertEqual(rig.pick(node, "hello", "labels")["zone"], "b")

        self.assertIn(f"effective on {NODES} of {NODES} nodes", self.apply("/changed").stdout)
        second = self.wait("all to have the second", lambda f: f["revisions"].get("2") == NODES)
        self.assertEqual(second["resyncs"], 0, "everybody could build on what it had")
        sent = (second["snapshot_bytes"] - first["snapshot_bytes"]) / NODES
        self.assertLess(sent, 1000, "one route of three hundred went to each node, and no more")
        self.assertGreater(first["snapshot_bytes"] / NODES, 10_000)

        self.controller.kill()
        self.controller.start()
        after = self.wait("all to be back",
                          lambda f: len(f["outages"]) > 1 and f["outages"][-1]["over"])
        self.assertEqual(after["stream_snapshot_bytes_per_node"]["max"], 0,
                         "who has the version is sent nothing of it")
        self.assertEqual(after["revisions"], {"2": NODES})
        rig.wait_for("the controller to see all synced", lambda: self.synced() == NODES)

        self.apply("/changed/again")
        self.wait("all to have the third", lambda f: f["revisions"].get("3") == NODES)

    def test_a_wave_goes_out_and_comes_back_as_what_changed(self):
        self.apply("/r/150")
        self.start()
        first = self.wait("all to have the first version",
                          lambda f: f["revisions"].get("1") == NODES and f["settled"] == NODES)
        tenth = NODES // 10
        path = self.rig.write(document("/candidate", rollout={
            "waves": ["10%"], "bake": "5m", "gates": {"requests_min": 0}}))
        self.rig.ctl("apply", "-f", path)
        self.wait("a tenth to have the second",
                  lambda f: f["revisions"] == {"1": NODES - tenth, "2": tenth})
        self.controller.kill()
        self.controller.start()
        self.wait("all to be back at what they had",
                  lambda f: len(f["outages"]) > 1 and f["outages"][-1]["over"] and
                  f["revisions"] == {"1": NODES - tenth, "2": tenth})
        self.rig.ctl("rollout", "abort")
        back = self.wait("all to have the first again",
                         lambda f: f["revisions"] == {"1": NODES} and f["settled"] == NODES)
        self.assertEqual((back["resyncs"], back["rejections"]), (0, 0))
        # All prepared it, a tenth committed it and prepared the first again.
        sent = (back["snapshot_bytes"] - first["snapshot_bytes"]) / (NODES + tenth)
        self.assertLess(sent, 1000, "a part of the route table, there and back")
        rig.wait_for("the controller to see all synced", lambda: self.synced() == NODES)

    def test_nodes_that_misbehave_hold_up_nobody_else(self):
        self.start(40, "--slow", 3, "--silent", 2, "--flapping", 4, "--slow-delay", "300ms",
                   "--flap-interval", "400ms", "--seed", 7)
        rig.wait_for("all to connect", lambda: len(self.rig.ctl.status()["nodes"]) == 40)
        # The silent never prepare: they are left behind when their time is over.
        self.apply("/r/150", code=None)
        done = self.wait("the others to have it", lambda f: f["revisions"].get("1", 0) >= 38)
        self.assertEqual(done["revisions"].get("0"), 2)
        self.assertGreater(done["streams"], 40, "the flapping came again")

    def test_one_that_refuses_keeps_all_on_the_version_before(self):
        self.apply("/r/150")
        self.start(30, "--warm")
        self.wait("all to have the first version", lambda f: f["revisions"].get("1") == 30)
        self.fleet.stop()
        self.start(30, "--rejecting", 1, "--warm")
        self.wait("all to be back", lambda f: f["connected"] == 30)
        done = self.apply("/changed", code=1)
        self.assertIn("fleetsim was told to refuse it", done.stdout + done.stderr)
        figures = self.wait("the refusal", lambda f: f["rejections"] >= 1)
        self.assertNotIn("2", figures["revisions"])


if __name__ == "__main__":
    rig.main()
