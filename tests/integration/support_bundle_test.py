#!/usr/bin/python3
"""sluicectl support-bundle: all that a report needs, nothing that is secret."""
import json
import os
import stat
import tarfile
import unittest  # noqa: F401

import _path  # noqa: F401
import rig
import yamlish

PLANTED = "hunter2"  # In every secret.


class SupportBundleTest(rig.FleetTest):
    nodes = 3
    insecure = False

    @classmethod
    def prepare(cls):
        cls.site = cls.rig.cert("site", ["a.test"])
        folder = cls.rig.controller.data
        with open(os.path.join(folder, "seal.key")) as f:
            seal_key = f.read().strip()
        tokens = [cls.rig.ctl("token", "create").stdout.strip(),
                  cls.rig.ctl("token", "create", "--role", "admin", "--name", "ann").stdout.strip()]
        operator = os.path.join(folder, "operator", "operator.pem")
        # What must be found nowhere, and lies in comments, in a message, in what is served.
        cls.secrets = [seal_key, *(token.split(".")[2] for token in tokens),
                       *cls.key_lines(cls.site.key), *cls.key_lines(operator)]
        backend = cls.rig.nginx("a")
        document = yamlish.dump(rig.document(rig.service(
            cls.rig.port(), [
                rig.route("answer", path_prefix="/answer", respond={
                    "status": 200, "body": f"Authorization: Bearer {PLANTED}{PLANTED}"}),
                rig.route("token", path_prefix="/token", respond={"status": 200, "body": tokens[0]}),
                rig.route("all", [backend], "main")],
            tls={"enabled": True, "cert_path": cls.site.cert, "key_path": cls.site.key})))
        comments = [f"password: {PLANTED}", f"see http://ann:{PLANTED}@host/", tokens[1],
                    f"SLUICE_CONTROLLER_SEAL_KEY={seal_key}"]
        for path in (cls.site.key, operator):
            with open(path) as f:
                comments += f.read().splitlines()
        comments += ["sluice sealed 1", PLANTED]
        cls.source = document + "".join(f"# {line}\n" for line in comments)
        cls.rig.apply(cls.source, "-m", f"new token={PLANTED} and {tokens[1]}")

    @staticmethod
    def key_lines(path):
        """Of the private key in a file that may have certificates, too."""
        lines, inside = [], False
        with open(path) as f:
            for line in f.read().splitlines():
                if line.startswith("-----"):
                    inside = line.startswith("-----BEGIN") and "PRIVATE KEY" in line
                elif inside and len(line) > 20:  # The last may be next to nothing.
                    lines.append(line)
        return lines

    def bundle(self, *args, **options):
        path = self.rig.path("bundle.tar.gz")
        done = self.rig.ctl("support-bundle", "--file", path, *args, **options)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        files = {}
        with tarfile.open(path) as archive:
            for member in archive:
                self.assertTrue(member.isfile())
                folder, name = member.name.split("/", 1)
                self.assertRegex(folder, r"^sluice-support-\d{8}-\d{6}$")
                files[name] = archive.extractfile(member).read().decode()
        self.assert_no_secret({**files, "output": done.stdout + done.stderr})
        return done.stdout, files

    def assert_no_secret(self, texts):
        for name, text in texts.items():
            self.assertNotIn(PLANTED, text, name)
            self.assertNotIn("PRIVATE KEY-----", text, name)
            for secret in self.secrets:
                self.assertNotIn(secret, text, name)

    def test_holds_everything_but_secrets(self):
        gone = self.rig.proxies[2]
        gone.kill()
        rig.wait_for("node-3 to be missed", lambda: self.rig.ctl.state("node-3") == "unreachable")
        output, files = self.bundle()
        self.assertIn("missing: dumps of node node-3", output)
        self.assertIn("dumps of node node-3", files["README.txt"])
        for name in ("status.json", "status.txt", "history.json", "audit.json", "config.json",
                     "controller/metrics.txt", "controller/build.txt", "controller/problems.txt",
                     "nodes/node-3/status.json",
                     *(f"nodes/node-{i}/{what}.json" for i in (1, 2)
                       for what in ("config", "clusters", "listeners", "stats", "status"))):
            self.assertIn(name, files)
        for name, content in files.items():
            if name.endswith(".json"):
                json.loads(content)
        # What is no secret is still there, on its line.
        document = next(v for k, v in files.items() if k.startswith("document/"))
        self.assertIn("cert_path", document)
        self.assertEqual(len(document.splitlines()), len(self.source.splitlines()))
        self.assertIn("sluice_controller_certificate_not_after_seconds{", files["controller/metrics.txt"])
        self.assertIn("new token=[redacted]", files["history.json"])
        self.assertIn("Fleet:", files["status.txt"])

    def test_a_viewer_has_one_without_the_audit_log(self):
        path = self.rig.path("eve.token")
        with open(path, "w") as out:
            out.write(self.rig.ctl("token", "create", "--role", "viewer", "--name", "eve").stdout)
        ca = os.path.join(self.rig.controller.data, "operator", "ca.crt")
        output, files = self.bundle("--node", "node-1",
                                    credentials=["--tls-ca", ca, "--token-file", path])
        self.assertIn("missing: the audit log: eve (viewer) may not do this", output)
        self.assertIn("missing: the controller's last errors: they need the role operator", output)
        self.assertIn("the controller's last errors", files["README.txt"])
        self.assertNotIn("audit.json", files)
        self.assertNotIn("controller/problems.txt", files)
        for name in ("config.json", "controller/metrics.txt", "nodes/node-1/config.json"):
            self.assertIn(name, files)

    def test_takes_the_nodes_that_are_named(self):
        _, files = self.bundle("--node", "node-2")
        self.assertIn("nodes/node-2/stats.json", files)
        self.assertNotIn("nodes/node-1/stats.json", files)

    def test_needs_a_controller(self):
        self.rig.ctl("support-bundle", "--file", self.rig.path("none.tar.gz"), code=4,
                     controller=f"127.0.0.1:{self.rig.port()}")
        self.assertFalse(os.path.exists(self.rig.path("none.tar.gz")))


if __name__ == "__main__":
    rig.main()
