#!/usr/bin/python3
"""Services placed by labels: each node serves, and ever sees, only what is placed on it."""
import socket
import ssl
import unittest  # noqa: F401

import _path  # noqa: F401
import rig

NODES = {"edge-1": "tier=edge", "edge-2": "tier=edge", "core-1": "tier=core"}


class PlacementTest(rig.FleetTest):
    nodes = 0

    @classmethod
    def prepare(cls):
        for i, (node, label) in enumerate(NODES.items()):
            cls.rig.start_proxy(node, f"127.0.0.{i + 1}", args=("--label", label))
        cls.everywhere, cls.shared = cls.rig.port(), cls.rig.port()
        cls.backend = cls.rig.upstream()
        cls.certificate = cls.rig.cert("edge", ["edge.test"])
        cls.context = ssl.create_default_context(cafile=cls.certificate.cert)

    def document(self, edge="edge", core="core"):
        def answer(text):
            return rig.route("text", path_prefix="/text", respond={"status": 200, "body": text})
        # Both on one port: no node can have both.
        return rig.document(
            rig.service(self.everywhere, [answer("all")], name="all"),
            rig.service(self.shared, [answer(edge), rig.route("rest", [self.backend], "edge-only-up")],
                        name="edge-service", placement={"tier": "edge"},
                        tls={"cert_path": self.certificate.cert, "key_path": self.certificate.key}),
            rig.service(self.shared, [answer(core)], name="core-service",
                        placement={"tier": "core"}))

    def proxy_of(self, node):
        return next(proxy for proxy in self.rig.proxies if proxy.node == node)

    def texts(self, node):
        proxy = self.proxy_of(node)
        tls = {"tls": self.context, "server_name": "edge.test"} if node.startswith("edge") else {}
        return [self.get("/text", at=proxy.host, port=self.everywhere).body.decode(),
                self.get("/text", at=proxy.host, port=self.shared, **tls).body.decode()]

    def test_each_node_serves_its_own(self):
        self.rig.apply(self.document())
        for node in NODES:
            self.assertEqual(self.texts(node), ["all", node.split("-")[0]], node)
        self.assertEqual({self.rig.ctl.state(node) for node in NODES}, {"synced"})

    def test_a_node_never_sees_what_is_not_placed_on_it(self):
        self.rig.apply(self.document())
        for page in ("config", "clusters", "listeners"):
            shown = self.rig.ctl("node", "dump", "core-1", page).stdout
            self.assertNotIn("edge-service", shown, page)
            self.assertNotIn("edge-only-up", shown, page)
        self.assertIn("core-service", self.rig.ctl("node", "dump", "core-1", "listeners").stdout)
        self.assertIn("edge-only-up", self.rig.ctl("node", "dump", "edge-1", "clusters").stdout)

    def test_a_change_reaches_whom_it_concerns_and_all_have_the_number(self):
        self.rig.apply(self.document())
        sent = {node: self.bytes_sent(node) for node in NODES}
        self.rig.apply(self.document(core="another core"))
        self.assertEqual(self.texts("core-1")[1], "another core")
        self.assertEqual(self.bytes_sent("edge-1"), sent["edge-1"])
        self.assertGreater(self.bytes_sent("core-1"), sent["core-1"])
        self.assertEqual({self.rig.ctl.state(node) for node in NODES}, {"synced"})

    def test_a_node_that_cannot_have_what_its_label_places_on_it_is_not_well(self):
        document = self.document()
        taken = self.rig.port()
        document["services"][1]["bind_address"] = f"0.0.0.0:{taken}"
        self.rig.apply(document)
        self.addCleanup(self.rig.ctl, "node", "label", "core-1", "tier-")
        with socket.create_server((self.proxy_of("core-1").host, taken)):
            self.rig.ctl("node", "label", "core-1", "tier=edge")
            rig.wait_for("its refusal", lambda: self.rig.ctl.state("core-1") == "rejected")
            self.assertIn("core-1 refused version", self.rig.ctl("status").stdout)
            self.assertEqual(self.texts("core-1")[1], "core", "it goes on with what it has")
        # The port is free: it is asked again.
        self.rig.ctl("apply", "-f", self.rig.write(document), "--dry-run", "nodes")
        rig.wait_for("its other services", lambda: self.rig.ctl.state("core-1") == "synced")

    def test_the_traffic_of_a_version_is_that_of_all_nodes(self):
        self.rig.apply(self.document(edge="told", core="told"))
        for node in NODES:
            self.texts(node)
        revision = rig.pick(self.rig.ctl.node("core-1"), "version", "revision")
        rig.wait_for("all reports", lambda: "3 of 3 nodes" in self.rig.ctl(
            "describe", "version", str(revision)).stdout)

    def bytes_sent(self, node):
        return int(rig.pick(self.rig.ctl.node(node), "snapshot_bytes_sent"))

    def test_a_proxy_that_restarts_keeps_its_part(self):
        self.rig.apply(self.document())
        proxy = self.proxy_of("core-1")
        proxy.kill()
        proxy.start()
        rig.wait_for("its service", lambda: self.texts("core-1") == ["all", "core"])
        rig.wait_for("its state", lambda: self.rig.ctl.state("core-1") == "synced")

    def test_services_that_one_node_could_have_cannot_share_an_address(self):
        document = self.document()
        document["services"][2]["placement"] = {"zone": "eu"}
        done = self.rig.ctl("apply", "-f", self.rig.write(document), code=1)
        self.assertIn("edge-service", done.stdout + done.stderr)


if __name__ == "__main__":
    rig.main()
