#!/usr/bin/python3
"""What a viewer, an operator and an admin may do, by token and by certificate."""
import concurrent.futures
import os
import socket
import ssl
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import rig

# Of sluicectl: (least role, verb, exit code of whoever may).
VERBS = (
    ("viewer", ("status",), 0),
    *(("viewer", ("get", kind), 0) for kind in
      ("nodes", "services", "routes", "upstreams", "certificates", "versions")),
    ("viewer", ("describe", "version", "1"), 0),
    ("viewer", ("history",), 0),
    ("viewer", ("diff", "-f", "{file}"), 0),
    ("viewer", ("explain", "GET", "http://a.test/"), 0),
    ("viewer", ("describe", "node", "node-1"), 0),
    ("viewer", ("rollout", "status"), 1),  # There has been none in waves.
    ("viewer", ("node", "dump", "node-1", "stats"), 0),
    ("viewer", ("support-bundle", "--file", "{file}.tar.gz"), 0),  # Without what is for others.
    ("operator", ("apply", "-f", "{file}", "--dry-run=server"), 0),
    ("operator", ("apply", "-f", "{file}", "--dry-run=nodes"), 0),
    ("operator", ("apply", "-f", "{file}"), 0),
    ("operator", ("rollback",), 0),
    ("operator", ("rollout", "pause"), 1),
    ("operator", ("rollout", "resume"), 1),
    ("operator", ("rollout", "promote"), 1),
    ("operator", ("rollout", "abort"), 1),
    ("operator", ("node", "drain", "node-1"), 0),
    ("operator", ("node", "undrain", "node-1"), 0),
    ("operator", ("node", "log-level", "node-1", "info"), 0),
    ("operator", ("node", "cordon", "node-1"), 0),
    ("operator", ("node", "uncordon", "node-1"), 0),
    ("operator", ("node", "label", "node-1", "zone=a"), 0),
    ("admin", ("backup", "{file}.backup"), 0),
    ("admin", ("audit",), 0),
    ("admin", ("token", "create", "--role", "viewer", "--name", "eve"), 0),
    ("admin", ("token", "list"), 0),
    ("admin", ("token", "revoke", "000000000000"), 1),
    ("admin", ("node", "remove", "nobody"), 1),
)
ROLES = ("viewer", "operator", "admin")


def hello(rig_, body):
    return rig_.write(rig.document(rig.service(rig_.port(), [
        rig.route("all", path_prefix="/", respond={"status": 200, "body": body})])))


def try_every_verb(test, rig_, credentials_of):
    """Of each role, as "ann"; node-1 is connected and two versions have been applied."""
    for role in ROLES:
        credentials = credentials_of(role)
        for least, verb, code in VERBS:
            file = hello(rig_, f"{role} {' '.join(verb)}")
            words = [word.format(file=file) for word in verb]
            with test.subTest(role=role, verb=words):
                may = ROLES.index(role) >= ROLES.index(least)
                done = rig_.ctl(*words, credentials=credentials, code=code if may else 1)
                if may:
                    test.assertNotIn("needs the role", done.stderr)
                else:
                    test.assertIn(f"ann ({role}) may not do this: it needs the role {least}",
                                  done.stderr)


class RolesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = rig.Rig()
        try:
            cls.rig.start_controller(insecure=False)
            cls.rig.start_proxy("node-1", token=cls.rig.ctl("token", "create").stdout)
            cls.rig.wait_nodes("node-1")
        except BaseException:
            cls.rig.dump()
            cls.rig.close()
            raise
        cls.ca = os.path.join(cls.rig.controller.data, "operator", "ca.crt")

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def token_of(self, role, name):
        path = self.rig.path(f"{name}.{role}.token")
        with open(path, "w") as out:
            out.write(self.rig.ctl("token", "create", "--role", role, "--name", name).stdout)
        return ["--tls-ca", self.ca, "--token-file", path]

    def test_every_verb_needs_its_role(self):
        for body in ("one", "two"):
            self.rig.ctl("apply", "-f", hello(self.rig, body), "--wait")
        try_every_verb(self, self.rig, lambda role: self.token_of(role, "ann"))

    def test_the_audit_log_has_the_proven_name_and_the_refusals(self):
        self.rig.ctl("apply", "-f", hello(self.rig, "of bob"),
                     credentials=self.token_of("operator", "bob"))
        self.rig.ctl("apply", "-f", hello(self.rig, "of eve"), code=1,
                     credentials=self.token_of("viewer", "eve"))
        entries = self.rig.ctl.json("audit")
        applied = next(e for e in entries if e["author"] == "bob")
        self.assertEqual((applied["action"], applied["role"], applied["refused"]),
                         ("apply", "operator", False))
        self.assertEqual(len(applied["root_after"]), 64)
        self.assertNotEqual(applied["root_before"], applied["root_after"])
        self.assertIn("127.0.0.1", applied["peer"])
        refused = next(e for e in entries if e["author"] == "eve")
        self.assertEqual((refused["action"], refused["role"], refused["refused"]),
                         ("Apply", "viewer", True))
        made = next(e for e in entries if e["action"] == "token create")
        self.assertEqual(made["author"], "local")
        self.assertIn("bob", self.rig.ctl("history").stdout)

    def test_a_revoked_token_is_refused_from_the_next_call_on(self):
        credentials = self.token_of("admin", "carol")
        self.rig.ctl("status", credentials=credentials)
        tokens = self.rig.ctl.json("token", "list")
        token = next(t for t in tokens if t["name"] == "carol")
        self.assertEqual(token["state"], "usable")
        self.assertGreater(token["used_unix_ms"], 0)
        self.rig.ctl("token", "revoke", token["id"])
        done = self.rig.ctl("status", credentials=credentials, code=1)
        self.assertIn("has been revoked", done.stderr)

    def test_a_token_is_shown_only_to_who_is_known(self):
        other = rig.Rig()
        self.addCleanup(other.close)
        other.start_controller("other", insecure=False)
        credentials = self.token_of("viewer", "dave")
        self.rig.ctl("status", credentials=credentials)
        self.rig.ctl("status", credentials=credentials, controller=other.controller.grpc, code=4)
        credentials = ["--token-file", credentials[-1]]
        done = self.rig.ctl("status", credentials=credentials, code=2)
        self.assertIn("--token-file needs --tls-ca", done.stderr)

    def test_failures_are_slowed_down_and_certificates_are_not_touched_by_that(self):
        other = rig.Rig()  # With an address's failures of its own.
        self.addCleanup(other.close)
        other.start_controller(insecure=False)
        ca = os.path.join(other.controller.data, "operator", "ca.crt")
        good, bad = other.path("good"), other.path("bad")
        with open(good, "w") as out:
            out.write(other.ctl("token", "create", "--role", "admin", "--name", "ann").stdout)
        with open(good) as source, open(bad, "w") as out:
            kind, name, secret = source.read().strip().split(".")
            out.write(f"{kind}.{name}.{'0' * len(secret)}")
        other.ctl("status", credentials=["--tls-ca", ca, "--token-file", good])

        def attempt(_):
            return other.ctl("status", credentials=["--tls-ca", ca, "--token-file", bad],
                             code=1).stderr

        self.assertIn("the token is not known here", attempt(0))

        def slowed_down():  # One failure is forgiven each second: many at once.
            with concurrent.futures.ThreadPoolExecutor(20) as pool:
                said = list(pool.map(attempt, range(20)))
            return any("too many failed attempts" in text for text in said)
        rig.wait_for("the failures to be slowed down", slowed_down)
        other.ctl("status")
        self.assertGreater(rig.metric(other.controller.metrics(),
                                      "sluice_controller_refusals_total",
                                      reason="bad_credential"), 0)
        rig.wait_for("the right token to be heard again", lambda: other.ctl(
            "status", credentials=["--tls-ca", ca, "--token-file", good], code=None).returncode == 0)


