#!/usr/bin/python3
"""What testssl.sh finds about our TLS: nothing of medium severity or worse that is our doing.

testssl.sh is a package of Debian's; the module is skipped where it is not installed.
"""
import json
import subprocess

import _path  # noqa: F401
import peers
import rig

ACCEPTED = {"OK", "INFO", "LOW"}
# What is wrong with the test's own surroundings, not with the server.
ARGUED = {
    "cert_revocation": "the test's authority publishes no revocation lists",
    "engine_problem": "the openssl that testssl.sh finds here knows no GOST",
}
# Its client says good-bye as soon as it has spoken, at times before the ticket has come, which in
# TLS 1.3 follows the handshake; it then calls the empty session file a connect problem.
# integration/tls has resumption tested with a client that waits.
LEFT_TOO_EARLY = {"sessionresumption_ticket": "check failed because of connect problem"}
# That testssl.sh had a look at all: what it must have found, and found good.
GOOD = ("SSLv2", "SSLv3", "TLS1_2", "TLS1_3", "ALPN_HTTP2", "cipherlist_NULL", "cipherlist_aNULL",
        "cipherlist_EXPORT", "cipherlist_LOW", "cipherlist_STRONG", "PFS", "cipher_order",
        "secure_renego", "secure_client_renego", "heartbleed", "CCS", "ticketbleed", "ROBOT",
        "CRIME_TLS", "BREACH", "POODLE_SSL", "SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST",
        "LUCKY13", "RC4")


class TestsslTest(rig.FleetTest):
    @classmethod
    def setUpClass(cls):
        cls.tool = peers.need("testssl", "testssl.sh")
        super().setUpClass()

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.authority = r.cert("ca")
        pairs = [r.cert(kind, ["a.test"], issuer=cls.authority, key_type=kind)
                 for kind in ("ec", "rsa")]
        cls.port, cls.modern_port = r.port(), r.port()
        backend = r.nginx("backend")

        def service(name, port, **tls):
            return rig.service(port, [rig.route("all", [backend], "up")], name=name,
                               tls={"enabled": True, **tls, "certificates": [
                                   {"cert_path": pair.cert, "key_path": pair.key}
                                   for pair in pairs]})
        r.apply(rig.document(service("usual", cls.port),
                             service("modern", cls.modern_port, min_version="1.3")))

    def findings(self, port, *checks):
        """By id; those of several certificates have the certificate's number in theirs. On a busy
        machine testssl.sh gives a check up when one of its own connections is slow; it gets a
        second chance."""
        findings, said = self.scan(port, 1, *checks)
        if any(f["severity"] == "WARN" and "connect problem" in f["finding"]
               for f in findings.values()):
            findings, said = self.scan(port, 2, *checks)
        return findings, said

    def scan(self, port, number, *checks):
        found = self.rig.path(f"testssl-{port}-{number}.json")
        run = subprocess.run(
            [self.tool, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none",
             "--ip", self.proxy.host, "--add-ca", self.authority.cert, "--jsonfile", found, *checks,
             f"a.test:{port}"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        with open(found, encoding="utf-8") as f:
            return {f["id"]: f for f in json.load(f)}, run.stdout + run.stderr

    def assert_nothing_bad(self, findings, said):
        bad = [f for f in findings.values()
               if f["severity"] not in ACCEPTED and f["id"].split()[0] not in ARGUED
               and LEFT_TOO_EARLY.get(f["id"]) != f["finding"]]
        self.assertEqual(bad, [], said)

    def test_the_usual_service(self):
        findings, said = self.findings(self.port, "-p", "-s", "-f", "-P", "-S", "-U")
        self.assert_nothing_bad(findings, said)
        grades = {name: findings.get(name, {}).get("severity") for name in GOOD}
        self.assertEqual(grades, dict.fromkeys(GOOD, "OK"), said)
        for old in ("TLS1", "TLS1_1"):
            self.assertEqual(findings[old]["finding"], "not offered")
        self.assertEqual(findings["cert_numbers"]["finding"], "2", "ECDSA and RSA side by side")

    def test_a_service_of_tls_1_3_alone(self):
        findings, said = self.findings(self.modern_port, "-p")
        self.assert_nothing_bad(findings, said)
        self.assertEqual(findings["TLS1_2"]["finding"], "not offered")
        self.assertEqual(findings["TLS1_3"]["severity"], "OK")


if __name__ == "__main__":
    rig.main()
