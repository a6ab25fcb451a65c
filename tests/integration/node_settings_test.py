#!/usr/bin/python3
"""Cordoned nodes keep what they have; operators' labels win; both outlive restarts."""
import unittest  # noqa: F401

import _path  # noqa: F401
import rig


class NodeSettingsTest(rig.FleetTest):
    nodes = 3
    proxy_args = ("--label", "zone=a", "--label", "tier=edge")

    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()

    def version(self, text):
        return rig.document(rig.service(self.port, [
            rig.route("r", path_prefix="/", respond={"status": 200, "body": text})]))

    def served(self):
        return [self.get("/", at=p.host).body.decode() for p in self.rig.proxies]

    def restart_controller(self):
        self.rig.controller.stop()
        self.rig.controller.start()
        rig.wait_for("the nodes", lambda: all(
            self.rig.ctl.state(p.node) in ("synced", "cordoned") for p in self.rig.proxies))

    def test_a_cordoned_node_keeps_what_it_has(self):
        ctl = self.rig.ctl
        self.rig.apply(self.version("one"))
        ctl("node", "cordon", "node-2")
        self.assertIn("synced,cordoned", ctl("get", "nodes").stdout)
        self.rig.apply(self.version("two"))
        self.assertEqual(self.served(), ["two", "one", "two"])
        self.assertEqual(ctl.state("node-2"), "cordoned")
        self.assertIn("keeps version", ctl("status").stdout)
        self.assertEqual(rig.metric(self.rig.controller.metrics(), "sluice_controller_nodes",
                                    state="cordoned"), 1)
        # Whoever restarts.
        self.restart_controller()
        self.rig.proxies[1].kill()
        self.rig.proxies[1].start()
        rig.wait_for("its return", lambda: ctl.state("node-2") == "cordoned")
        self.rig.apply(self.version("three"))
        self.assertEqual(self.served(), ["three", "one", "three"])
        ctl("node", "uncordon", "node-2")
        rig.wait_for("its catching up", lambda: self.served() == ["three"] * 3)
        rig.wait_for("its state", lambda: ctl.state("node-2") == "synced")
        self.rig.apply(self.version("four"))
        self.assertEqual(self.served(), ["four"] * 3)
        self.assertIn("no node", ctl("node", "cordon", "node-9", code=1).stderr)

    def test_a_cordoned_node_has_no_part_in_waves(self):
        ctl = self.rig.ctl
        self.rig.apply(self.version("calm"))
        ctl("node", "cordon", "node-1")
        self.rig.apply({**self.version("waves"), "rollout": {
            "waves": ["1"], "bake": "1s", "gates": {"requests_min": 0}}})
        self.assertEqual(self.served(), ["calm", "waves", "waves"])
        rollout = ctl.json("rollout", "status")
        self.assertEqual([rig.pick(wave, "node_ids") for wave in rollout["waves"]],
                         [["node-2"], ["node-3"]])
        ctl("node", "uncordon", "node-1")
        rig.wait_for("its catching up", lambda: self.served() == ["waves"] * 3)

    def test_labels_of_operators_win(self):
        ctl = self.rig.ctl
        ctl("node", "label", "node-3", "zone=b", "canary=yes")
        self.assertIn("canary=yes,tier=edge,zone=b", ctl("get", "nodes", "-o", "wide").stdout)
        self.assertIn("canary=yes,zone=b", ctl("describe", "node", "node-3").stdout)
        self.restart_controller()
        self.rig.proxies[2].stop()
        self.rig.proxies[2].start()
        rig.wait_for("its return", lambda: ctl.state("node-3") == "synced")
        self.assertIn("canary=yes,tier=edge,zone=b", ctl("get", "nodes", "-o", "wide").stdout)
        ctl("node", "label", "node-3", "zone-", "canary-")
        self.assertIn("tier=edge,zone=a", ctl("describe", "node", "node-3").stdout)
        self.assertIn("key=value", ctl("node", "label", "node-3", "zone", code=1).stderr)
        self.assertIn("node LABEL", ctl("audit").stdout)


if __name__ == "__main__":
    rig.main()