class ExternalCaTest(unittest.TestCase):
    def test_certificates_of_an_external_ca_are_taken(self):
        self.rig = rig.Rig()
        self.addCleanup(self.rig.close)
        ca = self.rig.cert("ca")
        server = self.rig.cert("server", ["127.0.0.1"], issuer=ca)
        self.rig.start_controller(insecure=False, args=["--tls-cert", server.cert, "--tls-key",
                                                        server.key, "--tls-ca", ca.cert])
        self.assertFalse(os.path.exists(os.path.join(self.rig.controller.data, "trust")))

        def flags(certificate):
            return ["--tls-ca", ca.cert, "--tls-cert", certificate.cert, "--tls-key",
                    certificate.key]
        admin = flags(self.rig.cert("ann", ["sluice://operator/admin/ann"], issuer=ca))
        viewer = flags(self.rig.cert("eve", ["sluice://operator/viewer/eve"], issuer=ca))
        node = self.rig.cert("node-1", units=["sluice-node"], issuer=ca)
        self.rig.start_proxy("node-1", args=flags(node))
        other = self.rig.start_proxy("node-2", "127.0.0.2", args=flags(node))
        other.wait_log("certificate is for node node-1")
        other.stop()
        rig.wait_for("the node to connect", lambda: "node-1" in self.rig.ctl(
            "get", "nodes", credentials=viewer).stdout)
        # The CA certifies others, too, and they are nobody here.
        done = self.rig.ctl("status", credentials=flags(self.rig.cert("mail", issuer=ca)), code=1)
        self.assertIn("the certificate names nobody", done.stderr)
        self.rig.ctl("token", "list", credentials=viewer, code=1)
        self.assertIn("node node-1 may not do this",
                      self.rig.ctl("status", credentials=flags(node), code=1).stderr)
        done = self.rig.ctl("token", "create", credentials=admin, code=1)
        self.assertIn("external CA", done.stderr)
        # An operator may still have a token.
        path = self.rig.path("token")
        with open(path, "w") as out:
            out.write(self.rig.ctl("token", "create", "--role", "viewer", credentials=admin).stdout)
        self.rig.ctl("status", credentials=["--tls-ca", ca.cert, "--token-file", path])
        self.replaced_files_are_used(ca, server, admin)
        for body in ("one", "two"):
            self.rig.ctl("apply", "-f", hello(self.rig, body), "--wait", credentials=admin)
        try_every_verb(self, self.rig, lambda role: flags(
            self.rig.cert(f"ann-{role}", [f"sluice://operator/{role}/ann"], issuer=ca)))
        self.a_removed_node_needs_a_newer_certificate(ca, node, admin)

    def a_removed_node_needs_a_newer_certificate(self, ca, node, admin):
        def nodes():
            return self.rig.ctl("get", "nodes", credentials=admin).stdout
        self.assertIn("node-1", nodes())
        self.rig.ctl("node", "remove", "node-1", credentials=admin)
        self.rig.proxies[0].wait_log("node node-1 has been removed")
        self.assertNotIn("node-1", nodes())
        rig.wait_for("its stream to end", lambda: rig.metric(
            self.rig.controller.metrics(), "sluice_controller_streams") == 0)
        removed = time.time()
        rig.wait_for("the next second", lambda: time.time() > removed + 1.1)  # Certificates' unit.
        newer = self.rig.cert("again", ["sluice://node/node-1"], issuer=ca)
        os.replace(newer.cert, node.cert)
        os.replace(newer.key, node.key)
        rig.wait_for("the node to connect", lambda: "node-1" in nodes())

    def replaced_files_are_used(self, ca, server, admin):
        def serial():
            host, port = self.rig.controller.grpc.rsplit(":", 1)
            context = ssl.create_default_context(cafile=ca.cert)
            context.set_alpn_protocols(["h2"])
            with socket.create_connection((host, int(port)), timeout=30) as raw:
                with context.wrap_socket(raw, server_hostname=host) as tls:
                    return tls.getpeercert()["serialNumber"]
        before = serial()
        streams = rig.metric(self.rig.controller.metrics(), "sluice_controller_streams_total")
        newer = self.rig.cert("newer", ["127.0.0.1"], issuer=ca)
        os.replace(newer.cert, server.cert)  # For a moment they do not fit.
        self.assertEqual(serial(), before)
        os.replace(newer.key, server.key)
        rig.wait_for("the new certificate", lambda: serial() != before)
        self.rig.ctl("status", credentials=admin)
        self.assertEqual(
            rig.metric(self.rig.controller.metrics(), "sluice_controller_streams_total"), streams)


if __name__ == "__main__":
    rig.main()
