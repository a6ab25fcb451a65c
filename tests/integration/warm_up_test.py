#!/usr/bin/python3
"""New nodes that begin unhealthy are checked before a version with them takes effect."""
import socket
import threading
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import rig
from upstream import OK


class WarmUpTest(rig.FleetTest):
    nodes = 2

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        cls.old = r.upstream()
        cls.apply([])

    @classmethod
    def apply(cls, routes):
        """Seconds from the order until every proxy serves it."""
        started = time.monotonic()
        cls.rig.apply(rig.document(rig.service(cls.port, [
            *routes, rig.route("old", [cls.old])])))
        return time.monotonic() - started

    def to(self, name, nodes, warm_up, **check):
        return rig.route(name, nodes, name, {
            "panic_threshold_percent": 0,
            "health_check": {"schema": "http", "frequency_secs": 1, "initially_unhealthy": True,
                             "warm_up": warm_up, **check}}, path_prefix="/" + name)

    def silent(self):
        """A node that takes connections and says nothing."""
        listener = socket.create_server(("127.0.0.1", self.rig.port()))
        self.addCleanup(listener.close)
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def statuses(self, name):
        return {self.get(f"/{name}/x", at=proxy.host).status
                for proxy in self.rig.proxies for _ in range(5)}

    def health(self, proxy, name):
        return rig.metric(proxy.metrics(), "sluice_endpoint_healthy", upstream=name)

    def test_the_first_request_finds_a_node(self):
        def slowly(connection, request):
            time.sleep(0.4)
            return OK
        fresh = self.rig.upstream(on_request=slowly)
        took = self.apply([self.to("fresh", [fresh], "5s")])
        fresh.on_request = lambda c, q: OK
        self.assertEqual(self.statuses("fresh"), {200})
        self.assertGreater(took, 0.4)

    def test_without_it_the_first_requests_fail(self):
        release = []

        def held(connection, request):
            while not release:
                time.sleep(0.01)
            return OK
        self.addCleanup(release.append, 1)
        cold = self.rig.upstream(on_request=held)
        self.apply([self.to("cold", [cold], "0s")])
        self.assertEqual(self.statuses("cold"), {503})
        release.append(1)
        rig.wait_for("the checks", lambda: all(self.health(proxy, "cold")
                                               for proxy in self.rig.proxies))
        self.assertEqual(self.statuses("cold"), {200})

    def test_a_refusal_is_an_answer(self):
        gone = f"127.0.0.1:{self.rig.port()}"
        well = self.rig.upstream()
        took = self.apply([self.to("gone", [gone, well], "5s")])
        self.assertEqual(self.statuses("gone"), {200})
        self.assertLess(took, 4 * rig.SLOWDOWN)

    def test_silence_holds_a_version_up_for_so_long_and_no_longer(self):
        well = self.rig.upstream()
        took = self.apply([self.to("silent", [self.silent(), well], "700ms", timeout="1s",
                                   frequency_secs=60)])
        self.assertEqual(self.statuses("silent"), {200})
        self.assertGreater(took, 0.7)

    def test_a_rehearsal_does_not_wait(self):
        route = self.to("rehearsed", [self.silent()], "5s", timeout="10s", frequency_secs=60)
        document = rig.document(rig.service(self.port, [route, rig.route("old", [self.old])]))
        started = time.monotonic()
        self.rig.ctl("apply", "-f", self.rig.write(document), "--wait", "--dry-run", "nodes")
        self.assertLess(time.monotonic() - started, 4)

    def test_what_is_served_goes_on_meanwhile(self):
        route = self.to("slow", [self.silent()], "2s", timeout="10s", frequency_secs=60)
        change = threading.Thread(target=self.apply, args=([route],))
        change.start()
        statuses = set()
        while change.is_alive():
            statuses |= self.statuses("old")
        change.join()
        self.assertEqual(statuses, {200})

    def test_what_is_known_is_not_checked_anew(self):
        known = self.rig.upstream()
        self.apply([self.to("known", [known], "1s", frequency_secs=60)])
        self.assertEqual(len(known.requests), len(self.rig.proxies))
        known.clear()
        self.apply([self.to("known", [known], "2s", frequency_secs=60)])
        self.assertEqual(known.requests, [])
        self.assertEqual(self.statuses("known"), {200})


if __name__ == "__main__":
    rig.main()
