#!/usr/bin/python3
"""A proxy serves from its own disk when there is no controller."""
import os
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import rig


class CacheTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port, cls.tls_port = r.port(), r.port()
        cls.backend = r.nginx("a")
        cls.authority = r.cert("ca")
        site = r.cert("site", ["a.test"], issuer=cls.authority)
        cls.document = rig.document(
            rig.service(cls.port, [rig.route("all", [cls.backend])]),
            rig.service(cls.tls_port, [rig.route("all", [cls.backend])], name="tls",
                        tls={"enabled": True, "cert_path": site.cert, "key_path": site.key}))
        r.apply(cls.document)

    def serves(self):
        try:
            trust = certs.client_context(self.authority)
            return (self.get().status, self.get(port=self.tls_port, tls=trust,
                                                server_name="a.test").status) == (200, 200)
        except OSError:
            return False

    def test_start_without_a_controller(self):
        # A version of its own: those before may have died under other tests already.
        self.rig.apply(rig.document(*self.document["services"], rig.service(
            self.rig.port(), [rig.route("fresh", path_prefix="/", respond={"status": 200})],
            name="fresh")))
        self.assertTrue(self.serves())
        self.rig.controller.kill()
        self.assertTrue(self.serves(), "the controller's end must not matter")
        for end in (self.proxy.stop, self.proxy.kill):
            end()
            self.assertFalse(self.serves())
            self.proxy.start()
            rig.wait_for("service from the cache", self.serves)
        self.rig.controller.start()
        rig.wait_for("the node to be in step", lambda: self.rig.ctl.state("node-1") == "synced")
        # The same root: nothing of the snapshot was sent again.
        self.assertLessEqual(self.snapshot_bytes_sent(), 1024)
        # That it is counted at all: what follows is more.
        self.rig.apply(rig.document(*self.document["services"], rig.service(
            self.rig.port(), [rig.route("told", path_prefix="/", respond={"status": 200})],
            name="told")))
        self.assertGreater(self.snapshot_bytes_sent(), 0)
        self.rig.apply(self.document)

    def snapshot_bytes_sent(self):
        """On the present stream; zero is left out."""
        return int(rig.pick(self.rig.ctl.node("node-1"), "snapshot_bytes_sent") or 0)

    def test_killed_again_and_again_while_changes_arrive(self):
        for i in range(8):
            document = rig.document(*self.document["services"], rig.service(
                self.rig.port(), [rig.route(f"r{i}", path_prefix="/", respond={"status": 200})],
                name="extra"))
            self.rig.ctl("apply", "-f", self.rig.write(document))
            self.proxy.kill()
            self.proxy.start()
            rig.wait_for("service", self.serves)
        rig.wait_for("the node to be in step", lambda: self.rig.ctl.state("node-1") == "synced")

    def test_damaged_cache_is_not_served(self):
        rig.wait_for("the node to be in step", lambda: self.rig.ctl.state("node-1") == "synced")
        self.proxy.stop()
        files = [os.path.join(folder, name) for folder, _, names in os.walk(self.proxy.state)
                 for name in names
                 if name != "seal.key" and os.path.isfile(os.path.join(folder, name))]
        self.assertTrue(files)
        for path in files:
            size = os.path.getsize(path)
            with open(path, "r+b") as f:
                f.seek(size // 2)
                f.write(b"\xff\x00\xff damaged \xff")
                f.truncate(max(size - 3, 0))
        self.proxy.start()
        # The controller has it whole.
        rig.wait_for("service", self.serves)
        rig.wait_for("the node to be in step", lambda: self.rig.ctl.state("node-1") == "synced")

    def test_keys_on_disk_are_readable_by_the_owner_alone(self):
        for folder, _, names in os.walk(self.proxy.state):
            for name in names:
                mode = os.stat(os.path.join(folder, name)).st_mode & 0o077
                self.assertEqual(mode, 0, name)

    def test_a_lost_controller_disk_drops_no_route(self):
        import shutil
        self.rig.controller.kill()
        shutil.rmtree(self.rig.controller.data)
        self.rig.controller.start()
        self.rig.wait_nodes("node-1")
        self.assertTrue(self.serves())
        self.rig.apply(self.document)
        self.assertTrue(self.serves())


if __name__ == "__main__":
    rig.main()
