#!/usr/bin/python3
"""Private keys at rest: nothing of them lies open, and the right key is needed to start."""
import base64
import os
import subprocess
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import h1
import rig


def secrets_of(key_file):
    """What must be found nowhere: the lines of the PEM text, and the key's bytes."""
    with open(key_file) as f:
        lines = [line.strip() for line in f if not line.startswith("---")]
    return [line.encode() for line in lines if len(line) > 20] + [
        base64.b64decode("".join(lines))[30:70]]


def files_with(folder, secrets):
    found = []
    for base, _, names in os.walk(folder):
        for name in names:
            if not os.path.isfile(os.path.join(base, name)):
                continue  # A socket.
            with open(os.path.join(base, name), "rb") as f:
                content = f.read()
            if any(secret in content for secret in secrets):
                found.append(os.path.join(base, name))
    return found


class SealingTest(unittest.TestCase):
    def setUp(self):
        self.rig = rig.Rig()
        self.addCleanup(self.rig.close)

    def serve(self, controller_args=(), proxy_args=()):
        self.controller = self.rig.start_controller(args=controller_args)
        self.proxy = self.rig.start_proxy("node-1", args=proxy_args)
        self.rig.wait_nodes("node-1")
        self.port = self.rig.port()
        site = self.rig.cert("site", ["a.test"])
        self.rig.apply(rig.document(rig.service(
            self.port, [rig.route("all", path_prefix="/", respond={"status": 200, "body": "x"})],
            tls={"enabled": True, "cert_path": site.cert, "key_path": site.key})))
        self.assertEqual(self.get(), 200)
        return secrets_of(site.key)

    def get(self):
        with h1.Client("127.0.0.1", self.port, tls=certs.client_context(),
                       server_name="a.test") as client:
            return client.ask(rig.request("/")).status

    def key(self, name):
        path = self.rig.path(name)
        with open(path, "w") as out:
            out.write(os.urandom(32).hex() + "\n")
        return path

    def ends_badly(self, part, why):
        done = subprocess.run(part.argv, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(why, done.stdout + done.stderr)

    def test_planted_keys_are_found_nowhere_and_survive_restarts(self):
        secrets = self.serve()
        for i in range(2):
            for folder in (self.controller.data, self.proxy.state):
                self.assertEqual(files_with(folder, secrets), [])
            # Without its controller the proxy serves what it can unseal.
            self.controller.stop()
            self.proxy.stop()
            self.assertEqual(files_with(self.controller.data, secrets), [])
            self.proxy.start()
            self.assertEqual(self.get(), 200)
            self.controller.start()
            self.rig.wait_nodes("node-1")

    def test_another_key_is_refused_and_nothing_is_lost_by_it(self):
        self.serve(("--seal-key-file", self.key("c.key")), ("--seal-key-file", self.key("p.key")))
        self.controller.stop()
        self.proxy.stop()
        wrong = self.key("wrong.key")
        for part in (self.controller, self.proxy):
            right = list(part.argv)
            part.argv[part.argv.index("--seal-key-file") + 1] = wrong
            self.ends_badly(part, "it was sealed with key")
            part.argv[:] = [word for word in right
                            if not word.startswith("--seal-key-file") and not word.endswith(".key")]
            self.ends_badly(part, "seal.key is missing")
            part.argv[:] = right
        self.proxy.start()
        self.assertEqual(self.get(), 200)
        self.controller.start()
        self.rig.wait_nodes("node-1")

    def test_the_key_may_come_from_a_command_or_the_environment(self):
        key = self.key("c.key")
        self.controller = self.rig.start_controller(args=["--seal-key-command", f"/bin/cat {key}"])
        self.rig.apply(rig.document(rig.service(self.rig.port(), [
            rig.route("all", path_prefix="/", respond={"status": 200, "body": "x"})])))
        self.controller.stop()
        at = self.controller.argv.index("--seal-key-command")
        del self.controller.argv[at:at + 2]
        with open(key) as f:
            self.controller.env = {**self.controller.env, "SLUICE_CONTROLLER_SEAL_KEY": f.read()}
        self.controller.start()
        self.assertEqual(self.rig.ctl.revision(), 1)


if __name__ == "__main__":
    rig.main()
