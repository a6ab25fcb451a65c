#!/usr/bin/python3
"""HTTP/2 conformance by h2spec, all of its groups, over TLS and in clear text.

h2spec is a Go program: taken from PATH or SLUICE_H2SPEC, else built with `go install` into
build/peers; without Go, or without a network, the module is skipped.
"""
import os
import re
import shutil
import subprocess
import time

import _path  # noqa: F401
import peers
import rig
import upstream

# What is right although h2spec wants something else.
ARGUED = {
    # In clear text the same port speaks HTTP/1.1: what is no preface is a bad HTTP/1.1 request, and
    # gets a 400 before the connection closes.
    ("clear", "3.5. HTTP/2 Connection Preface", "2"),
}


def find_h2spec():
    found = os.environ.get("SLUICE_H2SPEC") or shutil.which("h2spec")
    return found or os.path.join(peers.built("h2spec"), "h2spec")


class H2SpecTest(rig.FleetTest):
    @classmethod
    def setUpClass(cls):
        cls.h2spec = find_h2spec()
        super().setUpClass()

    @classmethod
    def prepare(cls):
        r = cls.rig
        certificate = r.cert("a", ["a.test"])
        cls.tls_port, cls.clear_port = r.port(), r.port()

        # Later than whatever h2spec sends behind a request, which is then the first to be judged.
        def answer(connection, request):
            time.sleep(0.2)
            return upstream.reply("x" * 200)
        backend = r.upstream(on_request=answer)
        r.apply(rig.document(
            rig.service(cls.tls_port, [rig.route("all", [backend], "up")], name="tls",
                        tls={"enabled": True, "cert_path": certificate.cert,
                             "key_path": certificate.key}),
            rig.service(cls.clear_port, [rig.route("all", [backend], "up")], name="clear")))

    def failures(self, way, port, *args):
        run = subprocess.run([self.h2spec, "-S", "-h", self.proxy.host, "-p", str(port), "-o", "5",
                              *args], capture_output=True, text=True, timeout=280)
        # -S: also what the specification only recommends.
        self.assertRegex(run.stdout, r"14\d tests, \d+ passed, 0 skipped", run.stderr)
        failed, section = set(), None
        behind = run.stdout.rpartition("Failures:")[2] if "Failures:" in run.stdout else ""
        for line in behind.splitlines():
            if match := re.match(r"\s*(\d+(?:\.\d+)*\. .*)", line):
                section = match[1]
            elif match := re.match(r"\s*× (\d+):", line):
                failed.add((way, section, match[1]))
        return failed - ARGUED, behind

    def test_over_tls(self):
        failed, told = self.failures("tls", self.tls_port, "-t", "-k")
        self.assertEqual(failed, set(), told)

    def test_in_clear_text(self):
        failed, told = self.failures("clear", self.clear_port)
        self.assertEqual(failed, set(), told)


if __name__ == "__main__":
    rig.main()
