#!/usr/bin/python3
"""A store moves from a controller's disk into etcd and back, with all that is in it."""
import os
import unittest  # noqa: F401

import _path  # noqa: F401
import applying
import etcd
import fleet
import rig
import trio


class MoveTest(unittest.TestCase):
    def setUp(self):
        self.rig = rig.Rig()
        self.addCleanup(self.rig.close)
        self.etcd = etcd.Cluster(self.rig)

    def controller(self, name, *args, insecure=False):
        return fleet.Controller(self.rig, name, args=args, insecure=insecure)

    def start(self, controller, *args):
        """With these flags besides those that it was made with."""
        if controller not in self.rig.parts:
            self.rig.parts.append(controller)
            controller.plain = controller.argv
        controller.argv = [*controller.plain, *args]
        controller.start()
        self.rig.controller = controller

    def apply(self, text, controller):
        self.rig.ctl("apply", "-f", self.rig.write(rig.document(rig.service(self.port, [
            rig.route("v", path_prefix="/v", respond={"status": 200, "body": text})]))),
            "-m", text, controller=controller.grpc)

    def versions(self, controller):
        """All that is told of them, epochs too, but how they stand."""
        told = self.rig.ctl.json("history", "--limit", 1000, controller=controller.grpc)
        return [{key: value for key, value in one.items() if key != "state"} for one in told]

    def wait_leads(self, controller):
        rig.wait_for(f"{controller.name} to lead",
                     lambda: trio.leads(controller) and trio.ready(controller), trio.PATIENCE)

    def wait_synced(self):
        rig.wait_for("the node to be in step", lambda: self.rig.ctl.state("node-1") == "synced",
                     trio.PATIENCE)

    def test_from_disk_to_etcd_and_back(self):
        r, self.port = self.rig, self.rig.port()
        one = self.controller("one")
        two = self.controller("two", "--seal-key-file", os.path.join(one.data, "seal.key"))
        self.start(one)
        proxy = r.start_proxy("node-1", token=r.ctl("token", "create").stdout,
                              controller=f"{one.grpc},{two.grpc}")
        r.wait_nodes("node-1")
        os.unlink(proxy.token_file)  # It joined, and is known from now on.
        for text in ("first", "second"):
            self.apply(text, one)
        self.wait_synced()
        two.operator = one.operator
        expected = self.versions(one)
        audit = r.ctl("audit").stdout

        # The same directory begins what is shared.
        self.assertEqual(one.stop(), 0)
        self.start(one, *self.etcd.flags())
        self.wait_leads(one)
        self.assertEqual(self.versions(one), expected)
        self.assertIn(audit.splitlines()[-1], r.ctl("audit").stdout)
        self.wait_synced()

        # Another joins, and has everything when the first is gone.
        self.start(two, *self.etcd.flags())
        rig.wait_for("the second to be ready", lambda: trio.ready(two), trio.PATIENCE)
        self.assertEqual(self.versions(two), expected)
        self.apply("third", two)
        one.kill()
        self.wait_leads(two)
        self.wait_synced()
        self.apply("fourth", two)
        shared = self.versions(two)
        self.assertEqual(shared[2:], expected)

        # Without etcd it is a store as it was before.
        self.assertEqual(two.stop(), 0)
        for i in range(3):
            self.etcd.kill(i)
        self.start(two, "--store", "sqlite")
        self.assertEqual(self.versions(two), shared)
        self.wait_synced()
        self.apply("fifth", two)
        self.wait_synced()
        self.assertEqual(self.versions(two)[1:], shared)
        self.assertTrue(proxy.running())
        self.assertNotIn("token", "".join(os.listdir(proxy.state)))

    def test_stores_with_other_prefixes_do_not_meet(self):
        self.port = self.rig.port()
        left, right = (self.controller(name, insecure=True) for name in ("left", "right"))
        for one in (left, right):
            self.start(one, *self.etcd.flags("/" + one.name))
            self.wait_leads(one)
            self.apply("of " + one.name, one)
        for one in (left, right):
            self.assertEqual([message for _, _, message in applying.history(self.rig, one)],
                             ["of " + one.name])
            self.assertIn(f"/{one.name}/leader", self.etcd.under("/" + one.name))
        self.assertEqual(self.etcd.under(), {})

    def test_a_backup_through_a_follower_is_a_store(self):
        self.port = self.rig.port()
        key = trio.seal_key(self.rig, "shared.key")
        leader, follower, restored = (
            self.controller(name, "--seal-key-file", key, insecure=True)
            for name in ("leader", "follower", "restored"))
        self.start(leader, *self.etcd.flags())
        self.wait_leads(leader)
        self.apply("backed up", leader)
        self.start(follower, *self.etcd.flags())
        rig.wait_for("the follower to be ready", lambda: trio.ready(follower), trio.PATIENCE)
        path = self.rig.path("backup")
        self.rig.ctl("backup", path, controller=follower.grpc)
        self.rig.ctl("restore", path, "--data-dir", restored.data)
        self.start(restored, "--store", "sqlite")
        self.assertEqual([message for _, _, message in applying.history(self.rig, restored)],
                         ["backed up"])


if __name__ == "__main__":
    rig.main()
