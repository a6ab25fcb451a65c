#!/usr/bin/python3
"""Connections that stay are spread evenly over the workers, whatever the kernel makes of them."""
import collections
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import h1
import rig
from upstream import reply

WORKERS = 4


class AcceptBalanceTest(rig.FleetTest):
    workers = WORKERS

    @classmethod
    def prepare(cls):
        r = cls.rig
        certificate = r.cert("a", ["a.test"])
        cls.port, cls.tls_port = r.port(), r.port()
        cls.up = r.upstream(on_request=lambda c, q: reply(b"ok"))
        route = rig.route("all", [cls.up])
        r.apply(rig.document(
            rig.service(cls.port, [route]),
            rig.service(cls.tls_port, [route], name="tls", tls={
                "enabled": True, "cert_path": certificate.cert, "key_path": certificate.key})))

    def by_worker(self, service):
        found = self.proxy.get("/connections")
        return collections.Counter(c["worker"] for c in found if c["service"] == service)

    def opened(self, count, port, **options):
        clients = []
        for _ in range(count):
            client = h1.Client(self.proxy.host, port, **options)
            self.addCleanup(client.close)
            self.assertEqual(client.ask(rig.request("/")).status, 200)
            clients.append(client)
        return clients

    def assert_even(self, service, each):
        counts = self.by_worker(service)
        self.assertEqual(sum(counts.values()), each * WORKERS, counts)
        for worker in range(WORKERS):
            self.assertAlmostEqual(counts[worker], each, delta=1, msg=counts)

    def test_connections_that_stay_are_even(self):
        for service, port, options in (
                ("web", self.port, {}),
                ("tls", self.tls_port, {"tls": certs.client_context(), "server_name": "a.test"})):
            with self.subTest(service=service):
                self.opened(8 * WORKERS, port, **options)
                self.assert_even(service, 8)

    def test_gaps_are_filled(self):
        clients = self.opened(6 * WORKERS, self.port)
        # Every second one goes: wherever they were, the next ones fill the gaps.
        for client in clients[::2]:
            client.close()
        rig.wait_for("half of them to be gone",
                     lambda: sum(self.by_worker("web").values()) == 3 * WORKERS)
        self.opened(5 * WORKERS, self.port)
        self.assert_even("web", 8)


if __name__ == "__main__":
    rig.main()
