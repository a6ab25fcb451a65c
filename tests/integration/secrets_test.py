#!/usr/bin/python3
"""Private keys are shown nowhere, and nobody gets at those of the controller by what he applies."""
import os
import shutil
import subprocess
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import fleet
import h1
import rig
from sealing_test import secrets_of

GETS = ("nodes", "services", "routes", "upstreams", "certificates", "versions")
PAGES = ("/", "/config", "/clusters", "/listeners", "/connections", "/stats", "/metrics",
         "/explain?method=GET&url=http://a.test/")


def serving(port, cert_path, key_path, **tls):
    return rig.document(rig.service(
        port, [rig.route("all", path_prefix="/", respond={"status": 200, "body": "x"})],
        tls={"enabled": True, "cert_path": cert_path, "key_path": key_path, **tls}))


def presented(port):
    with h1.Client("127.0.0.1", port, tls=certs.client_context(), server_name="a.test") as client:
        return client.sock.getpeercert(binary_form=True)


class ShownNowhereTest(unittest.TestCase):
    def test_planted_keys_are_shown_nowhere(self):
        self.rig = rig.Rig()
        self.addCleanup(self.rig.close)
        controller = self.rig.start_controller(insecure=False, args=["--log-level", "trace"])
        proxy = self.rig.start_proxy("node-1", token=self.rig.ctl("token", "create").stdout)
        self.rig.wait_nodes("node-1")
        self.rig.ctl("node", "log-level", "node-1", "trace")
        site, other = (self.rig.cert(name, ["a.test"]) for name in ("site", "other"))
        secrets = [line.decode("latin-1") for pair in (site, other)
                   for line in secrets_of(pair.key)[:-1]]
        combined = self.rig.path("combined.pem")  # As many keep them, for cert_path and key_path.
        with open(combined, "w") as out:
            for part in (site.key, site.cert):
                with open(part) as f:
                    out.write(f.read())
        port = self.rig.port()
        self.rig.apply(serving(port, other.cert, other.key))
        document = self.rig.write(serving(port, combined, combined,
                                          client_auth={"ca_path": combined, "mode": "optional"}))
        ctl = self.rig.ctl
        shown = {}

        def run(*args):
            done = ctl(*args, code=None)
            self.assertIn(done.returncode, (0, 1), done.stderr)
            shown["sluicectl " + " ".join(args)] = done.stdout + done.stderr
        run("validate", "-f", document)
        run("diff", "-f", document)
        run("-o", "json", "apply", "-f", document, "--wait")
        self.assertTrue(presented(port))
        for output in ("wide", "json", "yaml"):
            for kind in GETS:
                run("-o", output, "get", kind)
            run("-o", output, "describe", "version", "1")
            run("-o", output, "describe", "version", "2")
            run("-o", output, "describe", "node", "node-1")
            for verb in ("status", "history", "audit"):
                run("-o", output, verb)
            run("-o", output, "explain", "GET", "https://a.test/", "--node", "node-1")
        for what in ("config", "clusters", "listeners", "connections", "stats"):
            run("node", "dump", "node-1", what)
        for page in PAGES:
            shown["proxy " + page] = fleet.http_get(proxy.admin, page)[2].decode("latin-1")
        shown["controller /metrics"] = controller.metrics()
        for part in (controller, proxy):
            shown["log of " + part.name] = part.output()
        self.assertIn("combined.pem", shown["sluicectl -o json get certificates"])
        for where, text in shown.items():
            self.assertNotIn("PRIVATE KEY", text, where)
            for secret in secrets:
                self.assertNotIn(secret, text, where)


class FilesOfTheControllerTest(unittest.TestCase):
    def test_who_may_apply_does_not_get_at_the_controllers_own_keys(self):
        self.rig = rig.Rig()
        self.addCleanup(self.rig.close)
        controller = self.rig.start_controller(insecure=False)
        folder = os.path.join(controller.data, "operator")
        token = self.rig.path("bob.token")
        with open(token, "w") as out:
            out.write(self.rig.ctl("token", "create", "--role", "operator", "--name", "bob").stdout)
        credentials = ["--tls-ca", os.path.join(folder, "ca.crt"), "--token-file", token]
        link = self.rig.path("link")
        os.symlink(folder, link)
        for place in (folder, link):
            own = os.path.join(place, "operator.pem")
            # sluicectl sends along what it can read; on another machine it could not read this, nor
            # can it from another working directory.
            hidden = "/proc/self/cwd/" + os.path.relpath(own, self.rig.dir)
            document = self.rig.write(serving(self.rig.port(), hidden, hidden))
            for verb in ("apply", "diff"):
                with self.subTest(own=own, verb=verb):
                    done = subprocess.run(
                        [os.path.join(fleet.BIN, "sluicectl"), "--controller", controller.grpc,
                         *credentials, verb, "-f", document],
                        cwd="/", capture_output=True, text=True, timeout=60)
                    self.assertEqual(done.returncode, 1, done.stdout)
                    self.assertIn("the controller's own folder", done.stdout + done.stderr)
        self.assertEqual(self.rig.ctl.revision(), 0)


class ReplacedFilesTest(unittest.TestCase):
    def test_a_replaced_pair_is_rolled_out_once_it_fits(self):
        self.rig = rig.Rig()
        self.addCleanup(self.rig.close)
        first, second = (self.rig.cert(name, ["a.test"]) for name in ("first", "second"))
        port = self.rig.port()
        config = self.rig.write(serving(port, first.cert, first.key), "sluice.yaml")
        self.rig.start_controller(config=config)
        self.rig.start_proxy("node-1")
        rig.wait_for("the first certificate", lambda: presented(port))
        before = presented(port)
        shutil.copy(second.cert, first.cert + ".new")
        os.replace(first.cert + ".new", first.cert)
        rig.wait_for("the problem to show",
                     lambda: "does not belong to the certificate" in self.rig.ctl("status").stdout)
        self.assertEqual(self.rig.ctl.revision(), 1)
        self.assertEqual(presented(port), before)
        shutil.copy(second.key, first.key + ".new")
        os.replace(first.key + ".new", first.key)
        rig.wait_for("the second certificate", lambda: presented(port) != before)
        rig.wait_for("the version to be current", lambda: self.rig.ctl.revision() == 2)


if __name__ == "__main__":
    rig.main()
