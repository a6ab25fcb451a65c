#!/usr/bin/python3
"""The admin API of the proxy and the controller's own port."""
import json
import unittest  # noqa: F401

import _path  # noqa: F401
import rig


class AdminTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()
        cls.backend = cls.rig.nginx("a")
        cls.rig.apply(rig.document(rig.service(cls.port, [
            rig.route("api", [cls.backend], "main", path_prefix="/api", strip_prefix="/api"),
            rig.route("all", [cls.backend], "main")])))

    def test_health_and_readiness(self):
        for address in (self.proxy.admin, self.rig.controller.admin):
            self.assertEqual(rig.http_get(address, "/healthz")[0], 200)
            self.assertEqual(rig.http_get(address, "/readyz")[0], 200)

    def test_not_ready_before_a_snapshot(self):
        other = rig.Rig()
        self.addCleanup(other.close)
        other.start_controller()
        proxy = other.start_proxy("lonely")
        self.assertNotEqual(rig.http_get(proxy.admin, "/readyz")[0], 200)
        self.assertEqual(rig.http_get(proxy.admin, "/healthz")[0], 200)

    def test_pages_are_json_and_name_what_runs(self):
        self.get("/api/x")
        for page, word in (("/config", "api"), ("/clusters", self.backend.address),
                           ("/listeners", str(self.port)), ("/connections", ""), ("/stats", "")):
            with self.subTest(page=page):
                self.assertIn(word, json.dumps(self.proxy.get(page)))

    def test_unknown_pages_and_methods(self):
        self.assertEqual(rig.http_get(self.proxy.admin, "/nothing")[0], 404)
        self.assertEqual(rig.http_get(self.proxy.admin, "/drain")[0], 405)
        self.assertEqual(rig.http_get(self.proxy.admin, "/healthz", "DELETE")[0], 405)

    def test_log_level(self):
        status, _, body = rig.http_get(self.proxy.admin, "/log-level?level=debug", "POST")
        self.assertEqual(status, 200, body)
        self.assertNotEqual(rig.http_get(self.proxy.admin, "/log-level?level=loud", "POST")[0], 200)
        rig.http_get(self.proxy.admin, "/log-level?level=info", "POST")

    def test_explain(self):
        told = self.proxy.get(f"/explain?method=GET&url=http://a.test:{self.port}/api/x")
        self.assertIn("api", json.dumps(told))
        self.assertIn("/x", json.dumps(told))

    def test_hostile_bytes_do_not_end_it(self):
        host, port = self.proxy.admin.rsplit(":", 1)
        for data in (b"\x00" * 100, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
                     b"POST /drain HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n"):
            client = self.client(int(port), host=host)
            client.send_split(data, 4096)
            client.half_close()
            try:
                client.at_end()
            except OSError:
                pass
        self.assertEqual(rig.http_get(self.proxy.admin, "/healthz")[0], 200)
        self.assertEqual(self.get().status, 200)

    def test_z_drain(self):
        self.assertEqual(rig.http_get(self.proxy.admin, "/drain", "POST")[0], 200)
        rig.wait_for("the drain", lambda: rig.http_get(self.proxy.admin, "/readyz")[0] != 200)


if __name__ == "__main__":
    rig.main()
