#!/usr/bin/python3
"""/metrics of both planes: promtool accepts it, and the figures are those of the traffic."""
import re
import shutil
import subprocess
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import rig


def names(text):
    return {match[1] for match in re.finditer(r"^# TYPE (\S+)", text, re.M)}


class MetricsTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port, cls.tls_port = r.port(), r.port()
        cls.backend = r.nginx("a")
        site = r.cert("site", ["a.test"])
        routes = [rig.route("api", [cls.backend], "main", path_prefix="/api"),
                  rig.route("all", [cls.backend], "main")]
        r.apply(rig.document(
            rig.service(cls.port, routes),
            rig.service(cls.tls_port, routes, name="tls",
                        tls={"enabled": True, "cert_path": site.cert, "key_path": site.key})))

    def check(self, text):
        done = subprocess.run([shutil.which("promtool") or "promtool", "check", "metrics"], input=text,
                              capture_output=True, text=True, timeout=rig.DEADLINE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def sum(self, wanted, **labels):
        """Sum over every counter whose name matches."""
        text = self.proxy.metrics()
        found = [n for n in set(re.findall(r"^([a-z_:]+)", text, re.M)) if re.search(wanted, n)]
        values = [rig.metric(text, n, **labels) for n in found]
        return sum(v for v in values if v is not None)

    def test_promtool_accepts_the_proxy(self):
        self.get("/api/x")
        self.get("/x")
        text = self.proxy.metrics()
        self.check(text)
        self.assertTrue(all(n.startswith(("sluice_", "process_", "go_")) for n in names(text)), names(text))

    def test_promtool_accepts_the_controller(self):
        text = self.rig.controller.metrics()
        self.check(text)
        self.assertTrue(names(text))

    def test_requests_are_counted_by_route_and_class(self):
        before = self.sum(r"^sluice_requests_total$|requests_total$", route="api")
        for _ in range(7):
            self.get("/api/x")
        self.assertEqual(self.sum(r"^sluice_requests_total$|requests_total$", route="api"), before + 7)

    def test_latency_is_a_histogram(self):
        self.get("/api/x")
        text = self.proxy.metrics()
        self.assertRegex(text, r'_bucket\{[^}]*le="\+Inf"[^}]*\} [1-9]')

    def test_every_promised_kind_is_there(self):
        self.get("/api/x")
        self.get("/", port=self.tls_port, tls=certs.client_context(), server_name="a.test")
        have = " ".join(names(self.proxy.metrics()))
        for word in ("request", "bytes", "connection", "pool", "retr", "health", "tls", "snapshot_revision",
                     "process_"):
            with self.subTest(word=word):
                self.assertIn(word, have)

    def test_strangers_make_no_series(self):
        for i in range(5):
            self.get("/warm", f"h{i}.test")
            self.get("/warm", method=f"WARM{i}")
        before = len(self.proxy.metrics().splitlines())
        client = self.client()
        for i in range(300):
            client.ask(rig.request(f"/{i}", f"r4nd0m-{i}.test", method=f"ZZ{i}"))
        self.assertEqual(len(self.proxy.metrics().splitlines()), before)

    def test_connections_come_and_go(self):
        def active():
            return self.sum(r"connections(_active)?$", service="web")
        clients = [self.client() for _ in range(5)]
        for client in clients:
            client.ask(rig.request())
        rig.wait_for("five", lambda: active() >= 5)
        for client in clients:
            client.close()
        rig.wait_for("none", lambda: active() < 5)


if __name__ == "__main__":
    rig.main()
