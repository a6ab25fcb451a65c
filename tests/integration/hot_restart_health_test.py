#!/usr/bin/python3
"""What a proxy knows of its nodes is known to the process that takes its place, and what it does
not know is asked before anybody depends on it."""
import signal
import socket
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import h1
import load
import restarts
import rig
from upstream import OK, reply

SICK = reply("sick", "500 Internal Server Error")


class HotRestartHealthTest(restarts.HotRestarts, rig.FleetTest):
    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()

    def serve(self, nodes, **options):
        """All requests go to these, in turn."""
        self.rig.apply(rig.document(rig.service(self.port, [
            rig.route("all", nodes, "all", {"lb_strategy": "round_robin",
                                            "panic_threshold_percent": 0, **options})])))

    def sample(self, name, up):
        return rig.metric(self.proxy.metrics(), name, upstream="all",
                          endpoint=getattr(up, "address", up))

    def restart_under_load(self):
        """Twice, and nothing may fail."""
        with load.Steady(self.proxy.host, self.port, threads=2) as steady:
            for _ in range(2):
                rig.wait_for("traffic", lambda: steady.ok > 50)
                old, _ = self.restart()
                # Long enough for what would be found out only now.
                ends, mark = time.monotonic() + 0.5, steady.ok
                rig.wait_for("traffic", lambda: steady.ok > mark + 50 and time.monotonic() > ends)
                self.assertEqual(old.wait(), 0)
        self.assertEqual((steady.failures, steady.refused), ([], 0))

    @staticmethod
    def slow_check(connection, request):
        if request.target == "/health":
            time.sleep(0.3)
        return OK

    def silent(self):
        """A node that takes connections and says nothing."""
        listener = socket.create_server(("127.0.0.1", self.rig.port()))
        self.addCleanup(listener.close)
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def test_nodes_that_begin_unhealthy(self):
        only = self.rig.upstream(on_request=self.slow_check)
        self.serve([only], health_check={"schema": "http", "http_path": "/health", "frequency_secs": 1,
                                         "initially_unhealthy": True})
        rig.wait_for("its check", lambda: self.sample("sluice_endpoint_healthy", only))
        self.restart_under_load()

    def test_nodes_that_fail_their_checks(self):
        good, sick = self.rig.upstream(), self.rig.upstream(on_request=lambda c, q: SICK)
        self.serve([good, sick], health_check={"schema": "http", "http_path": "/health",
                                               "frequency_secs": 1, "unhealthy_after": 3})
        rig.wait_for("its checks", lambda: self.sample("sluice_endpoint_healthy", sick) == 0)
        since = self.node_page(sick)["since_unix_ms"]
        self.restart_under_load()
        self.assertEqual({request.target for request in sick.requests[-50:]}, {"/health"})
        self.assertEqual(self.node_page(sick)["since_unix_ms"], since)

    def node_page(self, up):
        return next(endpoint for cluster in self.proxy.get("/clusters")
                    for endpoint in cluster["endpoints"] if endpoint["address"] == up.address)

    def test_nodes_that_are_ejected(self):
        good, sick = self.rig.upstream(), self.rig.upstream(on_request=lambda c, q: SICK)
        self.serve([good, sick], outlier_detection={"consecutive_failures": 3,
                                                    "base_ejection": "60s"})
        rig.wait_for("the ejection", lambda: self.get().status and
                     self.sample("sluice_endpoint_ejected", sick))
        asked, page = len(sick.requests), self.node_page(sick)
        self.restart_under_load()
        self.assertEqual(len(sick.requests), asked)
        self.assertEqual(self.node_page(sick), page)

    def test_a_node_that_is_readmitted_in_time(self):
        """It is out for as long as it was to be, not for ever, nor from the restart on."""
        good, sick = self.rig.upstream(), self.rig.upstream(on_request=lambda c, q: SICK)
        self.serve([good, sick], outlier_detection={"consecutive_failures": 3,
                                                    "base_ejection": "2s"})
        rig.wait_for("the ejection", lambda: self.get().status and
                     self.sample("sluice_endpoint_ejected", sick))
        sick.on_request = lambda c, q: OK
        asked = len(sick.requests)
        old, _ = self.restart()
        self.assertEqual(old.wait(), 0)
        rig.wait_for("its return", lambda: self.get().status == 200 and
                     len(sick.requests) > asked)
        self.assertEqual(self.sample("sluice_endpoint_ejected", sick), 0)

    def serve_silent(self):
        """Nobody knows of this node yet, the running process included."""
        good = self.rig.upstream()
        self.serve([good, self.silent()],
                   health_check={"schema": "http", "frequency_secs": 60, "timeout": "50s",
                                 "initially_unhealthy": True, "warm_up": "5s"})

    def warming(self, nodes=1):
        new = self.successor(expect=(0, 1))
        rig.wait_for("the warm-up", lambda: f"waiting for the first checks of {nodes} nodes" in
                     new.output())
        return new

    def test_what_is_unknown_is_waited_for_and_not_for_ever(self):
        self.serve_silent()
        with load.Steady(self.proxy.host, self.port, threads=1) as steady:
            new = self.warming()
            mark = steady.ok  # The old one serves meanwhile.
            rig.wait_for("traffic", lambda: steady.ok > mark + 50)
            old = self.running
            self.wait_takeover(new)
            self.assertEqual(old.wait(), 0)
        self.assertEqual((steady.failures, steady.refused), ([], 0))

    def test_a_warm_up_ends_with_the_old_process(self):
        self.serve_silent()
        # It dies: now there is nobody else.
        new = self.warming()
        started = time.monotonic()
        self.running.kill()
        self.wait_takeover(new)
        self.assertLess(time.monotonic() - started, 4 * rig.SLOWDOWN)  # Not all of the 5 s.
        self.assertEqual(self.get().status, 200)
        # It is told to end: so the node ends.
        new, old = self.warming(), self.running
        old.signal(signal.SIGTERM)
        self.assertEqual(new.wait(), 1)
        self.assertIn("the running proxy is ending", new.output())
        self.assertEqual(old.wait(), 0)
        type(self).running = self.successor()
        rig.wait_for("it to serve", lambda: self.get().status == 200)

    def test_an_ordinary_start_answers_only_when_its_nodes_are_known(self):
        only = self.rig.upstream(on_request=self.slow_check)
        self.serve([only], health_check={"schema": "http", "http_path": "/health", "frequency_secs": 1,
                                         "initially_unhealthy": True})
        rig.wait_for("its check", lambda: self.get().status == 200)
        self.assertEqual(self.running.stop(), 0)
        type(self).running = self.successor()  # There is nobody to take over from.

        def first_answer():
            with h1.Client(self.proxy.host, self.port) as client:
                return client.ask(rig.request()).status
        self.assertEqual(rig.wait_for("an answer", first_answer), 200)
        self.assertIn("waiting for the first checks of 1 nodes", self.running.output())
        rig.wait_for("the node", lambda: self.rig.ctl.state("node-1") == "synced")

    def test_an_ordinary_start_can_be_called_off_while_it_waits(self):
        self.serve_silent()
        self.assertEqual(self.running.stop(), 0)
        new = self.warming(nodes=2)
        self.assertEqual(rig.http_get(self.proxy.admin, "/readyz")[0], 503)
        self.assertEqual(new.stop(), 0)
        type(self).running = self.successor()
        rig.wait_for("it to serve", lambda: self.get().status == 200)


if __name__ == "__main__":
    rig.main()
