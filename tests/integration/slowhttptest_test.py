#!/usr/bin/python3
"""The attacks of slowhttptest: while hundreds of connections dawdle, others are served at once, and
the proxy's own timeouts end every one of them.

slowhttptest is a package of Debian's; the module is skipped where it is not installed.
"""
import signal
import subprocess

import _path  # noqa: F401
import certs
import peers
import rig

CONNECTIONS = 400
RSS_GROWTH_KIB_MAX = 48 << 10
# What to do, where, and the failure each connection is ended with; None: every request is answered.
ATTACKS = {
    "slow heads": (["-H", "-i", "1", "-x", "24"], "/v", "request_timeout"),
    "slow bodies": (["-B", "-i", "3", "-s", "100000", "-x", "10", "-t", "POST"], "/upload",
                    "request_timeout"),
    # The window opens for 32 bytes at a time, of eight megabytes.
    "slow reading": (["-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3"],
                     "/files/large.bin", "client_gone"),
    "ranges": (["-R", "-a", "10", "-b", "3000"], "/files/large.bin", None),
}


class SlowHttpTest(rig.FleetTest):
    @classmethod
    def setUpClass(cls):
        cls.tool = peers.need("slowhttptest")
        super().setUpClass()

    @classmethod
    def prepare(cls):
        r = cls.rig
        certificate = r.cert("a", ["a.test"])
        cls.ports = {False: r.port(), True: r.port()}
        # What waits for a whole body before it answers.
        backend = r.nginx("backend", extra="location = /upload { "
                          "proxy_pass http://$server_addr:$server_port/v; }")
        backend.file("large.bin", 8_000_000)
        routes = [rig.route("all", [backend], "up")]
        timeouts = {"handshake": "2s", "header": "3s", "idle": "2s", "keep_alive": "2s"}
        r.apply(rig.document(
            rig.service(cls.ports[False], routes, timeouts=timeouts),
            rig.service(cls.ports[True], routes, name="tls", timeouts=timeouts,
                        tls={"enabled": True, "cert_path": certificate.cert,
                             "key_path": certificate.key})))

    def served(self):
        """Others are, at once, on either port."""
        for tls in (None, certs.client_context()):
            answer = self.get("/v", port=self.ports[bool(tls)], tls=tls,
                              server_name="a.test" if tls else None)
            self.assertEqual(answer.status, 200)

    def count(self, name, secure, **labels):
        return rig.metric(self.proxy.metrics(), name, service="tls" if secure else "web",
                          **labels) or 0

    def attack(self, options, path, secure):
        """Until the proxy has taken and ended every connection; what the tool said."""
        url = f"{'https' if secure else 'http'}://{self.proxy.host}:{self.ports[secure]}{path}"
        before = self.count("sluice_connections_total", secure)
        largest, own = self.proxy.rss_kib(), 0
        with open(self.rig.path("slowhttptest.log"), "w+") as said:
            run = subprocess.Popen(
                [self.tool, *options, "-c", str(CONNECTIONS), "-r", str(CONNECTIONS), "-p", "3",
                 "-l", "240", "-u", url], stdin=subprocess.DEVNULL, stdout=said,
                stderr=subprocess.STDOUT)

            def ended():
                nonlocal largest, own
                self.served()
                own += 1
                largest = max(largest, self.proxy.rss_kib())
                return (self.count("sluice_connections_total", secure) - before >= CONNECTIONS + own
                        and self.count("sluice_connections_active", secure) == 0)
            try:
                rig.wait_for("the proxy to end every connection", ended, 3 * rig.DEADLINE)
            finally:
                run.send_signal(signal.SIGINT)  # It has still its report to write.
                run.wait()
            said.seek(0)
            return said.read(), largest

    def test_every_attack_ends_and_nobody_else_notices(self):
        for name, (options, path, failure) in ATTACKS.items():
            for secure in (False, True):
                with self.subTest(attack=name, secure=secure):
                    self.served()
                    resident = self.proxy.rss_kib()
                    failed = self.count("sluice_failures_total", secure, code=failure)
                    said, largest = self.attack(options, path, secure)
                    self.assertIn("slowhttptest version", said)
                    self.assertNotRegex(said, r"service available:\s*NO")
                    if failure:
                        # One that has not begun yet when its time is over is closed in silence.
                        self.assertGreaterEqual(
                            self.count("sluice_failures_total", secure, code=failure) - failed,
                            0.95 * CONNECTIONS)
                    if not rig.SANITIZER:
                        self.assertLess(largest - resident, RSS_GROWTH_KIB_MAX)


if __name__ == "__main__":
    rig.main()
