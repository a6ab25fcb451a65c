#!/usr/bin/python3
"""A connection that always has more to say does not keep its worker to itself.

The proxy is stopped while one connection fills the sockets' buffers and then another asks for
something. Who comes first in the access log afterwards depends on no clock.
"""
import os
import signal
import sys
import threading
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import h1
import rig

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "security"))
import h2_frames as h2  # noqa: E402

# Small enough for the receiver's buffer, and far more frames than are heard in a turn.
FRAMES = h2.frame(h2.DATA, 0, 1, b"x") * 5500
PIPELINED = 2000


class FairTurnsTest(rig.FleetTest):
    workers = 1

    @classmethod
    def prepare(cls):
        cls.port, cls.tls_port = cls.rig.port(), cls.rig.port()
        site = cls.rig.cert("site", ["a.test"])
        routes = [rig.route("up", [cls.rig.upstream()], path_prefix="/up"),
                  rig.route("all", respond={"status": 204})]
        cls.rig.apply(rig.document(
            rig.service(cls.port, routes),
            rig.service(cls.tls_port, routes, name="tls", tls={
                "enabled": True, "cert_path": site.cert, "key_path": site.key})))

    def requests_before(self, flooder, data, path):
        """How many of `path` were answered before somebody else, who came later."""
        bystander = self.client()
        self.assertEqual(bystander.ask(rig.request("/before")).status, 204)
        sending = threading.Thread(target=flooder.sock.sendall, args=(data,))
        reading = threading.Thread(target=self.discard, args=(flooder.sock,), daemon=True)
        count = len(self.proxy.access_records())

        def since():
            return [record["path"] for record in self.proxy.access_records()[count:]]
        self.proxy.signal(signal.SIGSTOP)
        try:
            rig.wait_for("all threads to stop", self.stopped)
            sending.start()
            sending.join(0.5)  # Or the buffers are full.
            bystander.send(rig.request("/bystander"))
        finally:
            self.proxy.signal(signal.SIGCONT)
        reading.start()
        self.assertEqual(bystander.response().status, 204)
        sending.join()
        rig.wait_for("both", lambda: {"/last", "/bystander"} <= {*since()})
        return since()[:since().index("/bystander")].count(path)

    def stopped(self):
        tasks = f"/proc/{self.proxy.pid}/task"
        states = []
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/stat") as f:
                states.append(f.read().rsplit(")", 1)[1].split()[0])
        return set(states) == {"T"}

    @staticmethod
    def discard(sock):
        try:
            while sock.recv(1 << 16):
                pass
        except OSError:
            pass

    def test_pipelined_requests(self):
        flooder = h1.Client(self.proxy.host, self.port)
        data = rig.request("/flood") * PIPELINED + rig.request("/last")
        self.assertLess(self.requests_before(flooder, data, "/flood"), PIPELINED // 4)

    def test_frames_over_http2(self):
        for port, tls in ((self.port, None), (self.tls_port, certs.client_context(alpn=["h2"]))):
            with self.subTest(tls=bool(tls)):
                flooder = h1.Client(self.proxy.host, port, tls=tls,
                                    server_name="a.test" if tls else None)
                flooder.send(h2.PREFACE + h2.settings())
                rig.wait_for("SETTINGS", flooder.wire.more)
                flooder.send(h2.request(1, "/up", method="POST", end=False))
                data = FRAMES + h2.request(3, "/last") + h2.frame(h2.DATA, h2.END_STREAM, 1)
                self.assertEqual(self.requests_before(flooder, data, "/last"), 0)


if __name__ == "__main__":
    rig.main()
