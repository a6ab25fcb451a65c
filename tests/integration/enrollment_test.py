#!/usr/bin/python3
"""A controller with a CA of its own, and proxies that join it by token."""
import os
import re
import shutil
import stat
import subprocess
import threading
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import fleet
import h1
import process
import rig


def certificate(proxy):
    """(names, serial) of the proxy's present certificate, by openssl."""
    text = subprocess.run(["openssl", "x509", "-noout", "-serial", "-ext", "subjectAltName", "-in",
                           os.path.join(proxy.state, "identity", "node.pem")],
                          capture_output=True, text=True, check=True).stdout
    return re.findall(r"URI:(\S+)", text), re.search(r"serial=(\w+)", text)[1]


class SecureTest(unittest.TestCase):
    controller_args = ()

    def setUp(self):
        self.rig = rig.Rig()
        self.addCleanup(self.close)
        self.rig.start_controller(insecure=False, args=self.controller_args)

    def close(self):
        if self._outcome_failed():
            self.rig.dump()
        self.rig.close()

    def _outcome_failed(self):
        result = self._outcome.result
        return any(test is self for test, _ in result.errors + result.failures)

    def token(self, *args):
        return self.rig.ctl("token", "create", *args).stdout

    def join(self, node, *args, host="127.0.0.1", **options):
        return self.rig.start_proxy(node, host, token=self.token(*args), **options)

    def refusals(self, reason):
        return rig.metric(self.rig.controller.metrics(), "sluice_controller_refusals_total",
                          reason=reason)

    def hello(self, body="hi"):
        self.port = self.rig.port()
        return rig.document(rig.service(self.port, [
            rig.route("all", path_prefix="/", respond={"status": 200, "body": body})]))

    def get(self, proxy):
        with h1.Client(proxy.host, self.port) as client:
            return client.ask(rig.request("/"))


