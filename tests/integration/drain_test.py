#!/usr/bin/python3
"""A proxy that leaves finishes what it began; only new connections are refused."""
import signal
import unittest  # noqa: F401

import _path  # noqa: F401
import h1
import load
import rig


class DrainTest(rig.FleetTest):
    nodes = 2

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port, cls.hold_port = r.port(), r.port()
        cls.backend = r.nginx("a")
        cls.up = r.upstream()
        r.apply(rig.document(
            rig.service(cls.port, [rig.route("all", [cls.backend])]),
            rig.service(cls.hold_port, [rig.route("hold", [cls.up])], name="hold"),
            server={"drain_timeout_secs": 30}))

    @staticmethod
    def failures(steady):
        """Without connections that the kernel had queued when the listener closed: they are reset
        before connect() returns, which is how they are refused."""
        return [failure for failure in steady.failures
                if "connect: ConnectionResetError" not in failure[1]]

    def settled(self, steady):
        """Nobody is served any more: every thread is being refused."""
        ok, refused = steady.ok, steady.refused
        rig.wait_for("refusals", lambda: steady.refused > refused + 50)
        del ok

    def test_1_drained_by_the_operator_under_load(self):
        proxy = self.rig.proxies[1]
        with load.Steady(proxy.host, self.port) as steady:
            rig.wait_for("traffic", lambda: steady.ok > 200)
            self.rig.ctl("node", "drain", "node-2")
            rig.wait_for("the state", lambda: self.rig.ctl.state("node-2") == "draining")
            self.settled(steady)
            self.assertNotEqual(rig.http_get(proxy.admin, "/readyz")[0], 200)
            # The other node goes on.
            self.assertEqual(self.get(at=self.rig.proxies[0].host).status, 200)
            self.rig.ctl("node", "undrain", "node-2")
            mark = steady.ok
            rig.wait_for("traffic again", lambda: steady.ok > mark + 200)
            steady.stop()
            self.assertEqual(self.failures(steady), [])
        self.assertTrue(proxy.running())
        rig.wait_for("the state", lambda: self.rig.ctl.state("node-2") == "synced")

    def test_2_sigterm_under_load(self):
        proxy = self.rig.proxies[1]
        # A request under way when the signal comes must end well.
        self.up.on_request = lambda c, q: None
        client = self.client(self.hold_port, host=proxy.host)
        client.send(rig.request("/held"))
        self.up.wait("the held request", lambda: self.up.requests)
        with load.Steady(proxy.host, self.port) as steady:
            rig.wait_for("traffic", lambda: steady.ok > 200)
            proxy.signal(signal.SIGTERM)
            self.settled(steady)
            self.assertTrue(proxy.running(), "it left before the held request ended")
            self.up.connections[-1].send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld")
            answer = client.response()
            self.assertEqual((answer.status, answer.body), (200, b"held"))
            self.assertEqual(answer.get("connection"), "close")
            self.assertEqual(proxy.wait(), 0)
            steady.stop()
            self.assertEqual(self.failures(steady), [])
        self.assertEqual(self.get(at=self.rig.proxies[0].host).status, 200)
        rig.wait_for("the controller to notice",
                     lambda: self.rig.ctl.state("node-2") in ("unreachable", "draining"))

    def test_3_a_second_sigterm_ends_at_once(self):
        proxy = self.rig.start_proxy("node-3", "127.0.0.3")
        rig.wait_for("node-3", proxy.ready)
        self.up.on_request = lambda c, q: None
        client = h1.Client(proxy.host, self.hold_port)
        self.addCleanup(client.close)
        count = len(self.up.requests)
        client.send(rig.request("/held"))
        self.up.wait("the held request", lambda: len(self.up.requests) > count)
        proxy.signal(signal.SIGTERM)
        rig.wait_for("the drain", lambda: not self.accepts(proxy))
        self.assertTrue(proxy.running())
        proxy.signal(signal.SIGTERM)
        proxy.wait()
        # At once is not in order: any exit code but a crash's.
        proxy.expect = (0, 1, -15, 143)

    def accepts(self, proxy):
        try:
            h1.Client(proxy.host, self.port).close()
            return True
        except OSError:
            return False


if __name__ == "__main__":
    rig.main()
