#!/usr/bin/python3
"""nghttp2's own client and load generator: frames as another implementation makes them, and
thousands of streams.

Both are of Debian's nghttp2-client; the module is skipped where one of them is not installed.
"""
import hashlib
import os
import re
import subprocess
import threading

import _path  # noqa: F401
import h2.settings
import peers
import rig
import upstream

PAGE = ("<html><head><link rel='stylesheet' href='/files/a.css'><script src='/files/b.js'></script>"
        "</head><body><img src='/files/c.png'></body></html>")
HELD = 2000


class NghttpTest(rig.FleetTest):
    workers = 2

    @classmethod
    def setUpClass(cls):
        for tool in ("nghttp", "h2load"):
            peers.need(tool)
        super().setUpClass()

    @classmethod
    def prepare(cls):
        r = cls.rig
        certificate = r.cert("a", ["a.test"])
        cls.ports = {"https": r.port(), "http": r.port()}
        cls.old = r.upstream(on_request=lambda connection, request: upstream.reply(
            hashlib.sha256(request.body).hexdigest()))
        cls.new = r.h2_upstream(on_request=cls.serve_h2)
        cls.all_held = threading.Event()
        cls.holding = r.h2_upstream(on_request=cls.hold, settings={
            h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1000})
        assets = r.nginx("assets", extra=f"location = /page {{ default_type text/html; "
                                         f"return 200 \"{PAGE}\"; }}")
        for name in ("a.css", "b.js", "c.png"):
            assets.file(name, 20_000)
        http2 = {"protocol": "http2"}
        routes = [rig.route("old", [cls.old], "old", path_prefix="/old"),
                  rig.route("new", [cls.new], "new", http2, path_prefix="/new"),
                  rig.route("hold", [cls.holding], "hold", http2, path_prefix="/hold"),
                  rig.route("assets", [assets], "assets")]
        # An upstream is defined once and named by the other service.
        named = [{**route, "upstreams": [{"name": route["upstreams"][0]["name"]}]}
                 for route in routes]
        r.apply(rig.document(
            rig.service(cls.ports["https"], routes,
                        tls={"enabled": True, "cert_path": certificate.cert,
                             "key_path": certificate.key}),
            rig.service(cls.ports["http"], named, name="clear")))

    @classmethod
    def serve_h2(cls, request):
        if request.field("expect") == "100-continue":
            request.connection.head(request.stream, 100)  # Else nghttp waits for a second.
        if not request.complete.wait(rig.DEADLINE):
            raise TimeoutError("no whole request")
        connection, stream = request.connection, request.stream
        connection.head(stream, 200)
        connection.data(stream, hashlib.sha256(request.body).hexdigest().encode())
        connection.trailers(stream, [("x-sum", str(len(request.body)))])

    @classmethod
    def hold(cls, request):
        """Nobody is answered until so many requests wait at once."""
        if len(cls.holding.requests) >= HELD:
            cls.all_held.set()
        if not cls.all_held.wait(3 * rig.DEADLINE):
            raise TimeoutError(f"{len(cls.holding.requests)} requests")
        request.connection.head(request.stream, 200, end=True)

    def url(self, scheme, path):
        return f"{scheme}://{self.proxy.host}:{self.ports[scheme]}{path}"

    def nghttp(self, scheme, path, *args):
        """What it printed; it ends with 0 whatever the answer was."""
        run = subprocess.run(["nghttp", "-y", "-t", "60s", *args, self.url(scheme, path)],
                             capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
        return run.stdout

    def each_scheme(self, body):
        for scheme in self.ports:
            with self.subTest(scheme=scheme):
                body(scheme)

    def file_of(self, size):
        path = self.rig.path(f"upload-{size}")
        content = os.urandom(size)
        with open(path, "wb") as out:
            out.write(content)
        return path, hashlib.sha256(content).hexdigest()

    def test_a_page_with_its_assets_by_priority(self):
        def body(scheme):
            for how in ((), ("--no-dep",), ("--no-rfc7540-pri",), ("-p", "256")):
                out = self.nghttp(scheme, "/page", "-a", "-n", "-s", *how)
                answered = re.findall(r"^\s*\d+ .*\s200\s+\S+\s+(/\S+)$", out, re.M)
                self.assertEqual(sorted(answered), ["/files/a.css", "/files/b.js", "/files/c.png",
                                                    "/page"], out)
        self.each_scheme(body)

    def test_uploads_with_trailers(self):
        seen_new, seen_old = len(self.new.requests), len(self.old.requests)

        def body(scheme):
            for size in (0, 1, 100_000, 3_000_000):
                path, digest = self.file_of(size)
                for to in ("/old", "/new"):
                    for how in ((), ("--no-content-length",), ("--expect-continue",)):
                        out = self.nghttp(scheme, to, "-d", path, "--trailer", "x-sum: abc", *how)
                        self.assertEqual(out.strip(), digest, (size, to, how))
        self.each_scheme(body)
        uploads = [request for request in self.new.requests[seen_new:] if request.body]
        self.assertTrue(uploads)
        for request in uploads:
            self.assertEqual(request.trailers, [(b"x-sum", b"abc")])
        # In HTTP/1.1 they stand behind the last chunk.
        chunked = [request for request in self.old.requests[seen_old:]
                   if request.framing == "chunked"]
        self.assertTrue(chunked)
        for request in chunked:
            self.assertEqual(request.trailers, [(b"x-sum", b"abc")])

    def test_trailers_come_down(self):
        def body(scheme):
            self.assertRegex(self.nghttp(scheme, "/new", "-v", "--color"), r"x-sum.*: .*0")
        self.each_scheme(body)

    def test_frames_of_every_shape(self):
        path, digest = self.file_of(100_000)
        long = "x-long: " + "v" * 20_000

        def body(scheme):
            for how in (("-b", "255"),                      # Padding.
                        ("--continuation",),                # A head in several frames.
                        ("-H", long),
                        ("-c", "0"), ("-c", "65536", "-c", "100"),   # Tables of other sizes.
                        ("--encoder-header-table-size", "0"),
                        ("-w", "10", "-W", "10"),           # Windows of 1 KiB.
                        ("-w", "30", "-W", "30"),
                        ("-M", "1")):
                out = self.nghttp(scheme, "/new", "-d", path, *how)
                self.assertEqual(out.strip(), digest, how)
            large = self.nghttp(scheme, "/files/a.css", "-w", "10", "-W", "10")
            self.assertEqual(len(large), 20_000)
        self.each_scheme(body)

    def test_many_of_one_on_one_connection(self):
        path, digest = self.file_of(10_000)

        def body(scheme):
            for to in ("/old", "/new"):
                out = self.nghttp(scheme, to, "-d", path, "-m", "200")
                self.assertEqual(out.count(digest), 200)
        self.each_scheme(body)

    # h2load.

    def h2load(self, scheme, path, requests, *args):
        run = subprocess.run(["h2load", "-n", str(requests), *args, self.url(scheme, path)],
                             capture_output=True, text=True)
        self.assertIn(f"{requests} succeeded, 0 failed, 0 errored, 0 timeout", run.stdout)
        self.assertIn(f"status codes: {requests} 2xx", run.stdout)

    def test_thousands_of_streams_on_few_connections(self):
        upload, _ = self.file_of(2000)

        def body(scheme):
            self.h2load(scheme, "/files/a.css", 20_000, "-c", "1", "-m", "100")
            self.h2load(scheme, "/files/a.css", 20_000, "-c", "3", "-m", "1000", "-w", "30")
            self.h2load(scheme, "/files/c.png", 5000, "-c", "4", "-m", "100", "-w", "12", "-W", "14")
            self.h2load(scheme, "/new", 500, "-c", "2", "-m", "100", "-d", upload)
        self.each_scheme(body)

    def test_thousands_of_streams_at_once(self):
        before = self.proxy.rss_kib()
        self.h2load("https", "/hold", HELD, "-c", "20", "-m", "100")
        self.assertTrue(self.all_held.is_set())
        if not rig.SANITIZER:
            self.assertLess((self.proxy.rss_kib() - before) / HELD, 64, "KiB per open stream")


if __name__ == "__main__":
    rig.main()