class EnrollmentTest(SecureTest):
    def test_a_fleet_joins_by_token_and_is_operated_without_flags(self):
        proxy = self.join("node-1", "--label", "zone=a", args=["--label", "zone=b", "--label", "x=y"])
        self.rig.wait_nodes("node-1")
        self.rig.apply(self.hello())
        self.assertEqual(self.get(proxy).status, 200)
        self.assertEqual(certificate(proxy)[0], ["sluice://node/node-1"])
        # What the token gave wins.
        labels = rig.pick(self.rig.ctl.node("node-1"), "hello", "labels")
        self.assertEqual(labels, {"zone": "a", "x": "y"})
        # sluicectl finds the credential by itself.
        for env, cwd in (({"SLUICE_CONTROLLER_DATA_DIR": self.rig.controller.data}, self.rig.dir),):
            done = subprocess.run([os.path.join(fleet.BIN, "sluicectl"), "status"], cwd=cwd,
                                  env={**os.environ, "HOME": self.rig.dir, **env},
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("node-1", done.stdout)
        # Everything secret is for its owner only.
        for base in (self.rig.controller.data, os.path.join(proxy.state, "identity")):
            for folder, _, files in os.walk(base):
                self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700, folder)
                for name in files:
                    mode = stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode)
                    self.assertEqual(mode, 0o600, name)

    def test_a_proxy_that_was_killed_comes_back_without_a_token(self):
        proxy = self.join("node-1")
        self.rig.wait_nodes("node-1")
        os.unlink(proxy.token_file)
        proxy.kill()
        proxy.start()
        self.rig.wait_nodes("node-1")

    def test_a_token_is_good_once(self):
        token = self.token()
        self.rig.start_proxy("node-1", token=token)
        self.rig.wait_nodes("node-1")
        second = self.rig.start_proxy("node-2", "127.0.0.2", token=token)
        second.wait_log(r"used already, by node node-1")
        self.assertIsNone(self.rig.ctl.node("node-2"))
        # A new one in the same file is enough.
        second.write_token(self.token())
        self.rig.wait_nodes("node-2")

    def test_tokens_that_are_expired_revoked_or_for_somebody_else_are_refused(self):
        expired = self.token("--ttl", "1s")
        revoked = self.token()
        self.rig.ctl("token", "revoke", revoked.split(".")[1])
        other = self.token("--node-id", "somebody")
        forged = revoked.split(".")
        forged[2] = "0" * 64
        rig.wait_for("the token to expire", lambda: "expired" in self.rig.ctl("token", "list").stdout)
        for i, (token, why) in enumerate(((expired, "has expired"), (revoked, "has been revoked"),
                                          (other, "is for node somebody"),
                                          (".".join(forged), "not known here"),
                                          ("nonsense", "holds no join token"))):
            proxy = self.rig.start_proxy(f"n{i}", f"127.0.0.{i + 1}", token=token)
            proxy.wait_log(why)
            proxy.stop()
        self.assertGreaterEqual(self.refusals("bad_credential"), 4)
        self.assertIn("refused: Enroll", self.rig.ctl("audit").stdout)

    def test_a_controller_with_another_ca_is_not_trusted(self):
        other = rig.Rig()
        self.addCleanup(other.close)
        other.start_controller("other", insecure=False)
        token = other.ctl("token", "create").stdout
        proxy = self.rig.start_proxy("node-1", token=token)
        proxy.wait_log("this is another controller")
        # It never saw the token.
        self.assertEqual(self.refusals("bad_credential"), 0)

    def test_who_comes_without_a_credential_gets_nothing(self):
        ca = os.path.join(self.rig.controller.data, "operator", "ca.crt")
        done = self.rig.ctl("status", credentials=["--tls-ca", ca], code=1)
        self.assertIn("asks for credentials", done.stderr)
        done = self.rig.ctl("status", credentials=["--insecure"], code=4)
        self.assertEqual(self.refusals("no_credential"), 1)
        self.assertIn("refused: GetStatus", self.rig.ctl("audit").stdout)

    def test_the_controller_keeps_its_ca_and_is_known_after_kill_9(self):
        proxy = self.join("node-1")
        self.rig.wait_nodes("node-1")
        before = os.stat(os.path.join(self.rig.controller.data, "trust", "ca.crt")).st_mtime_ns
        self.rig.controller.kill()
        self.rig.controller.start()
        self.rig.wait_nodes("node-1")
        after = os.stat(os.path.join(self.rig.controller.data, "trust", "ca.crt")).st_mtime_ns
        self.assertEqual(before, after)
        self.assertTrue(proxy.running())

    def test_a_controller_that_lost_its_disk_is_joined_anew(self):
        proxy = self.join("node-1")
        self.rig.wait_nodes("node-1")
        self.rig.apply(self.hello())
        self.rig.controller.kill()
        shutil.rmtree(self.rig.controller.data)
        self.rig.controller.start()
        self.assertEqual(self.get(proxy).status, 200)
        proxy.write_token(self.token())
        self.rig.wait_nodes("node-1")
        self.assertEqual(self.get(proxy).status, 200)
        proxy.kill()
        proxy.start()  # What it has on disk is of the new one.
        self.rig.wait_nodes("node-1")

    def test_another_name_needs_another_certificate(self):
        proxy = self.join("node-1")
        self.rig.wait_nodes("node-1")
        proxy.stop()
        thief = fleet.Proxy(self.rig, "node-2", "127.0.0.2")
        os.makedirs(os.path.join(thief.state, "identity"))
        for name in ("node.pem", "ca.crt"):
            with open(os.path.join(proxy.state, "identity", name)) as f:
                text = f.read()
            with open(os.path.join(thief.state, "identity", name), "w") as f:
                f.write(text)
        done = subprocess.run(list(map(str, thief.argv)), capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is for node node-1", done.stdout + done.stderr)


class RevocationTest(SecureTest):
    def test_a_removed_node_is_cut_off_and_needs_a_new_token(self):
        proxy = self.join("node-1")
        self.rig.wait_nodes("node-1")
        self.rig.apply(self.hello())
        before = certificate(proxy)[1]
        self.rig.ctl("node", "remove", "node-1")
        self.assertIsNone(self.rig.ctl.node("node-1"))
        proxy.wait_log("its certificate is revoked")
        proxy.wait_log("sluicectl token create --node-id node-1")
        rig.wait_for("the proxy to be refused again", lambda: self.refusals("revoked") > 1)
        # It serves on, and does not come back by itself.
        self.assertEqual(self.get(proxy).status, 200)
        self.assertIsNone(self.rig.ctl.node("node-1"))
        # Nor after a restart.
        proxy.stop()
        proxy.start()
        proxy.wait_log("is revoked")
        # Another one's token is of no use to a second node of that name, its own is.
        proxy.write_token(self.token("--node-id", "node-1"))
        self.rig.wait_nodes("node-1")
        self.assertNotEqual(certificate(proxy)[1][:16], before[:16])

    def test_a_name_that_is_taken_needs_a_token_of_its_own(self):
        self.join("node-1")
        self.rig.wait_nodes("node-1")
        second = fleet.Proxy(self.rig, "node-1", "127.0.0.2", token=None)
        second.state += "-2"
        second.argv[second.argv.index("--state-dir") + 1] = second.state
        token_file = self.rig.path("second.token")
        with open(token_file, "w") as f:
            f.write(self.token())
        second.argv += ["--join-token-file", token_file]
        second.name = "second"
        self.rig.parts.append(second)
        second.start()
        second.wait_log("node node-1 is enrolled already")


class RotationTest(SecureTest):
    controller_args = ("--node-certificate-ttl", "6s")

    def test_certificates_are_renewed_under_load_without_a_dropped_stream(self):
        proxy = self.join("node-1")
        self.rig.wait_nodes("node-1")
        self.rig.apply(self.hello())
        first = certificate(proxy)[1]
        streams = rig.metric(self.rig.controller.metrics(), "sluice_controller_streams_total")
        stop, failures, count = threading.Event(), [], [0]

        def load():
            with h1.Client(proxy.host, self.port) as client:
                while not stop.is_set():
                    try:
                        response = client.ask(rig.request("/"))
                        count[0] += 1
                        if response.status != 200:
                            failures.append(response.status)
                    except OSError as error:
                        failures.append(repr(error))
                        return
        thread = threading.Thread(target=load)
        thread.start()
        serials = set()

        def renewed():
            serials.add(certificate(proxy)[1])
            return len(serials) >= 4
        rig.wait_for("three renewals", renewed)
        stop.set()
        thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(count[0], 0)
        self.assertEqual({serial[:16] for serial in serials}, {first[:16]})
        self.assertEqual(
            rig.metric(self.rig.controller.metrics(), "sluice_controller_streams_total"), streams)
        # Long after the first one has expired, the newest one opens a stream.
        self.rig.controller.stop()
        self.rig.controller.start()
        self.rig.wait_nodes("node-1")

    def test_a_hot_restart_goes_on_with_the_certificate_and_renews_it(self):
        proxy = self.join("node-1")
        self.rig.wait_nodes("node-1")
        self.rig.apply(self.hello())
        os.unlink(proxy.token_file)
        new = process.Process([*proxy.argv, "--hot-restart"], self.rig.dir, "successor", proxy.env,
                              expect=(0,))
        self.rig.parts.append(new)
        new.start()
        new.wait_log("took over from the running proxy")
        self.assertEqual(proxy.wait(), 0, proxy.tail())
        before = certificate(proxy)[1]
        rig.wait_for("a renewal", lambda: certificate(proxy)[1] != before)
        self.rig.wait_nodes("node-1")
        self.assertEqual(self.get(proxy).status, 200)

    def test_a_certificate_that_expired_without_a_controller_needs_a_token(self):
        proxy = self.join("node-1")
        self.rig.wait_nodes("node-1")
        self.rig.apply(self.hello())
        self.rig.controller.stop()
        self.assertEqual(self.get(proxy).status, 200)
        proxy.wait_log("has been refused: put a new one|no use any more|renewing the certificate")
        end = time.monotonic() + 6  # Its life; nobody can see it pass but by waiting.
        rig.wait_for("it to expire", lambda: time.monotonic() > end)
        self.rig.controller.start()
        proxy.wait_log("used already|has been refused: put a new one")
        proxy.write_token(self.token("--node-id", "node-1"))
        self.rig.wait_nodes("node-1")
        self.assertEqual(self.get(proxy).status, 200)


if __name__ == "__main__":
    rig.main()
