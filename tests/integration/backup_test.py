#!/usr/bin/python3
"""A backup of a working controller, and proxies that come back to what it holds."""
import os
import shutil
import threading
import unittest  # noqa: F401

import _path  # noqa: F401
import load
import rig


class BackupTest(rig.FleetTest):
    nodes = 2

    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()
        cls.backend = cls.rig.nginx("a")

    @classmethod
    def version(cls, text):
        return rig.document(rig.service(cls.port, [
            rig.route("version", path_prefix="/version", respond={"status": 200, "body": text}),
            rig.route("all", [cls.backend])]))

    def served(self):
        return [self.get("/version", at=p.host).body.decode() for p in self.rig.proxies]

    def synced(self):
        return all(self.rig.ctl.state(p.node) == "synced" for p in self.rig.proxies)

    def restore(self, path, *args, code=0):
        return self.rig.ctl("restore", path, "--data-dir", self.rig.controller.data, *args, code=code)

    def test_an_older_backup_brings_the_fleet_back_without_hurting_traffic(self):
        r, path = self.rig, self.rig.path("backup")
        r.apply(self.version("one"))
        applied = [r.ctl.revision()]
        busy = threading.Event()

        def keep_applying():
            while not busy.is_set():
                r.ctl("apply", "-f", r.write(self.version("one")))

        worker = threading.Thread(target=keep_applying)
        worker.start()
        done = r.ctl("backup", path)
        busy.set()
        worker.join()
        self.assertIn("keep a copy of that key apart", done.stdout)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        for text in ("two", "three"):
            r.apply(self.version(text))
            applied.append(r.ctl.revision())
        self.assertEqual(self.served(), ["three"] * 2)
        before = rig.pick(r.ctl.status(), "version")

        # A controller that runs is not restored under; one that ended only by force.
        self.assertIn("in use", self.restore(path, "--force", code=1).stderr)
        with load.Steady(self.proxy.host, self.port, threads=2) as traffic:
            r.controller.kill()
            self.assertIn("not empty", self.restore(path, code=1).stderr)
            self.assertIn("which is in " + r.controller.data,
                          self.restore(path, "--force").stdout)
            r.controller.start()
            rig.wait_for("the restored version", lambda: self.served() == ["one"] * 2)
            rig.wait_for("the nodes to be in step", self.synced)
        self.assertEqual(traffic.failures, [])
        self.assertGreater(traffic.ok, 0)
        self.assertEqual(traffic.refused, 0)

        after = rig.pick(r.ctl.status(), "version")
        self.assertGreater(int(rig.pick(after, "epoch")), int(rig.pick(before, "epoch")))
        self.assertEqual(int(rig.pick(after, "revision")), applied[0])
        self.assertIn("restore", r.ctl("audit").stdout)
        # The next version has a number that the nodes have seen before, with other content.
        r.apply(self.version("four"))
        self.assertEqual(r.ctl.revision(), applied[1])
        self.assertEqual(self.served(), ["four"] * 2)
        for proxy in r.proxies:
            has = rig.pick(r.ctl.node(proxy.node), "version")
            self.assertEqual(has, rig.pick(r.ctl.status(), "version"))

    def test_a_controller_that_lost_its_disk_starts_from_a_backup(self):
        r, path = self.rig, self.rig.path("disk")
        r.apply(self.version("kept"))
        r.ctl("backup", path)
        key = shutil.copy(os.path.join(r.controller.data, "seal.key"), r.path("kept.key"))
        r.controller.kill()
        shutil.rmtree(r.controller.data)
        os.mkdir(r.controller.data)
        shutil.copy(key, os.path.join(r.controller.data, "seal.key"))
        self.restore(path)
        r.controller.start()
        rig.wait_for("the nodes to be in step", self.synced)
        self.assertEqual(self.served(), ["kept"] * 2)
        # The same root under another epoch: nothing was sent again.
        for proxy in r.proxies:
            sent = int(rig.pick(r.ctl.node(proxy.node), "snapshot_bytes_sent") or 0)
            self.assertLessEqual(sent, 1024)

    def test_damaged_files_are_refused_by_name(self):
        r, path = self.rig, self.rig.path("whole")
        r.apply(self.version("refusals"))
        r.ctl("backup", path)
        with open(path, "rb") as f:
            whole = f.read()
        target = self.rig.path("elsewhere")
        for name, content, word in (("cut", whole[:-100], "checksum"),
                                    ("altered", whole[:5000] + b"!" + whole[5001:], "checksum"),
                                    ("foreign", b"PK\x03\x04" + whole, "no backup"),
                                    ("newer", whole.replace(b"backup 1", b"backup 7", 1), "newer")):
            with self.subTest(name):
                bad = self.rig.path(name)
                with open(bad, "wb") as f:
                    f.write(content)
                done = r.ctl("restore", bad, "--data-dir", target, code=1)
                self.assertIn(name, done.stderr)
                self.assertIn(word, done.stderr)
                self.assertFalse(os.path.exists(os.path.join(target, "sluice.db")))

    def test_a_backup_that_fails_leaves_the_one_before(self):
        r, path = self.rig, self.rig.path("kept")
        r.ctl("backup", path)
        with open(path, "rb") as f:
            before = f.read()
        r.ctl("backup", path, controller=f"127.0.0.1:{r.port()}", code=4)
        with open(path, "rb") as f:
            self.assertEqual(f.read(), before)
        self.assertEqual([n for n in os.listdir(r.dir) if n.startswith(".kept")], [])


