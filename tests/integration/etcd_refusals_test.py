#!/usr/bin/python3
"""Who does not belong to the store in etcd is refused by name, and nothing is lost by it."""
import unittest  # noqa: F401

import _path  # noqa: F401
import applying
import etcd
import fleet
import rig
import trio


class RefusalsTest(unittest.TestCase):
    def setUp(self):
        self.rig = rig.Rig()
        self.addCleanup(self.rig.close)
        self.etcd = etcd.Cluster(self.rig)
        self.key = trio.seal_key(self.rig, "shared.key")

    def controller(self, name, *args, key=None):
        made = fleet.Controller(self.rig, name, args=["--seal-key-file", key or self.key, *args])
        self.rig.parts.append(made)
        return made

    def start_leader(self):
        leader = self.controller("leader", *self.etcd.flags())
        self.rig.controller = leader.start()
        rig.wait_for("it to lead", lambda: trio.leads(leader) and trio.ready(leader), trio.PATIENCE)
        self.apply("shared", leader)
        return leader

    def apply(self, text, controller):
        self.rig.ctl("apply", "-f", self.rig.write(rig.document(rig.service(self.rig.port(), [
            rig.route("v", path_prefix="/v", respond={"status": 200, "body": text})]))),
            "-m", text, controller=controller.grpc)

    def messages(self, controller):
        return [message for _, _, message in applying.history(self.rig, controller)]

    def refused(self, controller, *words):
        """It ends, and says why."""
        controller.expect = (0, 1)
        controller.start(ready=False)
        self.assertEqual(controller.wait(trio.PATIENCE), 1, controller.tail())
        for word in words:
            self.assertIn(word, controller.output())

    def test_a_directory_with_another_store(self):
        leader = self.start_leader()
        other = self.controller("other")
        other.start()
        self.apply("of its own", other)
        other.stop()
        plain = list(other.argv)
        other.argv += self.etcd.flags()
        self.refused(other, "another", other.data)
        # Both are as they were.
        self.assertEqual(self.messages(leader), ["shared"])
        other.argv = plain
        other.start()
        self.assertEqual(self.messages(other), ["of its own"])

    def test_a_directory_that_another_store_has_been_in_etcd_of(self):
        """The members were made anew, and somebody began with them before the old store came."""
        late = self.controller("late", *self.etcd.flags("/before"))
        late.start()
        rig.wait_for("it to lead", lambda: trio.leads(late) and trio.ready(late), trio.PATIENCE)
        self.apply("of before", late)
        late.stop()
        leader = self.start_leader()
        late.argv[late.argv.index("--store") + 1] = self.etcd.flags()[1]
        self.refused(late, "another", late.data)
        self.assertEqual(self.messages(leader), ["shared"])

    def test_copies_of_a_store_that_etcd_has_lost_do_not_overwrite_each_other(self):
        leader = self.start_leader()
        other = self.controller("other", *self.etcd.flags())
        other.start()
        rig.wait_for("it to be ready", lambda: trio.ready(other), trio.PATIENCE)
        leader.stop()
        rig.wait_for("it to lead", lambda: trio.leads(other) and trio.ready(other), trio.PATIENCE)
        self.apply("what the first one lacks", other)
        other.stop()
        self.etcd.delete_under()
        leader.start()
        rig.wait_for("it to lead", lambda: trio.leads(leader) and trio.ready(leader), trio.PATIENCE)
        # It began with what it had, and says so by another epoch.
        self.assertEqual(self.messages(leader), ["shared"])
        self.refused(other, "another", other.data)
        # Nothing of the other one's is lost.
        at = other.argv.index("--store") + 1
        other.argv[at] += "/rescued"
        other.start()
        rig.wait_for("it to lead", lambda: trio.leads(other) and trio.ready(other), trio.PATIENCE)
        self.assertIn("what the first one lacks", self.messages(other))

    def test_another_seal_key(self):
        leader = self.start_leader()
        wrong = self.controller("wrong", *self.etcd.flags(),
                                key=trio.seal_key(self.rig, "wrong.key"))
        self.refused(wrong, "--seal-key-file")
        self.assertTrue(trio.leads(leader))
        # The right one is all that it wants.
        wrong.argv[wrong.argv.index("--seal-key-file") + 1] = self.key
        wrong.start()
        rig.wait_for("it to be ready", lambda: trio.ready(wrong), trio.PATIENCE)
        leader.kill()
        rig.wait_for("it to lead", lambda: trio.leads(wrong) and trio.ready(wrong), trio.PATIENCE)
        self.assertEqual(self.messages(wrong), ["shared"])

    def test_who_starts_without_etcd_waits_for_it(self):
        for i in range(3):
            self.etcd.kill(i)
        early = self.controller("early", *self.etcd.flags())
        early.start()  # /healthz answers.
        self.assertFalse(trio.ready(early))
        self.rig.ctl("status", controller=early.grpc, credentials=["--insecure"], code=4)
        for i in (0, 1):  # The first of them is healthy only with the second.
            self.etcd.members[i].start()
        rig.wait_for("it to lead", lambda: trio.leads(early) and trio.ready(early), trio.PATIENCE)


if __name__ == "__main__":
    rig.main()
