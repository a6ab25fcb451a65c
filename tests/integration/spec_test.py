#!/usr/bin/python3
"""The document the product was specified with: byte for byte, through three proxies."""
import os
import unittest

import _path  # noqa: F401
import certs
import rig

HERE = os.path.dirname(os.path.abspath(__file__))
# Unusual loopback addresses: the document's fixed ports then collide with nothing.
HOSTS = ["127.83.0.1", "127.83.0.2", "127.83.0.3"]
NAMES = ["spec-1", "spec-2", "spec-3"]


class SpecTest(rig.FleetTest):
    nodes = 0

    @classmethod
    def prepare(cls):
        cls.authority = cls.rig.cert("ca")
        cls.site = cls.rig.cert("site", ["www.example.com", "api.example.com"], issuer=cls.authority)
        with open(os.path.join(HERE, "spec.yaml"), encoding="utf-8") as f:
            cls.text = f.read()
        # Only the two certificate paths become real ones.
        cls.text = cls.text.replace("/path/to/cert.pem", cls.site.cert)
        cls.text = cls.text.replace("/path/to/key.pem", cls.site.key)
        for name, host in zip(NAMES, HOSTS):
            cls.rig.start_proxy(name, host)
        cls.rig.wait_nodes(*NAMES)

    def test_1_validates(self):
        self.rig.ctl("validate", "-f", self.rig.write(self.text, "spec.yaml"))

    def test_2_becomes_effective_on_three_proxies(self):
        done = self.rig.apply(self.text)
        self.assertIn("effective on 3 of 3 nodes", done.stdout)
        for name in NAMES:
            self.assertEqual(self.rig.ctl.state(name), "synced")
        # Ports 8000 of the document, on each proxy's own address, speak TLS with its certificate.
        for host in HOSTS:
            answer = self.get("/no-such", "a.test", port=8000, at=host,
                              tls=certs.client_context(self.authority), server_name="api.example.com")
            self.assertEqual(answer.status, 404)

    def test_3_serves_real_traffic_when_the_nodes_are_real(self):
        users_tls = self.rig.cert("users", ["users.internal"], issuer=self.authority)
        users_1 = self.rig.nginx("users-1", certificate=users_tls)
        users_2 = self.rig.nginx("users-2")
        website = self.rig.nginx("website")
        text = self.text
        for old, new in (("10.0.1.1:8080", users_1.address), ("10.0.1.2:8080", users_2.address),
                         ("10.0.2.1:3000", website.address)):
            self.assertIn(old, text)
            text = text.replace(old, new)
        # users.internal is vouched for by our own authority instead of the system's; the node
        # without an sni goes on in clear text.
        text = text.replace("          - name: 'users-service'\n",
                            "          - name: 'users-service'\n            tls:\n"
                            "              enabled: false\n"
                            f"              ca_path: '{self.authority.cert}'\n")
        self.rig.apply(text)
        trust = certs.client_context(self.authority)
        for host in HOSTS:
            seen = set()
            # Each of the eight workers takes turns of its own, and each connection may meet another.
            for _ in range(40):
                answer = self.get("/api/v1/users/123?x=1", "api.example.com", port=8000, at=host,
                                  tls=trust, server_name="api.example.com")
                self.assertEqual(answer.status, 200, answer.body)
                told = rig.told(answer.body)
                self.assertEqual(told["uri"], "/123?x=1")
                self.assertEqual(told["prefix"], "/api/v1/users")
                self.assertEqual(told["proto"], "https")
                self.assertTrue(told["rid"])
                if told["node"] == "users-1":
                    self.assertEqual(told["sni"], "users.internal")
                seen.add(told["node"])
            self.assertEqual(seen, {"users-1", "users-2"})
            answer = self.get("/", "www.example.com", port=8000, at=host, tls=trust,
                              server_name="www.example.com")
            self.assertEqual(rig.told(answer.body)["node"], "website")
            # A segment boundary: /api/v1/usersx is not /api/v1/users.
            self.assertEqual(self.get("/api/v1/usersx", "api.example.com", port=8000, at=host,
                                      tls=trust, server_name="api.example.com").status, 404)


if __name__ == "__main__":
    rig.main()