class TrustedFleetBackupTest(unittest.TestCase):
    def setUp(self):
        self.rig = rig.Rig()
        self.addCleanup(self.rig.close)

    def test_a_fleet_knows_its_controller_again(self):
        r, path = self.rig, self.rig.path("backup")
        controller = r.start_controller(insecure=False)
        proxy = r.start_proxy("node-1", token=r.ctl("token", "create").stdout)
        r.wait_nodes("node-1")
        unused = r.ctl("token", "create").stdout
        port = r.port()
        r.apply(rig.document(rig.service(port, [
            rig.route("all", path_prefix="/", respond={"status": 200, "body": "kept"})])))
        r.ctl("backup", path)
        with open(path, "rb") as f:
            content = f.read()
        kept = {}
        for name in ("seal.key", "trust/ca.crt", "operator/operator.pem"):
            with open(os.path.join(controller.data, name), "rb") as f:
                kept[name] = f.read()
        self.assertNotIn(kept["seal.key"].strip(), content)
        self.assertNotIn(b"PRIVATE KEY", content)
        self.assertIn(kept["trust/ca.crt"], content)

        controller.kill()
        shutil.rmtree(controller.data)
        restore = ("restore", path, "--data-dir", controller.data)
        self.assertIn("in no backup", r.ctl(*restore, credentials=[]).stdout)
        controller.start(ready=False)
        self.assertEqual(controller.wait(), 1)
        self.assertIn("was sealed with a key", controller.output())
        seal_key = os.path.join(controller.data, "seal.key")
        with open(seal_key, "w") as out:
            out.write("0" * 64)
        self.assertIn("is another", r.ctl(*restore, "--force", code=None, credentials=[]).stdout)
        with open(seal_key, "wb") as out:
            out.write(kept["seal.key"])
        controller.start()

        # The same CA, a credential made anew, the same nodes; who had not joined needs a new token.
        with open(os.path.join(controller.data, "trust/ca.crt"), "rb") as f:
            self.assertEqual(f.read(), kept["trust/ca.crt"])
        rig.wait_for("the node to be back", lambda: r.ctl.state("node-1") == "synced")
        self.assertEqual(r.ctl.node("node-1")["version"]["root"],
                         rig.pick(r.ctl.status(), "version")["root"])
        late = r.start_proxy("node-2", "127.0.0.2", token=unused)
        late.wait_log("revoked")
        late.stop()
        self.assertTrue(proxy.running())


if __name__ == "__main__":
    rig.main()
