#!/usr/bin/python3
"""The harness proves itself on real etcd members, and on network namespaces that it cuts off."""
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certs
import etcd
import netns
import peers
import process
import rig


class EtcdHarnessTest(unittest.TestCase):
    def setUp(self):
        self.rig = rig.Rig()
        self.addCleanup(self.rig.close)

    def test_the_cluster_works_with_each_member_killed_and_not_with_two(self):
        cluster = etcd.Cluster(self.rig)
        for i in range(3):
            with self.subTest(member=i):
                cluster.kill(i)
                rig.wait_for("the others to write",
                             lambda: cluster.put("/sluice/last", str(i)) or True)
                cluster.restart(i)
                self.assertEqual(cluster.under()["/sluice/last"][0].decode(), str(i))
        created = cluster.get("/sluice/last")["/sluice/last"][1]
        cluster.kill(0)
        cluster.kill(1)
        with self.assertRaises(OSError):
            cluster.put("/sluice/last", "lost")
        self.assertRaises(OSError, cluster.members[2].healthy)
        cluster.restart(1)
        cluster.wait_healthy(1, 2)
        # What was not answered may have been kept; the key is the one from before.
        self.assertEqual(cluster.get("/sluice/last")["/sluice/last"][1], created)

    def test_a_paused_member_does_nothing_until_it_is_resumed(self):
        cluster = etcd.Cluster(self.rig)
        cluster.pause(2)
        self.assertRaises(OSError, cluster.members[2].ask, "GET", "/health", timeout=0.2)
        rig.wait_for("the others to write", lambda: cluster.put("/other/key", "v") or True)
        self.assertEqual(cluster.under(), {})
        self.assertEqual(list(cluster.under("/other")), ["/other/key"])
        cluster.resume(2)
        cluster.wait_healthy()

    def test_with_tls_nobody_is_let_in_without_a_certificate(self):
        cluster = etcd.Cluster(self.rig, count=1, tls=True)
        cluster.put("/sluice/key", "v")
        self.assertEqual(cluster.under()["/sluice/key"][0], b"v")
        cluster.tls.context = certs.client_context(cluster.tls.ca)
        self.assertRaises(OSError, cluster.put, "/sluice/key", "forged")
        self.assertEqual([flag for flag in cluster.flags() if flag.startswith("--")],
                         ["--store", "--etcd-ca", "--etcd-cert", "--etcd-key"])


class NetnsTest(unittest.TestCase):
    def setUp(self):
        self.rig = rig.Rig()
        self.addCleanup(self.rig.close)

    def connects(self, host, port):
        try:
            socket.create_connection((host, port), 0.3).close()
            return True
        except OSError:
            return False

    def test_links_are_cut_and_healed_apart(self):
        one, two = netns.Net(self.rig, 2).sites
        port = self.rig.port()
        server = process.Process([*two.before, sys.executable, "-m", "http.server", str(port),
                                  "--bind", "0.0.0.0"], self.rig.dir, "server", expect=(-15,))
        self.rig.parts.append(server)
        server.start()

        def reached():
            """From the test, from the other site, from its own, where both addresses stay."""
            found = [self.connects(two.front, port)]
            for site, address in ((one, two.address), (two, two.address), (two, two.front)):
                with site.inside():
                    found.append(self.connects(address, port))
            return found
        rig.wait_for("the server", lambda: reached() == [True] * 4)
        self.assertFalse(self.connects("127.0.0.1", port))
        two.cut()
        rig.wait_for("the others not to reach it", lambda: reached() == [True, False, True, True])
        two.cut(front=True)
        rig.wait_for("nobody to reach it", lambda: reached() == [False, False, True, True])
        two.heal()
        rig.wait_for("all to reach it", lambda: reached() == [True] * 4)

    def test_namespaces_are_gone_with_the_rig(self):
        other = rig.Rig()
        site = netns.Net(other, 1).sites[0]
        self.assertTrue(os.path.exists(f"/run/netns/{site.name}"))
        other.close()
        self.assertFalse(os.path.exists(f"/run/netns/{site.name}"))

    def test_a_member_that_is_cut_off_agrees_with_nobody(self):
        net = netns.Net(self.rig, 3)
        cluster = etcd.Cluster(self.rig, sites=net.sites, tls=True)
        net.sites[0].cut()
        rig.wait_for("the one to be alone", lambda: not self.healthy(cluster.members[0]))
        rig.wait_for("the two to write", lambda: cluster.members[1].ask(
            "POST", "/v3/kv/put", {"key": "aw==", "value": "dg=="}))
        net.heal()
        cluster.wait_healthy()
        self.assertEqual(cluster.get("k")["k"][0], b"v")

    @staticmethod
    def healthy(member):
        try:
            return member.healthy()
        except OSError:
            return False


if __name__ == "__main__":
    result = unittest.main(verbosity=2, exit=False).result
    sys.exit(peers.exit_code(result.wasSuccessful()))
