#!/usr/bin/python3
"""Each controller on a machine of its own, with a member of etcd: links are cut and healed."""
import unittest  # noqa: F401

import _path  # noqa: F401
import load
import netns
import rig
import trio


class PartitionTest(trio.TrioTest):
    insecure = False  # Plain text does not leave a machine.

    @classmethod
    def make_sites(cls):
        cls.net = netns.Net(cls.rig, 3)
        return cls.net.sites

    def setUp(self):
        self.net.heal()
        super().setUp()
        self.apply("before")
        self.wait_served("before")

    def messages(self, controller=None):
        return [message for _, _, message in self.history(controller)]

    def heal_and_agree(self, text):
        """All converge: on `text`, and on what comes next, by whichever controller."""
        self.net.heal()
        self.etcd.wait_healthy()
        self.trio.wait_leader()
        self.trio.wait_ready()
        self.trio.wait_synced()
        self.wait_served(text)
        told = self.assert_all_tell()
        self.assertNotIn("refused", [message for _, _, message in told])
        for controller in self.trio.controllers:
            self.apply(f"{text}, healed, by {controller.name}", controller)
        self.wait_served(f"{text}, healed, by {self.trio.controllers[-1].name}")

    @staticmethod
    def wait_unready(controller):
        rig.wait_for("it to be alive and not ready",
                     lambda: controller.healthy() and not trio.ready(controller), trio.PATIENCE)

    def refuses(self, controller):
        done = self.apply("refused", controller, code=None)
        self.assertIn(done.returncode, (3, 4), done.stderr)

    def test_proxies_are_known_by_their_own_addresses(self):
        ways = {proxy.node: str(rig.pick(self.rig.ctl.node(proxy.node), "peer_address"))
                for proxy in self.rig.proxies}
        for node, way in ways.items():
            # Not by the backbone's of who passed their streams on.
            self.assertIn("198.", way, ways)
            self.assertNotIn("10.0.0.", way, node)

    def test_a_leader_cut_off_from_the_others_ends_and_they_go_on(self):
        old = self.trio.leader()
        others = self.trio.others(old)
        with load.Steady(self.rig.proxies[0].host, self.port, threads=2) as clients:
            old.site.cut()
            self.trio.ask_others(than=old)
            new = self.trio.wait_leader(among=others)
            rig.wait_for("the old one to have ended", lambda: not trio.leads(old))
            self.trio.wait_synced()  # Nobody has stayed with it.
            self.apply("majority", new)
            self.wait_served("majority")
            self.wait_unready(old)
            self.refuses(old)
            self.assertIn("majority", self.messages(others[1]))
            self.heal_and_agree("majority")
        self.assertEqual(clients.failures, [])

    def test_a_leader_cut_off_from_everybody_ends_and_they_go_on(self):
        old = self.trio.leader()
        others = self.trio.others(old)
        with load.Steady(self.rig.proxies[0].host, self.port, threads=2) as clients:
            old.site.cut(front=True)
            self.trio.ask_others(than=old)
            new = self.trio.wait_leader(among=others)
            self.trio.wait_synced()
            self.apply("majority", new)
            self.wait_served("majority")
            with old.site.inside():
                self.assertFalse(trio.leads(old))
                self.wait_unready(old)
                self.refuses(old)
            self.heal_and_agree("majority")
        self.assertEqual(clients.failures, [])

    def test_a_follower_cut_off_is_left_by_its_proxies(self):
        alone = self.trio.others(self.trio.leader())[0]
        others = self.trio.others(alone)
        alone.site.cut()
        self.trio.ask_others(than=alone)
        self.wait_unready(alone)
        # The other one may have to lead now: etcd itself was led from there, perhaps.
        leader = self.trio.wait_leader(among=others)
        self.trio.wait_synced()
        self.assertFalse(trio.leads(alone))
        self.refuses(alone)
        self.apply("without it", leader)
        self.wait_served("without it")
        self.heal_and_agree("without it")

    def test_with_all_apart_nobody_leads_and_proxies_serve(self):
        with load.Steady(self.rig.proxies[0].host, self.port, threads=2) as clients:
            for site in self.net.sites:
                site.cut()
            rig.wait_for("nobody to lead", lambda: self.trio.leader() is None, trio.PATIENCE)
            for controller in self.trio.controllers:
                self.wait_unready(controller)
                self.refuses(controller)
            self.assertEqual(self.served(), ["before"] * 3)
            self.heal_and_agree("before")
        self.assertEqual(clients.failures, [])


if __name__ == "__main__":
    rig.main()
