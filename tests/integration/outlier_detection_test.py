#!/usr/bin/python3
"""Nodes that treat requests badly get none for some time, whatever their health checks say."""
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import rig
from upstream import OK, reply

RETRY = {"on": ["connect_failure", "reset", "gateway_error"], "attempts": 3}


class OutlierDetectionTest(rig.FleetTest):
    workers = 2

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        cls.ups = [r.upstream() for _ in range(3)]
        turn = {"lb_strategy": "round_robin"}

        def watched(name, nodes, **outlier):
            return rig.route(name, nodes, name, {**turn, "outlier_detection": {
                "consecutive_failures": 3, "base_ejection": "1s", **outlier}},
                             path_prefix="/" + name)
        slow = watched("slow", cls.ups, consecutive_failures=0, latency_percent=300,
                       interval="500ms", requests_min=5, base_ejection="60s")
        rate = watched("rate", cls.ups, consecutive_failures=0, success_deviations_percent=130,
                       interval="500ms", requests_min=20, base_ejection="60s")
        cls.tcp_port, dead = r.port(), r.port()
        cls.refusing = f"127.0.0.1:{dead}"
        tcp = rig.service(cls.tcp_port, [{"name": "tcp", "upstreams": [rig.group(
            "tcp", [cls.refusing, *cls.ups[:2]], **turn, outlier_detection={
                "consecutive_failures": 3, "base_ejection": "60s"})]}], "tcp", protocol="tcp")
        cls.document = rig.document(rig.service(cls.port, [
            watched("row", cls.ups), watched("capped", cls.ups, max_ejected_percent=40,
                                             base_ejection="60s"),
            watched("alone", cls.ups[:1]), watched("kept", cls.ups, base_ejection="60s"),
            {**watched("retried", cls.ups, base_ejection="60s"), "retry": RETRY}, slow, rate]), tcp)
        r.apply(cls.document)

    def setUp(self):
        super().setUp()
        for up in self.ups:
            up.on_request = lambda c, q: OK
            up.clear()

    def ejected(self, upstream, up=None):
        labels = {"endpoint": up.address} if up else {}
        return rig.metric(self.proxy.metrics(), "sluice_endpoint_ejected", upstream=upstream,
                          **labels)

    def ask(self, name, count):
        """Statuses; one worker's connections and the other's."""
        return [self.get(f"/{name}/x").status for _ in range(count)]

    def fail(self, up, status="503 Service Unavailable"):
        up.on_request = lambda c, q: reply("bad", status)

    def seen(self, up):
        return sum(len(c.requests) for c in up.connections)

    def test_failures_in_a_row(self):
        bad = self.ups[0]
        for fault in (reply("bad", "500 Internal Server Error"), "close", b"SSH-2.0\r\n"):
            bad.on_request = lambda c, q, fault=fault: fault
            before = self.seen(bad)
            rig.wait_for("the ejection", lambda: self.ask("row", 3) and self.ejected("row", bad))
            self.assertLessEqual(self.seen(bad) - before, 12)
            self.assertEqual(set(self.ask("row", 10)), {200})
            bad.on_request = lambda c, q: OK
            rig.wait_for("the return", lambda: not self.ejected("row"))
            bad.clear()
            rig.wait_for("requests again", lambda: self.ask("row", 3) and self.seen(bad))

    def test_the_controller_is_told(self):
        bad = self.ups[1]
        self.fail(bad)
        rig.wait_for("the ejection", lambda: self.ask("kept", 3) and self.ejected("kept", bad))
        rig.wait_for("the controller to know", lambda: "3 failures in a row" in self.rig.ctl(
            "get", "upstreams", "-o", "wide").stdout)
        # A change elsewhere leaves it out, and so does one of the upstream itself.
        for change in (lambda: self.document["services"][0]["routes"].append(
                           rig.route("more", self.ups, "more", path_prefix="/more")),
                       lambda: self.document["services"][0]["routes"][3]["upstreams"][0].update(
                           keep_alive={"connections": 7})):
            change()
            self.rig.apply(self.document)
            self.assertTrue(self.ejected("kept", bad))
            self.assertEqual(set(self.ask("kept", 9)), {200})

    def test_not_too_many(self):
        for up in self.ups:
            self.fail(up)
        self.ask("capped", 60)
        self.assertEqual(self.ejected("capped"), 1)
        total = rig.metric(self.proxy.metrics(), "sluice_upstream_ejections_total",
                           upstream="capped", reason="consecutive_failures")
        self.assertEqual(total, 1)

    def test_the_only_node_stays(self):
        self.fail(self.ups[0])
        self.assertEqual(set(self.ask("alone", 20)), {503})
        self.ups[0].on_request = lambda c, q: OK
        self.assertEqual(set(self.ask("alone", 5)), {200})

    def test_tries_that_were_repeated_count(self):
        bad = self.ups[2]
        self.fail(bad)
        statuses = []
        rig.wait_for("the ejection", lambda: statuses.extend(self.ask("retried", 3)) or
                     self.ejected("retried", bad))
        self.assertEqual(set(statuses), {200})

    # --- TCP.
    def test_nodes_that_tcp_services_cannot_connect_to(self):
        for _ in range(12):  # The next node is tried.
            self.assertEqual(self.get("/", port=self.tcp_port).status, 200)
        self.assertEqual(rig.metric(self.proxy.metrics(), "sluice_endpoint_ejected",
                                    upstream="tcp", endpoint=self.refusing), 1)
        self.assertEqual(self.ejected("tcp"), 1)
        failures = self.connect_failures()
        self.assertEqual(failures, 3)
        for _ in range(6):
            self.assertEqual(self.get("/", port=self.tcp_port).status, 200)
        self.assertEqual(self.connect_failures(), failures, "nobody asks it any more")

    def connect_failures(self):
        return rig.metric(self.proxy.metrics(), "sluice_upstream_connect_failures_total",
                          upstream="tcp")

    def test_what_means_nothing_for_tcp_is_refused_in_its_place(self):
        upstream = rig.group("t", self.ups[:1], hash_on="header:X-User", keep_alive={"idle": "5s"},
                             circuit_breaker={"retry_budget_percent": 5, "connections": 5},
                             outlier_detection={"latency_percent": 300, "nodes_min": 5,
                                                "consecutive_failures": 3})
        done = self.rig.ctl("validate", "-f", self.rig.write(rig.document(rig.service(
            self.rig.port(), [{"name": "r", "upstreams": [upstream]}], "db", protocol="tcp"))),
            code=1)
        said = done.stdout + done.stderr
        for key in ("hash_on", "keep_alive", "circuit_breaker.retry_budget_percent",
                    "outlier_detection.latency_percent", "outlier_detection.nodes_min"):
            self.assertIn(f"services[0].routes[0].upstreams[0].{key}: ", said)
        self.assertEqual(said.count("has no meaning in a service with protocol: tcp; "), 5, said)

    # --- In an interval.
    def test_slow_nodes(self):
        def slow(connection, request):
            time.sleep(0.03)
            return OK
        self.ups[0].on_request = slow
        rig.wait_for("the ejection", lambda: self.ask("slow", 60) and
                     self.ejected("slow", self.ups[0]))
        self.assertEqual(self.ejected("slow"), 1)

    def test_nodes_that_fail_more_often(self):
        count = []
        self.ups[1].on_request = lambda c, q: count.append(1) or (
            OK if len(count) % 2 else reply("bad", "500 Internal Server Error"))
        rig.wait_for("the ejection", lambda: self.ask("rate", 60) and
                     self.ejected("rate", self.ups[1]))
        self.assertEqual(self.ejected("rate"), 1)


if __name__ == "__main__":
    rig.main()
