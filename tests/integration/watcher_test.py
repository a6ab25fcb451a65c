#!/usr/bin/python3
"""A controller that watches a file or a directory: what editors, copies and accidents do to it."""
import os
import shutil
import subprocess
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import rig
import yamlish


class WatcherTest(rig.FleetTest):
    nodes = 0

    @classmethod
    def prepare(cls):
        """Each test starts its own controller."""

    @classmethod
    def setUpClass(cls):
        cls.rig = rig.Rig()

    def setUp(self):
        super().setUp()
        name = self._testMethodName
        self.port = self.rig.port()
        self.folder = self.rig.path(name)
        os.makedirs(self.folder)
        self.file = os.path.join(self.folder, "sluice.yaml")
        self.name = name

    def watch(self, path):
        self.put("zero")
        self.controller = self.rig.start_controller("c-" + self.name, config=path)
        self.proxy = self.rig.start_proxy("p-" + self.name, "127.0.0.1")
        rig.wait_for("the first version", lambda: self.served() == "zero")

    def text(self, body):
        return yamlish.dump(rig.document(rig.service(self.port, [
            rig.route("v", path_prefix="/v", respond={"status": 200, "body": body})])))

    def put(self, body, file=None):
        with open(file or self.file, "w") as out:
            out.write(self.text(body))

    def served(self):
        return self.get("/v").body.decode()

    def expect(self, body):
        rig.wait_for(f"version {body}", lambda: self.served() == body)

    def source(self):
        return rig.pick(self.rig.ctl.status(), "source") or {}

    def source_ok(self):
        return bool(rig.pick(self.source(), "ok"))

    def tearDown(self):
        self.proxy.stop()
        self.controller.stop()

    def test_written_in_place(self):
        self.watch(self.file)
        for i in range(3):
            self.put(f"in-place-{i}")
            self.expect(f"in-place-{i}")

    def test_replaced_by_rename_as_editors_do(self):
        self.watch(self.file)
        for i in range(3):
            # vim: the old one becomes a backup, a new one takes its name.
            os.rename(self.file, self.file + "~")
            self.put(f"vim-{i}")
            self.expect(f"vim-{i}")
            # Others: write a temporary file, rename it over.
            self.put(f"rename-{i}", self.file + ".tmp")
            os.replace(self.file + ".tmp", self.file)
            self.expect(f"rename-{i}")

    def test_symlink_swapped_as_kubernetes_does(self):
        for name in ("one", "two"):
            os.makedirs(os.path.join(self.folder, name))
            self.put(name, os.path.join(self.folder, name, "sluice.yaml"))
        data = os.path.join(self.folder, "..data")
        os.symlink("one", data)
        os.symlink("..data/sluice.yaml", os.path.join(self.folder, "link.yaml"))
        self.controller = self.rig.start_controller("c-" + self.name,
                                                    config=os.path.join(self.folder, "link.yaml"))
        self.proxy = self.rig.start_proxy("p-" + self.name, "127.0.0.1")
        self.expect("one")
        os.symlink("two", data + ".new")
        os.replace(data + ".new", data)
        self.expect("two")

    def test_half_written_then_completed(self):
        self.watch(self.file)
        text = self.text("whole")
        with open(self.file, "w") as out:
            out.write(text[:len(text) // 2] + "\n  : [")
            out.flush()
            rig.wait_for("the problem to show", lambda: not self.source_ok())
            self.assertEqual(self.served(), "zero")
            shown = self.rig.ctl("status").stdout
            self.assertIn("sluice.yaml", shown)
            out.seek(0)
            out.truncate()
            out.write(text)
        self.expect("whole")
        rig.wait_for("the problem to go", self.source_ok)

    def test_vanished_and_back(self):
        self.watch(self.file)
        os.rename(self.file, self.file + ".away")
        rig.wait_for("the problem to show", lambda: not self.source_ok())
        self.assertEqual(self.served(), "zero")
        self.put("back")
        self.expect("back")
        rig.wait_for("the problem to go", self.source_ok)

    def test_errors_are_shown_with_their_place(self):
        self.watch(self.file)
        with open(self.file, "w") as out:
            out.write(self.text("x").replace("path_prefix", "path_prefx"))
        rig.wait_for("the problem to show", lambda: not self.source_ok())
        problems = rig.pick(self.source(), "problems")
        self.assertTrue(problems)
        self.assertGreater(int(rig.pick(problems[0], "line")), 1)
        self.assertIn("path_prefix", str(problems))
        self.assertEqual(self.served(), "zero")

    def test_directory_is_merged_in_name_order(self):
        self.watch(self.folder)
        second = self.rig.port()
        with open(os.path.join(self.folder, "20-more.yaml"), "w") as out:
            out.write(yamlish.dump(rig.document(rig.service(second, [
                rig.route("w", path_prefix="/", respond={"status": 200, "body": "more"})], name="more"))))
        rig.wait_for("the second file's service", lambda: self.get("/", port=second).body == b"more")
        self.assertEqual(self.served(), "zero")
        os.unlink(os.path.join(self.folder, "20-more.yaml"))

        def gone():
            try:
                self.get("/", port=second)
            except OSError:
                return True
            return False
        # One of two services is half: not below the guard.
        rig.wait_for("its going", gone)

    def test_unchanged_content_makes_no_version(self):
        self.watch(self.file)
        before = self.rig.ctl.revision()
        self.put("zero")
        os.utime(self.file, (1, 1))
        self.put("next")
        self.expect("next")
        self.assertEqual(self.rig.ctl.revision(), before + 1)

    def test_a_staple_is_renewed_by_replacing_its_file(self):
        """The configuration stays as it is: the files it names are watched with it."""
        authority = self.rig.cert("ca-" + self.name)
        site = self.rig.cert("site-" + self.name, ["a.test"], issuer=authority)
        staple, tls_port = os.path.join(self.rig.dir, "site.ocsp"), self.rig.port()
        certs.ocsp_response(site, authority, staple)
        answer = rig.route("v", path_prefix="/v", respond={"status": 200, "body": "zero"})
        text = yamlish.dump(rig.document(
            rig.service(self.port, [answer]),
            rig.service(tls_port, [answer], name="tls",
                        tls={"enabled": True, "cert_path": site.cert, "key_path": site.key,
                             "ocsp_path": staple})))
        with open(self.file, "w") as out:
            out.write(text)
        self.controller = self.rig.start_controller("c-" + self.name, config=self.file)
        self.proxy = self.rig.start_proxy("p-" + self.name, "127.0.0.1")

        def stapled():
            """When the response that is sent was made to end, as openssl shows it; None without one."""
            shown = subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{tls_port}", "-servername", "a.test",
                 "-status"], input="", capture_output=True, text=True, timeout=rig.DEADLINE).stdout
            ends = [line for line in shown.splitlines() if "Next Update:" in line]
            return ends[0].strip() if ends else None
        first = rig.wait_for("the first response", stapled)
        before = self.rig.ctl.revision()
        certs.ocsp_response(site, authority, staple + ".new", days=30)
        os.replace(staple + ".new", staple)
        rig.wait_for("the new response", lambda: stapled() not in (None, first))
        self.assertEqual(self.rig.ctl.revision(), before + 1)
        self.assertEqual(self.served(), "zero")

    def test_whole_directory_replaced(self):
        self.watch(self.folder)
        fresh = self.folder + ".new"
        os.makedirs(fresh)
        self.put("fresh", os.path.join(fresh, "sluice.yaml"))
        os.rename(self.folder, self.folder + ".old")
        os.rename(fresh, self.folder)
        self.expect("fresh")
        shutil.rmtree(self.folder + ".old")


if __name__ == "__main__":
    rig.main()
