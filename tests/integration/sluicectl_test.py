#!/usr/bin/python3
"""Every verb of sluicectl against a live fleet, and its exit codes."""
import json
import os
import re
import subprocess
import unittest  # noqa: F401

import _path  # noqa: F401
import fleet
import rig
import yamlish


class SluicectlTest(rig.FleetTest):
    nodes = 2

    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()
        cls.backend = cls.rig.nginx("a")
        site = cls.rig.cert("site", ["a.test"])
        cls.site = site
        cls.base = rig.document(
            rig.service(cls.port, [rig.route("version", path_prefix="/version",
                                             respond={"status": 200, "body": "base"}),
                                   rig.route("all", [cls.backend], "main")]),
            rig.service(cls.rig.port(), [rig.route("tls", [cls.backend], "main")], name="tls",
                        tls={"enabled": True, "cert_path": site.cert, "key_path": site.key}))
        cls.rig.apply(cls.base, "-m", "the base")
        cls.ctl = cls.rig.ctl

    def version(self, text):
        document = json.loads(json.dumps(self.base))
        document["services"][0]["routes"][0]["respond"]["body"] = text
        return document

    def test_help_and_version(self):
        for program in ("sluicectl", "sluice-controller", "sluice-proxy"):
            for flag in ("--help", "--version"):
                done = subprocess.run([os.path.join(fleet.BIN, program), flag], capture_output=True,
                                      text=True, timeout=rig.DEADLINE)
                self.assertEqual(done.returncode, 0, program + flag)
                self.assertTrue(done.stdout.strip())
        self.assertRegex(self.ctl("version").stdout, r"\d+\.\d+\.\d+")

    def test_wrong_usage_is_2(self):
        for args in ((), ("no-such-verb",), ("apply",), ("get", "nonsense"), ("rollback", "--to", "x"),
                     ("status", "--no-such-flag"), ("-o", "xml", "status")):
            with self.subTest(args=args):
                self.assertEqual(self.ctl(*args, code=None).returncode, 2)

    def test_unreachable_controller_is_4(self):
        nobody = f"127.0.0.1:{self.rig.port()}"
        for args in (("status",), ("apply", "-f", self.rig.write(self.base)), ("get", "nodes")):
            with self.subTest(args=args):
                done = self.ctl(*args, code=4, controller=nobody)
                self.assertIn(nobody, done.stderr)

    def test_validate(self):
        self.ctl("validate", "-f", self.rig.write(self.base))
        bad = yamlish.dump(self.base).replace("path_prefix", "path_prefx").replace("upstreams", "upstream", 1)
        path = self.rig.write(bad, "bad.yaml")
        done = self.ctl("validate", "-f", path, code=1)
        text = done.stdout + done.stderr
        self.assertRegex(text, r"bad\.yaml:\d+:\d+: error: \S+: .*path_prefix")
        self.assertGreaterEqual(len(re.findall(r"bad\.yaml:\d+:\d+: error", text)), 2)
        told = json.loads(self.ctl("-o", "json", "validate", "-f", path, code=1).stdout)
        self.assertIn("path_prefix", str(told))

    def test_validate_needs_no_controller(self):
        nobody = f"127.0.0.1:{self.rig.port()}"
        self.ctl("validate", "-f", self.rig.write(self.base), controller=nobody)

    def test_tests_in_the_document_run(self):
        good = {**self.base, "tests": [{"name": "the rest", "expect": {"route": "all"},
                                        "request": {"url": f"http://a.test:{self.port}/x"}}]}
        bad = {**self.base, "tests": [{"name": "wrong", "expect": {"route": "all"},
                                       "request": {"url": f"http://a.test:{self.port}/version"}}]}
        self.assertIn("1 test run", self.ctl("validate", "-f", self.rig.write(good)).stdout)
        self.assertIn("wrong", self.ctl("validate", "-f", self.rig.write(bad), code=1).stdout)
        revision = self.ctl.revision()
        self.rig.apply(bad, code=1)
        self.assertEqual(self.ctl.revision(), revision)

    def test_apply_wait_ends_with_a_line_to_trust(self):
        done = self.rig.apply(self.version("line"), "-m", "a line")
        self.assertRegex(done.stdout.strip().splitlines()[-1],
                         rf"^version {self.ctl.revision()}\b.* effective on 2 of 2 nodes in [\d.]+ ?m?s$")
        for proxy in self.rig.proxies:
            self.assertEqual(self.get("/version", at=proxy.host).body, b"line")

    def test_apply_unchanged_says_so(self):
        self.rig.apply(self.version("same"))
        revision = self.ctl.revision()
        done = self.rig.apply(self.version("same"))
        self.assertRegex(done.stdout + done.stderr, "^unchanged: version")
        self.assertEqual(self.ctl.revision(), revision)

    def test_apply_from_standard_input(self):
        self.ctl("apply", "-f", "-", "--wait", stdin=yamlish.dump(self.version("stdin")))
        self.assertEqual(self.get("/version").body, b"stdin")

    def test_if_version(self):
        self.rig.apply(self.version("if-1"))
        revision = self.ctl.revision()
        self.rig.apply(self.version("if-2"), "--if-version", revision)
        done = self.rig.apply(self.version("if-3"), "--if-version", revision, code=1)
        self.assertIn(str(revision + 1), done.stdout + done.stderr)
        self.assertEqual(self.get("/version").body, b"if-2")

    def test_dry_run_on_the_server(self):
        self.rig.apply(self.version("dry-0"))
        revision = self.ctl.revision()
        self.ctl("apply", "-f", self.rig.write(self.version("dry-1")), "--dry-run=server")
        self.assertEqual(self.ctl.revision(), revision)
        self.assertEqual(self.get("/version").body, b"dry-0")

    def test_invalid_apply_is_1_and_publishes_nothing(self):
        revision = self.ctl.revision()
        done = self.ctl("apply", "-f", self.rig.write("services: [{name: 1\n", "broken.yaml"), "--wait",
                        code=1)
        self.assertIn("broken.yaml:", done.stdout + done.stderr)
        self.assertEqual(self.ctl.revision(), revision)
        self.ctl("apply", "-f", self.rig.path("not-there.yaml"), code=1)

    def test_diff(self):
        self.rig.apply(self.version("diff-old"))
        done = self.ctl("diff", "-f", self.rig.write(self.version("diff-new")))
        self.assertIn("diff-old", done.stdout)
        self.assertIn("diff-new", done.stdout)
        same = self.ctl("diff", "-f", self.rig.write(self.version("diff-old")))
        self.assertNotIn("diff-old", same.stdout)

    def test_get(self):
        for what, name in (("nodes", "node-1"), ("services", "web"), ("routes", "version"),
                           ("upstreams", "main"), ("certificates", "site"), ("versions", "the base")):
            with self.subTest(what=what):
                self.assertIn(name, self.ctl("get", what).stdout)
                self.assertIn(name, self.ctl("-o", "wide", "get", what).stdout)
                self.assertTrue(json.loads(self.ctl("-o", "json", "get", what).stdout))
                self.assertTrue(self.ctl("-o", "yaml", "get", what).stdout.strip())

    def test_describe(self):
        self.assertIn("node-1", self.ctl("describe", "node", "node-1").stdout)
        self.assertIn(self.backend.address, self.ctl("describe", "upstream", "main").stdout)
        self.assertTrue(self.ctl("describe", "version", self.ctl.revision()).stdout.strip())
        for args in (("node", "nobody"), ("upstream", "nothing"), ("version", "99999")):
            self.ctl("describe", *args, code=1)

    def test_status(self):
        text = self.ctl("status").stdout
        self.assertIn("node-1", text)
        self.assertIn("node-2", text)
        self.assertRegex(text, "(?i)synced")
        self.assertNotIn("\x1b[", text, "colours are for terminals")

    def test_watch_shows_changes(self):
        argv = [os.path.join(fleet.BIN, "sluicectl"), "--controller", self.rig.controller.grpc,
                "--insecure", "-o", "json", "status", "--watch"]
        out = self.rig.path("watch.out")
        with open(out, "w") as f:
            watcher = subprocess.Popen(argv, stdout=f, stderr=subprocess.DEVNULL,
                                       stdin=subprocess.DEVNULL)
        try:
            def shown(text):
                with open(out) as f:
                    return text in f.read()
            rig.wait_for("the first picture", lambda: shown("node-1"))
            self.rig.apply(self.version("watched"), "-m", "seen by the watcher")
            rig.wait_for("the change", lambda: shown("seen by the watcher"))
        finally:
            watcher.terminate()
            watcher.wait(rig.DEADLINE)

    def test_history_and_rollback(self):
        self.rig.apply(self.version("old"), "-m", "old one")
        old = self.ctl.revision()
        self.rig.apply(self.version("new"), "-m", "new one")
        history = self.ctl("history").stdout
        self.assertLess(history.index("new one"), history.index("old one"))
        self.ctl("rollback", "--wait")
        self.assertEqual(self.get("/version").body, b"old")
        self.rig.apply(self.version("newer"))
        self.ctl("rollback", "--to", old, "--wait")
        self.assertEqual(self.get("/version").body, b"old")
        self.assertEqual(self.ctl.revision(), old + 4)
        self.ctl("rollback", "--to", "99999", code=1)

    def test_explain(self):
        text = self.ctl("explain", "GET", f"http://a.test:{self.port}/versions").stdout
        self.assertIn("all", text)
        self.assertIn("version", text)
        self.assertIn(self.backend.address, text)
        told = self.ctl.json("explain", "GET", f"http://a.test:{self.port}/version")
        self.assertEqual(rig.pick(told, "route"), "version")
        self.assertEqual(int(rig.pick(told, "status")), 200)

    def test_drain_of_unknown_node_is_1(self):
        self.ctl("node", "drain", "nobody", code=1)
        self.ctl("node", "remove", "node-1", code=1)  # It is connected.

    def test_completion_parses(self):
        for shell in ("bash",):
            script = self.ctl("completion", shell).stdout
            done = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        for shell in ("zsh", "fish"):
            self.assertIn("sluicectl", self.ctl("completion", shell).stdout)
        self.ctl("completion", "tcsh", code=2)

    def test_flags_from_the_environment(self):
        done = subprocess.run([os.path.join(fleet.BIN, "sluicectl"), "status"], capture_output=True,
                              text=True, timeout=rig.DEADLINE,
                              env={**os.environ, "SLUICECTL_CONTROLLER": self.rig.controller.grpc,
                                   "SLUICECTL_INSECURE": "true"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("node-1", done.stdout)


class PlainTextTest(unittest.TestCase):
    def test_insecure_is_refused_off_loopback(self):
        with_rig = rig.Rig()
        self.addCleanup(with_rig.close)
        done = subprocess.run(
            [os.path.join(fleet.BIN, "sluice-controller"), "--data-dir", with_rig.path("d"),
             "--grpc-address", f"0.0.0.0:{with_rig.port()}", "--insecure"],
            capture_output=True, text=True, timeout=rig.DEADLINE, stdin=subprocess.DEVNULL)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("insecure", done.stderr + done.stdout)


if __name__ == "__main__":
    rig.main()
