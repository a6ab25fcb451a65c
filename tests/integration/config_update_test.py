#!/usr/bin/python3
"""Under constant load nothing is lost while the configuration, or the controller, changes."""
import shutil
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import load
import rig

CHANGES = 200 if not rig.SANITIZER else 30
CONNECTIONS = 64


class ConfigUpdateTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port, cls.tls_port = r.port(), r.port()
        cls.backends = [r.nginx("a"), r.nginx("b"), r.nginx("c")]
        cls.authority = r.cert("ca")
        cls.site = r.cert("site", ["a.test"], issuer=cls.authority)
        cls.spares = [r.cert(f"spare-{i}", ["a.test"], issuer=cls.authority) for i in range(4)]
        r.apply(cls.version(0))

    @classmethod
    def version(cls, i):
        """Each differs from the one before in routes, endpoints or certificate, by turns."""
        a, b, c = cls.backends
        nodes = [[a, b], [b, c], [a, c]][(i // 2) % 3]
        extra = [rig.route(f"extra-{k}", path_prefix=f"/extra-{i}-{k}", respond={"status": 200})
                 for k in range(1 + i % 3)]
        routes = [*extra, rig.route("all", nodes, "main", {"lb_strategy": "round_robin"})]
        return rig.document(
            rig.service(cls.port, routes),
            rig.service(cls.tls_port, routes, name="tls", tls={
                "enabled": True, "cert_path": cls.site.cert, "key_path": cls.site.key}))

    def swap_certificate(self, i):
        spare = self.spares[i % len(self.spares)]
        shutil.copy(spare.cert, self.site.cert)
        shutil.copy(spare.key, self.site.key)

    def no_failures(self, result):
        failed = {k: v for k, v in result.items() if k != "requests" and v}
        self.assertEqual(failed, {}, f"{result['requests']} requests")
        self.assertGreater(result["requests"], 1000 // rig.SLOWDOWN)

    def stop_steady(self, steady):
        steady.stop()
        self.assertEqual((steady.failures, steady.refused, steady.closed_idle), ([], 0, 0))
        self.assertGreater(steady.ok, 0)

    def test_many_changes_of_routes_endpoints_and_certificates(self):
        seconds = 400  # More than the changes could take, on any machine.
        trust = certs.client_context(self.authority)
        before = self.rig.ctl.revision()
        with load.Steady(self.proxy.host, self.tls_port, threads=4, tls=trust,
                         server_name="a.test") as steady:
            wrk = load.Wrk(self.rig, f"http://{self.proxy.host}:{self.port}/x", seconds, CONNECTIONS)
            done = 0
            for i in range(1, CHANGES + 1):
                if i % 3 == 0:
                    self.swap_certificate(i)
                self.rig.apply(self.version(i), "--allow-shrink")
                done = i
                self.assertTrue(wrk.running(), f"wrk ended after {done} changes")
            self.stop_steady(steady)
        self.assertEqual(done, CHANGES)
        self.assertEqual(self.rig.ctl.revision(), before + CHANGES)
        last = self.get(f"/extra-{CHANGES}-0")
        self.assertEqual(last.status, 200)
        wrk.end()
        self.no_failures(wrk.result())

    def test_controller_killed_and_restarted(self):
        seconds = 12
        wrk = load.Wrk(self.rig, f"http://{self.proxy.host}:{self.port}/x", seconds, CONNECTIONS)
        for _ in range(3):
            self.rig.controller.kill()
            self.assertEqual(self.get("/").status, 200)
            self.rig.controller.start()
            self.rig.wait_nodes("node-1")
            rig.wait_for("the node to be in step again", lambda: self.rig.ctl.state("node-1") == "synced")
        # And it takes changes again.
        self.rig.apply(self.version(CHANGES + 1))
        self.no_failures(wrk.result())

    def test_open_answers_survive_a_change(self):
        up = self.rig.upstream()
        port = self.rig.port()
        held = []
        up.on_request = lambda c, q: held.append(c) or (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        streaming = rig.service(port, [rig.route("stream", [up], "stream-up")], name="stream")
        document = self.version(CHANGES + 2)
        document["services"].append(streaming)
        self.rig.apply(document)
        client = self.client(port)
        client.send(rig.request("/stream"))
        rig.wait_for("the stream", lambda: held)
        # The whole service goes; its open answer is finished all the same.
        self.rig.ctl("apply", "-f", self.rig.write(self.version(CHANGES + 3)), "--allow-shrink")
        rig.wait_for("the new version", lambda: self.get(f"/extra-{CHANGES + 3}-0").status == 200)
        held[0].send(b"3\r\ntwo\r\n0\r\n\r\n")
        answer = client.response()
        self.assertEqual(answer.body, b"onetwo")
        self.assertEqual(client.at_end(), b"")

    def test_listeners_open_and_close_live(self):
        port = self.rig.port()
        document = self.version(CHANGES + 4)
        document["services"].append(rig.service(
            port, [rig.route("all", [self.backends[0]], "extra-up")], name="extra"))
        self.rig.apply(document)
        self.assertEqual(self.get(port=port).status, 200)
        self.rig.apply(self.version(CHANGES + 5), "--allow-shrink")

        def refused():
            try:
                self.client(port)
            except ConnectionRefusedError:
                return True
            return False
        rig.wait_for("the listener to close", refused)
        self.assertEqual(self.get().status, 200)


if __name__ == "__main__":
    rig.main()
