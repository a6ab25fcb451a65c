#!/usr/bin/python3
"""Controllers and etcd members die while changes and requests keep coming: nothing is lost."""
import contextlib
import unittest  # noqa: F401

import _path  # noqa: F401
import applying
import load
import rig
import trio

ROUNDS = 3
MANUAL = {"waves": ["1", "2"], "promotion": "manual", "bake": "1s", "gates": {"requests_min": 0}}
BY_ITSELF = {"waves": ["1"], "bake": "6s", "gates": {"requests_min": 0}}


class FailoverTest(trio.TrioTest):
    @contextlib.contextmanager
    def busy(self):
        """Requests to every proxy, and changes by every controller; at the end none of the requests
        has failed, and what was acknowledged is there."""
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(load.Steady(proxy.host, self.port, threads=1))
                       for proxy in self.rig.proxies]
            work = stack.enter_context(applying.Applying(self.apply, self.trio.controllers))
            work.wait_more(3)
            yield work
            work.wait_more(3)
        self.trio.wait_ready()
        self.trio.wait_synced()
        for client in clients:
            self.assertEqual(client.failures, [])
            self.assertEqual(client.refused, 0)
            self.assertGreater(client.ok, 0)
        self.assertEqual(work.failures, [])
        self.assert_kept(work)

    def test_leaders_that_are_killed_lose_nothing_that_was_acknowledged(self):
        with self.busy() as work:
            for round_ in range(ROUNDS):
                with self.subTest(round=round_):
                    killed = self.trio.leader()
                    self.trio.kill(killed)
                    self.assertIsNot(self.trio.wait_leader(), killed)
                    self.trio.wait_synced()
                    work.wait_more(3)
                    self.trio.restart(killed)

    def test_each_controller_is_killed_in_turn(self):
        with self.busy() as work:
            for controller in self.trio.controllers:
                with self.subTest(controller=controller.name):
                    self.trio.kill(controller)
                    self.trio.wait_leader()
                    work.wait_more(2)
                    self.trio.restart(controller)
                    work.wait_more(1)

    def test_each_controller_is_left_alone(self):
        with self.busy() as work:
            for controller in self.trio.controllers:
                with self.subTest(controller=controller.name):
                    others = self.trio.others(controller)
                    self.trio.kill(*others)
                    self.assertIs(self.trio.wait_leader(), controller)
                    self.trio.wait_synced()
                    work.wait_more(2)
                    self.trio.restart(*others)

    def test_each_etcd_member_is_killed_in_turn(self):
        with self.busy() as work:
            for i in range(3):
                with self.subTest(member=i):
                    self.etcd.kill(i)
                    work.wait_more(2)
                    self.etcd.restart(i)

    def test_each_etcd_member_stands_still_in_turn(self):
        with self.busy() as work:
            for i in range(3):
                with self.subTest(member=i):
                    self.etcd.pause(i)
                    work.wait_more(2)
                    self.etcd.resume(i)
                    self.etcd.wait_healthy(i)

    def test_without_most_members_nothing_is_written_and_everything_served(self):
        before = self.served()
        with load.Steady(self.rig.proxies[0].host, self.port, threads=2) as clients:
            self.etcd.kill(0)
            self.etcd.kill(1)
            rig.wait_for("nobody to lead", lambda: self.trio.leader() is None, trio.PATIENCE)
            for controller in self.trio.controllers:
                rig.wait_for("it to be alive and not ready",
                             lambda: controller.healthy() and not trio.ready(controller))
                self.apply("refused", controller, code=4)
            self.assertEqual(self.served(), before)
            self.etcd.restart(1)
            self.etcd.restart(0)
            self.trio.wait_leader()
            self.trio.wait_ready()
            self.trio.wait_synced()
        self.assertEqual(clients.failures, [])
        self.assertNotIn("refused", [message for _, _, message in self.assert_all_tell()])
        self.apply("again")
        self.wait_served("again")

    def state(self):
        return str(rig.pick(self.rig.ctl.json("rollout", "status"), "state")).lower()

    def test_a_rollout_goes_on_under_the_next_leader(self):
        self.apply("all have it")
        self.wait_served("all have it")
        self.apply("in waves", rollout=BY_ITSELF)
        rig.wait_for("the first wave", lambda: self.served()[0] == "in waves")
        killed = self.trio.leader()
        self.trio.kill(killed)
        self.assertEqual(self.served()[1:], ["all have it"] * 2)
        self.trio.wait_leader()
        self.wait_served("in waves")
        rig.wait_for("its end", lambda: self.state() == "completed", trio.PATIENCE)

    def test_a_rollout_that_waits_for_its_operator_waits_under_the_next_leader(self):
        self.apply("all have it")
        self.wait_served("all have it")
        self.apply("by hand", rollout=MANUAL)
        rig.wait_for("the first wave to have baked", lambda: self.state() == "awaiting")
        killed = self.trio.leader()
        self.trio.kill(killed)
        self.trio.wait_leader()
        self.trio.wait_ready()
        rig.wait_for("it to be known", lambda: self.state() == "awaiting", trio.PATIENCE)
        self.assertEqual(self.served(), ["by hand"] + ["all have it"] * 2)
        rig.wait_for("the nodes to be known", lambda: all(
            self.rig.ctl.state(proxy.node) != "unreachable" for proxy in self.rig.proxies))
        self.trio.restart(killed)
        # By one that only passes it on.
        self.rig.ctl("rollout", "promote", controller=killed.grpc)
        rig.wait_for("the second wave", lambda: self.served() == ["by hand"] * 2 + ["all have it"])
        self.rig.ctl("rollout", "abort", controller=killed.grpc)
        self.wait_served("all have it")


if __name__ == "__main__":
    rig.main()
