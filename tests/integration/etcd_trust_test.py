#!/usr/bin/python3
"""Three controllers with one CA: who has joined by one is known to the others, and only who leads
or follows may speak for somebody else."""
import base64
import os
import re
import ssl
import unittest  # noqa: F401

import _path  # noqa: F401
import enrollment_test
import grpc_call
import rig
import sealing_test
import trio

STATUS = "/sluice.v1.AdminService/GetStatus"


class TrustTest(trio.TrioTest):
    insecure = False

    def serials(self):
        return [enrollment_test.certificate(proxy) for proxy in self.rig.proxies]

    def next_leader(self):
        """The one before is dead, and comes back at the end of the test."""
        self.trio.kill(self.trio.leader())
        leader = self.trio.wait_leader()
        self.trio.wait_ready()
        return leader

    def test_who_joined_by_one_controller_comes_back_by_another(self):
        before = self.serials()
        for proxy in self.rig.proxies:
            if os.path.exists(proxy.token_file):
                os.unlink(proxy.token_file)
        self.next_leader()
        self.trio.wait_synced()
        for proxy in self.rig.proxies:
            proxy.kill()
            proxy.start()
        self.trio.wait_synced()
        self.assertEqual(self.serials(), before)

    def test_a_token_of_one_controller_is_good_at_another_once(self):
        follower = self.trio.others(self.trio.leader())[0]
        token = self.rig.ctl("token", "create", controller=follower.grpc).stdout
        self.next_leader()
        with self.joined(4, token) as fourth:
            self.rig.wait_nodes("node-4")
            self.trio.restart(*(c for c in self.trio.controllers if not c.running()))
            self.next_leader()
            with self.joined(5, token) as fifth:
                fifth.wait_log("used already, by node node-4")
            # Nor is who was removed let in by the next one.
            rig.wait_for("it to be back", lambda: self.rig.ctl.state("node-4") == "synced",
                         trio.PATIENCE)
            self.rig.ctl("node", "remove", "node-4")
            fourth.wait_log("its certificate is revoked")
            self.trio.restart(*(c for c in self.trio.controllers if not c.running()))
            self.next_leader()
            fourth.stop()
            os.unlink(fourth.log)
            fourth.start()
            fourth.wait_log("is revoked")
            self.assertIsNone(self.rig.ctl.node("node-4"))

    def joined(self, number, token):
        return _Guest(self.rig, self.rig.start_proxy(
            f"node-{number}", f"127.0.0.{number}", workers=1, token=token,
            controller=self.trio.addresses(number % 3)))

    def test_an_operators_token_is_good_at_every_controller(self):
        path = self.rig.path("viewer.token")
        with open(path, "w") as out:
            out.write(self.rig.ctl("token", "create", "--role", "viewer", "--name", "ann").stdout)
        viewer = ["--tls-ca", os.path.join(self.rig.controller.operator, "ca.crt"),
                  "--token-file", path]
        for leader in (self.trio.leader(), self.next_leader()):
            for controller in self.trio.running():
                with self.subTest(leader=leader.name, controller=controller.name):
                    self.rig.ctl("status", credentials=viewer, controller=controller.grpc)
                    refused = self.rig.ctl("audit", credentials=viewer, code=1,
                                           controller=controller.grpc)
                    self.assertIn("ann (viewer) may not do this", refused.stderr)

    def test_who_is_no_controller_speaks_for_nobody(self):
        folder = self.rig.controller.operator
        with open(os.path.join(folder, "operator.pem")) as f:
            operator = re.search(r"-----BEGIN C.*?-----END CERTIFICATE-----\n", f.read(), re.S)[0]
        certificate = ("x-sluice-certificate-bin",
                       base64.b64encode(operator.encode()).decode().rstrip("="))
        forgeries = ([certificate], [("x-sluice-peer", "ipv4:127.0.0.1:1"), certificate])
        ca = os.path.join(folder, "ca.crt")
        node = os.path.join(self.rig.proxies[0].state, "identity", "node.pem")

        def ask(controller, credential, metadata=()):
            context = ssl.create_default_context(cafile=ca)
            if credential:
                context.load_cert_chain(credential)
            with grpc_call.connect(controller.grpc, tls=context) as client:
                return client.call(STATUS, metadata=metadata)
        leader = self.trio.leader()
        for controller in self.trio.controllers:
            # Passed on once more, it would go in a circle: who does not lead refuses that.
            refusals = [(grpc_call.UNAUTHENTICATED, grpc_call.PERMISSION_DENIED)] * 2
            if controller is not leader:
                refusals[1] += (grpc_call.UNAVAILABLE,)
            honest = ask(controller, os.path.join(folder, "operator.pem"))
            self.assertEqual(honest.code, grpc_call.OK, honest)
            for metadata, codes in zip(forgeries, refusals):
                for credential in (None, node):
                    with self.subTest(controller=controller.name, credential=credential,
                                      metadata=[name for name, _ in metadata]):
                        answer = ask(controller, credential, metadata)
                        self.assertIn(answer.code, codes, answer)
                        self.assertEqual(answer.messages, [])

    def test_nothing_secret_lies_open_in_etcd(self):
        site = self.rig.cert("site", ["a.test"])
        self.rig.ctl("apply", "--wait", "-f", self.rig.write(rig.document(rig.service(
            self.port, [rig.route("v", path_prefix="/v", respond={"status": 200, "body": "x"})],
            tls={"enabled": True, "cert_path": site.cert, "key_path": site.key}))))
        secrets = sealing_test.secrets_of(site.key)
        self.assertEqual(sealing_test.files_with(self.rig.dir, secrets), [site.key])
        for member in self.etcd.members:
            self.assertEqual(sealing_test.files_with(member.data, [b"PRIVATE KEY"]), [])
            # It looks in the right place.
            self.assertNotEqual(sealing_test.files_with(member.data, [b"sluice/leader"]), [])


class _Guest:
    """A proxy that is there only for a while."""

    def __init__(self, rig_, proxy):
        self.rig, self.proxy = rig_, proxy

    def __enter__(self):
        return self.proxy

    def __exit__(self, *_):
        self.rig.proxies.remove(self.proxy)
        self.proxy.stop()


if __name__ == "__main__":
    rig.main()
