#!/usr/bin/python3
"""Three controllers with one store in etcd: it is the same whichever is asked."""
import shutil
import unittest  # noqa: F401

import _path  # noqa: F401
import applying
import rig
import trio


class SharedStoreTest(trio.TrioTest):
    def test_one_leads_and_all_are_ready(self):
        leading = {c: rig.metric(c.metrics(), "sluice_controller_leader")
                   for c in self.trio.controllers}
        self.assertEqual(sorted(leading.values()), [0, 0, 1])
        for controller in self.trio.controllers:
            self.assertTrue(trio.ready(controller))
            self.assertEqual(rig.http_get(controller.admin, "/healthz")[0], 200)
        value, _ = self.etcd.get("/sluice/leader")["/sluice/leader"]
        self.assertIn(self.trio.leader().grpc.encode(), value)

    def test_a_change_by_any_controller_is_everywhere(self):
        expected = self.history()
        for controller in self.trio.controllers:
            text = f"by {controller.name}"
            done = self.apply(text, controller)
            expected.insert(0, applying.acknowledged(done, text))
            self.wait_served(text)
            self.assert_all_tell(expected)

    def test_calls_that_stream_come_to_their_end_through_any_controller(self):
        for controller in self.trio.controllers:
            text = f"waited for by {controller.name}"
            self.rig.ctl("apply", "-f", self.rig.write(self.version(text)), "--wait",
                         controller=controller.grpc)
            self.assertEqual(self.served(), [text] * 3)
            self.rig.ctl("rollback", "--wait", controller=controller.grpc)
            self.assertNotIn(text, self.served())

    def test_what_is_refused_is_refused_through_any_controller(self):
        current = self.rig.ctl.revision()
        for controller in self.trio.controllers:
            bad = self.rig.write("services: 7\n")
            said = self.rig.ctl("apply", "-f", bad, code=1, controller=controller.grpc)
            self.assertIn("services", said.stdout + said.stderr)
            late = self.rig.ctl("apply", "-f", self.rig.write(self.version("late")),
                                "--if-version", current + 1000, code=1, controller=controller.grpc)
            self.assertIn(str(current), late.stdout + late.stderr)
        self.assertEqual(self.rig.ctl.revision(), current)

    def test_nodes_are_asked_and_told_through_any_controller(self):
        for controller in self.trio.controllers:
            for proxy in self.rig.proxies:
                with self.subTest(controller=controller.name, node=proxy.node):
                    at = {"controller": controller.grpc}
                    self.assertTrue(
                        self.rig.ctl("node", "dump", proxy.node, "listeners", **at).stdout)
                    self.rig.ctl("node", "cordon", proxy.node, **at)
                    self.assertTrue(rig.pick(self.rig.ctl.node(proxy.node), "cordoned"))
                    self.rig.ctl("node", "uncordon", proxy.node, **at)
                    self.assertFalse(rig.pick(self.rig.ctl.node(proxy.node), "cordoned"))

    def test_a_controller_that_lost_its_disk_gets_everything_from_etcd(self):
        self.apply("kept")
        expected = self.assert_all_tell()
        lost = self.trio.leader()
        self.trio.kill(lost)
        shutil.rmtree(lost.data)
        self.trio.wait_leader()
        self.trio.restart(lost)
        # Only it is left to tell.
        self.trio.kill(*self.trio.others(lost))
        self.trio.wait_leader()
        self.assertEqual(self.history(lost), expected)
        self.wait_served("kept")
        self.trio.restart(*(c for c in self.trio.controllers if c is not lost))
        self.assert_all_tell(expected)

    def test_all_end_and_come_back(self):
        self.apply("before the pause")
        expected = self.assert_all_tell()
        for controller in self.trio.controllers:
            self.assertEqual(controller.stop(), 0)
        self.assertEqual(self.etcd.get("/sluice/leader"), {})  # Who ended has resigned.
        self.assertEqual(self.served(), ["before the pause"] * 3)
        self.trio.restart(*self.trio.controllers)
        self.trio.wait_synced()
        self.assert_all_tell(expected)
        self.apply("after the pause")
        self.wait_served("after the pause")


if __name__ == "__main__":
    rig.main()
