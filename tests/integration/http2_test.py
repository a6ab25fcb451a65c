#!/usr/bin/python3
"""HTTP/2 clients: by ALPN and with prior knowledge, many streams, bodies both ways, winding down."""
import hashlib
import os
import re
import subprocess
import threading
import unittest  # noqa: F401

import _path  # noqa: F401
import rig
import upstream


def curl(*args, input=None):
    run = subprocess.run(["curl", "-sS", "--max-time", "60", *args], input=input,
                         capture_output=True)
    return run


class Http2Test(rig.FleetTest):
    workers = 2

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.authority = r.cert("ca")
        cls.certificate = r.cert("a", ["a.test"], issuer=cls.authority)
        cls.port, cls.clear_port = r.port(), r.port()
        cls.backend = r.nginx("backend")
        cls.files = {size: cls.backend.file(f"{size}.bin", size)
                     for size in (1, 1000, 16384, 100_000, 300_000, 8_000_000)}
        cls.recorder = r.upstream(on_request=lambda connection, request: cls.answer(request))
        cls.gate = threading.Event()
        routes = [rig.route("recorded", [cls.recorder], path_prefix="/recorded"),
                  rig.route("limited", [cls.recorder], path_prefix="/limited",
                            upstream_name="limited-up", body_bytes=1000),
                  rig.route("dead", [f"127.0.0.1:{r.port()}"], path_prefix="/dead"),
                  rig.route("all", [cls.backend])]
        # An upstream is defined once and named by the other service.
        clear_routes = [{**route, "upstreams": [{"name": route["upstreams"][0]["name"]}]}
                        for route in routes]
        cls.services = (
            rig.service(cls.port, routes, limits={"header_bytes": 16384}, tls={"enabled": True, "cert_path": cls.certificate.cert,
                                               "key_path": cls.certificate.key}),
            rig.service(cls.clear_port, clear_routes, name="clear"))
        r.apply(rig.document(*cls.services))

    @classmethod
    def answer(cls, request):
        path = request.target.split("?")[0]
        if path == "/recorded/trailers":
            return (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: digest\r\n\r\n"
                    b"5\r\nhello\r\n0\r\nDigest: abc\r\n\r\n")
        if path == "/recorded/hints":
            return (b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + upstream.reply("late"))
        if path == "/recorded/slow":
            cls.gate.wait(30)
            return upstream.reply("slow")
        if path == "/recorded/cut":
            return "close"
        return upstream.reply(hashlib.sha256(request.body).hexdigest())

    def url(self, path, clear=False):
        return (f"http://{self.proxy.host}:{self.clear_port}{path}" if clear
                else f"https://a.test:{self.port}{path}")

    def curl(self, path, *args, clear=False, input=None):
        """Body and the facts curl tells."""
        how = (["--http2-prior-knowledge"] if clear else
               ["--http2", "--cacert", self.authority.cert, "--resolve",
                f"a.test:{self.port}:{self.proxy.host}"])
        run = curl(*how, "-w", "\n%{http_version} %{http_code}", *args, self.url(path, clear),
                   input=input)
        self.assertEqual(run.returncode, 0, run.stderr)
        body, _, facts = run.stdout.rpartition(b"\n")
        version, status = facts.decode().split()
        return body, version, int(status)

    def test_by_alpn_and_by_prior_knowledge(self):
        for clear in (False, True):
            body, version, status = self.curl("/v", clear=clear)
            self.assertEqual((version, status), ("2", 200))
            self.assertTrue(body)

    def test_a_client_that_does_not_offer_h2_gets_http_1(self):
        run = curl("--http1.1", "-k", "-o", "/dev/null", "-w", "%{http_version}",
                   f"https://{self.proxy.host}:{self.port}/v")
        self.assertEqual(run.stdout, b"1.1")

    def test_what_the_upstream_sees(self):
        self.curl("/recorded/x?q=1", "-H", "Cookie: a=1; b=2", "-H", "X-Own: v", "-H", "TE: trailers")
        request = self.recorder.last()
        self.assertEqual(request.target, "/recorded/x?q=1")
        self.assertEqual(request.get("host"), f"a.test:{self.port}")
        self.assertEqual(request.get("cookie"), "a=1; b=2")
        self.assertEqual(request.get("x-own"), "v")
        self.assertEqual(request.get("x-forwarded-proto"), "https")
        self.assertIsNone(request.get("te"))
        self.assertTrue(request.get("x-request-id"))

    def test_bodies_go_up_whole(self):
        for size in (0, 1, 16384, 100_000, 5_000_000):
            body = os.urandom(size)
            for clear in (False, True):
                answer, _, status = self.curl("/recorded/up", "--data-binary", "@-", clear=clear,
                                              input=body)
                self.assertEqual((status, answer.decode()),
                                 (200, hashlib.sha256(body).hexdigest()), size)
            self.assertEqual(len(self.recorder.last().body), size)

    def test_bodies_of_unknown_length_go_up_chunked(self):
        body = os.urandom(300_000)
        answer, _, status = self.curl("/recorded/up", "-X", "POST", "-T", "-", input=body)
        self.assertEqual((status, answer.decode()), (200, hashlib.sha256(body).hexdigest()))
        self.assertEqual(self.recorder.last().framing, "chunked")

    def test_bodies_come_down_whole(self):
        for size in (1, 16384, 100_000, 8_000_000):
            body, _, status = self.curl(f"/files/{size}.bin")
            self.assertEqual((status, len(body)), (200, size))

    def test_head_has_a_length_and_no_body(self):
        run = curl("--http2-prior-knowledge", "-I", self.url("/files/1000.bin", True))
        self.assertIn(b"content-length: 1000", run.stdout.lower())

    def test_trailers(self):
        run = subprocess.run(["nghttp", "-v", self.url("/recorded/trailers", True)],
                             capture_output=True, text=True)
        self.assertIn("digest: abc", run.stdout)
        self.assertIn("hello", run.stdout)

    def test_interim_responses(self):
        run = curl("--http2-prior-knowledge", "-i", self.url("/recorded/hints", True))
        self.assertRegex(run.stdout.decode(), r"(?s)HTTP/2 103.*link: </a.css>.*HTTP/2 200.*late")

    def test_expect_continue(self):
        body = os.urandom(3000)
        answer, _, status = self.curl("/recorded/up", "-H", "Expect: 100-continue", "--data-binary",
                                      "@-", input=body)
        self.assertEqual((status, answer.decode()), (200, hashlib.sha256(body).hexdigest()))

    def test_failures(self):
        self.assertEqual(self.curl("/dead")[2], 502)
        self.assertEqual(self.curl("/recorded/cut")[2], 502)
        self.assertEqual(self.curl("/a/%2e%2e/%00")[2], 400)
        self.assertEqual(self.curl("/limited/x", "--data-binary", "@-", input=b"x" * 2000)[2], 413)
        self.assertEqual(self.curl("/x", "-H", "X-Long: " + "x" * 20_000)[2], 431)
        # None of them is the end of the connection for others.
        run = curl("--http2", "-k", "-w", "%{num_connects} %{http_code}\n",
                   "-o", "/dev/null", self.over_tls("/recorded/cut"),
                   "-o", "/dev/null", self.over_tls("/v"))
        self.assertEqual(run.stdout.split(), [b"1", b"502", b"0", b"200"])

    def over_tls(self, path):
        return f"https://{self.proxy.host}:{self.port}{path}"

    def test_thousands_of_streams(self):
        for port, scheme in ((self.port, "https"), (self.clear_port, "http")):
            run = subprocess.run(
                ["h2load", "-n", "20000", "-c", "20", "-m", "100",
                 f"{scheme}://{self.proxy.host}:{port}/v"], capture_output=True, text=True)
            self.assertRegex(run.stdout, r"20000 succeeded, 0 failed, 0 errored, 0 timeout")
            self.assertRegex(run.stdout, r"status codes: 20000 2xx")

    def test_many_large_bodies_at_once(self):
        run = subprocess.run(
            ["h2load", "-n", "400", "-c", "4", "-m", "32",
             f"https://{self.proxy.host}:{self.port}/files/300000.bin"], capture_output=True, text=True)
        self.assertRegex(run.stdout, r"400 succeeded, 0 failed")
        self.assertEqual(int(re.search(r"\((\d+)\) data", run.stdout)[1]), 400 * 300000)

    def test_a_cancelled_stream_cancels_its_upstream_request(self):
        before = self.failures("client_gone")
        run = subprocess.Popen(["curl", "-s", "--http2-prior-knowledge", self.url("/recorded/slow", True)],
                               stdout=subprocess.PIPE)
        self.recorder.wait("the request", lambda: any(
            r.target == "/recorded/slow" for r in self.recorder.requests))
        run.terminate()
        run.wait()
        rig.wait_for("the failure to be counted", lambda: self.failures("client_gone") > before)
        self.gate.set()

    def failures(self, code):
        return rig.metric(self.proxy.metrics(), "sluice_failures_total", code=code) or 0

    def test_it_is_logged_as_what_it_is(self):
        self.curl("/v?logged-h2")
        self.proxy.wait_record(lambda record: record.get("query") == "logged-h2" and
                               record.get("protocol") == "HTTP/2")

    def test_changes_do_not_disturb_streams(self):
        stop = threading.Event()
        failed = []

        def load():
            while not stop.is_set():
                run = subprocess.run(
                    ["h2load", "-n", "2000", "-c", "8", "-m", "20",
                     f"https://{self.proxy.host}:{self.port}/v"], capture_output=True, text=True)
                if "2000 succeeded, 0 failed, 0 errored, 0 timeout" not in run.stdout:
                    failed.append(run.stdout)
        thread = threading.Thread(target=load)
        thread.start()
        try:
            for i in range(5):
                extra = rig.service(self.rig.port(), [rig.route("all", [self.backend])],
                                    name=f"extra-{i}")
                self.rig.apply(rig.document(*self.services, extra))
        finally:
            stop.set()
            thread.join()
        self.assertEqual(failed, [])


if __name__ == "__main__":
    rig.main()
