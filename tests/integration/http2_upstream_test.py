#!/usr/bin/python3
"""HTTP/2 to upstreams: many requests on few connections, and what happens when those end."""
import concurrent.futures
import hashlib
import threading
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import h1
import h2_upstream
import rig

HTTP2 = {"protocol": "http2"}


class Http2UpstreamTest(rig.FleetTest):
    workers = 1
    CHECK = {"schema": "http", "frequency_secs": 1, "initially_unhealthy": True,
             "healthy_after": 1}

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.authority = r.cert("ca")
        cls.certificate = r.cert("a", ["a.test"], issuer=cls.authority)
        cls.port, cls.tls_port = r.port(), r.port()
        cls.scripts = {}
        cls.scripted = r.h2_upstream(on_request=cls.answer)
        cls.narrow = r.h2_upstream(on_request=cls.answer, settings={
            h2_upstream.h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1,
            h2_upstream.h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1000})
        cls.few = r.h2_upstream()
        listen = "listen 127.0.0.1:{} {}; "
        ports = [r.port() for _ in range(3)]
        extra = "location /echo { proxy_pass http://127.0.0.1:1; } }\n"
        extra = "} server { " + listen.format(ports[0], "http2") + cls.locations(r, "clear") + \
            "} server { " + listen.format(ports[1], "ssl http2") + cls.locations(r, "h2tls") + \
            "} server { " + listen.format(ports[2], "ssl") + cls.locations(r, "h1tls")
        cls.nginx = r.nginx("backend", certificate=cls.certificate, extra=extra)
        cls.files = {size: cls.nginx.file(f"{size}.bin", size)
                     for size in (1, 1000, 16384, 100_000, 8_000_000)}
        tls = {"sni": "a.test", "ca_path": cls.authority.cert}
        node = [f"127.0.0.1:{port}" for port in ports]
        routes = [
            rig.route("scripted", [cls.scripted], path_prefix="/scripted", upstream_options=HTTP2,
                      timeouts={"first_byte": "3s"}),
            rig.route("narrow", [cls.narrow], path_prefix="/narrow", upstream_options=HTTP2),
            rig.route("few", [cls.few], path_prefix="/few",
                      upstream_options={**HTTP2, "keep_alive": {"requests": 3}}),
            rig.route("dead", [f"127.0.0.1:{r.port()}"], path_prefix="/dead",
                      upstream_options=HTTP2),
            rig.route("clear", [node[0]], path_prefix="/clear", strip_prefix="/clear",
                      upstream_options={**HTTP2, "health_check": cls.CHECK}),
            rig.route("tls", [node[1]], path_prefix="/tls", strip_prefix="/tls",
                      upstream_options={**HTTP2, "tls": tls, "health_check": cls.CHECK}),
            rig.route("auto", [node[1]], path_prefix="/auto2", strip_prefix="/auto2",
                      upstream_options={"protocol": "auto", "tls": tls}),
            rig.route("auto-old", [node[2]], path_prefix="/auto1", strip_prefix="/auto1",
                      upstream_options={"protocol": "auto", "tls": tls}),
            rig.route("not-agreed", [node[2]], path_prefix="/disagree",
                      upstream_options={**HTTP2, "tls": tls})]
        cls.services = [rig.service(cls.port, routes)]
        r.apply(rig.document(*cls.services))

    @staticmethod
    def locations(r, name):
        return (f'location /files/ {{ root {r.dir}/backend.root; }} location / {{ return 200 "'
                f'node={name};protocol=$server_protocol;uri=$request_uri;host=$http_host;'
                f'xff=$http_x_forwarded_for;conn=$connection;method=$request_method;'
                f'scheme=$scheme;"; }}')

    @classmethod
    def answer(cls, request):
        script = cls.scripts.get(request.path.split("?")[0])
        if script is not None:
            return script(request)
        request.complete.wait(30)
        return hashlib.sha256(request.body).hexdigest().encode()

    def ask(self, path, method="GET", body=b"", headers=()):
        length = [f"Content-Length: {len(body)}"] if body else []
        head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: a.test", *length, *headers])
        with h1.Client(self.proxy.host, self.port) as client:
            return client.ask(head.encode() + b"\r\n\r\n" + body, method)

    def script(self, path, script):
        self.scripts["/scripted" + path] = script
        self.addCleanup(self.scripts.pop, "/scripted" + path)

    # --- A server nobody of us wrote.
    def test_nginx_in_clear_text_and_tls(self):
        for route, protocol, scheme in (("clear", "HTTP/2.0", "http"), ("tls", "HTTP/2.0", "https"),
                                        ("auto2", "HTTP/2.0", "https"),
                                        ("auto1", "HTTP/1.1", "https")):
            with self.subTest(route):
                answer = self.ask(f"/{route}/x?y=z", headers=["X-Forwarded-For: 1.2.3.4"])
                self.assertEqual(answer.status, 200, answer)
                told = rig.told(answer.body)
                self.assertEqual(told["protocol"], protocol)
                self.assertEqual(told["uri"], "/x?y=z")
                self.assertEqual(told["host"], "a.test")
                self.assertEqual(told["xff"], "127.0.0.1")
                self.assertEqual(told["scheme"], scheme)

    def test_bodies_of_every_size_and_head(self):
        for route in ("clear", "tls"):
            for size, path in self.files.items():
                with self.subTest(route=route, size=size):
                    answer = self.ask(f"/{route}{path}")
                    self.assertEqual(answer.status, 200)
                    self.assertEqual(len(answer.body), size)
                    self.assertEqual(answer.get("content-length"), str(size))
                    answer = self.ask(f"/{route}{path}", "HEAD")
                    self.assertEqual(answer.get("content-length"), str(size))
                    self.assertEqual(answer.body, b"")

    def test_many_requests_share_one_connection(self):
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda _: self.ask("/clear/"), range(200)))
        self.assertEqual({answer.status for answer in answers}, {200})
        self.assertEqual(len({rig.told(answer.body)["conn"] for answer in answers}), 1)

    def test_http1_behind_auto_is_pooled(self):
        first, second = (rig.told(self.ask("/auto1/").body) for _ in range(2))
        self.assertEqual(first["conn"], second["conn"])

    def test_no_agreement_is_a_tls_failure(self):
        answer = self.ask("/disagree")
        self.assertEqual(answer.status, 502)
        self.assertIn(b"No secure connection", answer.body)

    def test_nobody_listens(self):
        self.assertEqual(self.ask("/dead").status, 502)

    # --- Bodies.
    def test_uploads(self):
        self.ask("/narrow/first")  # Its settings are known from now on.
        for size in (1, 1000, 70_000, 3_000_000):
            body = bytes(range(256)) * (size // 256 + 1)
            for route in ("scripted", "narrow"):
                if route == "narrow" and size > 100_000:
                    continue
                with self.subTest(route=route, size=size):
                    answer = self.ask(f"/{route}/sum", "POST", body[:size])
                    self.assertEqual(answer.body, hashlib.sha256(body[:size]).hexdigest().encode())

    def test_chunked_uploads_and_their_trailers(self):
        with h1.Client(self.proxy.host, self.port) as client:
            client.send(b"POST /scripted/chunked HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\n"
                        b"Connection: TE\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            rig.wait_for("the first piece", lambda: self.scripted.requests[-1].body == b"hello")
            client.send(b"6\r\n world\r\n0\r\nDigest: abc\r\n\r\n")
            answer = client.response("POST")
        self.assertEqual(answer.body, hashlib.sha256(b"hello world").hexdigest().encode())
        request = self.scripted.requests[-1]
        self.assertEqual(request.trailers, [(b"digest", b"abc")])
        self.assertEqual(request.field("te"), "trailers")

    def test_trailers_of_responses(self):
        def answer(request):
            request.connection.head(request.stream, 200)
            request.connection.data(request.stream, b"content")
            request.connection.trailers(request.stream, [("digest", "abc")])
        self.script("/trailers", answer)
        answer = self.ask("/scripted/trailers", headers=["TE: trailers"])
        self.assertEqual(answer.body, b"content")
        self.assertEqual(answer.trailers, [(b"digest", b"abc")])

    def test_interim_responses(self):
        def answer(request):
            request.connection.head(request.stream, 103, [("link", "</a.css>")])
            return b"late"
        self.script("/hints", answer)
        answer = self.ask("/scripted/hints")
        self.assertEqual(answer.body, b"late")
        self.assertEqual([interim.status for interim in answer.interim], [103])

    def test_both_sides_speak_at_the_same_time(self):
        def answer(request):
            request.connection.head(request.stream, 200)
            sent = 0
            while not (request.complete.is_set() and sent == len(request.body)):
                if piece := request.body[sent:]:
                    request.connection.data(request.stream, piece)
                    sent += len(piece)
                time.sleep(0.01)
            request.connection.data(request.stream, end=True)
        self.script("/echo", answer)
        with h1.Client(self.proxy.host, self.port) as client:
            client.send(b"POST /scripted/echo HTTP/1.1\r\nHost: a.test\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n")
            for word in (b"one", b"two", b"six"):
                before = len(bytes(client.wire.raw))
                client.send(b"3\r\n" + word + b"\r\n")
                rig.wait_for(word, lambda: word in bytes(client.wire.raw)[before:] or
                             client.wire.more() and False)
            client.send(b"0\r\n\r\n")
            self.assertEqual(client.response("POST").body, b"onetwosix")

    def test_a_reader_who_is_slow_holds_up_nobody_else(self):
        self.proxy.forget_peak()
        before = self.proxy.rss_kib()
        slow = [h1.Client(self.proxy.host, self.port) for _ in range(8)]
        for client in slow:
            client.send(f"GET /clear{self.files[8_000_000]} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        time.sleep(0.5)
        for _ in range(20):
            self.assertEqual(len(self.ask(f"/clear{self.files[100_000]}").body), 100_000)
        for client in slow:
            self.assertEqual(len(client.response().body), 8_000_000)
            client.close()
        # A quarter of what all of them asked for.
        self.assertLess(self.proxy.rss_kib("VmHWM") - before, 16_000 if not rig.SANITIZER else 128_000)

    # --- Connections that end.
    def test_streams_beyond_a_goaway_are_asked_again(self):
        """Whatever the method: the upstream has said that it did nothing."""
        self.ask("/scripted/begin")
        connection = self.scripted.requests[-1].connection
        seen = []

        def answer(request):
            seen.append(request.connection)
            if request.connection is connection:
                connection.go_away(request.stream - 2)
                return None
            return b"again"
        self.script("/goaway", answer)
        answer = self.ask("/scripted/goaway", "POST", b"body")
        self.assertEqual((answer.status, answer.body), (200, b"again"), answer)
        self.assertEqual(len(seen), 2)

    def test_a_body_that_comes_in_pieces_is_kept_for_another_try(self):
        """Up to 64 KiB of it: beyond that there is nothing to send again."""
        self.addCleanup(self.scripts.pop, "/scripted/pieces")
        for size, status in ((1000, 200), (50_000, 200), (300_000, 502)):
            body = bytes(range(256)) * (size // 256 + 1)
            tries = []

            def answer(request, tries=tries, size=size):
                tries.append(request)
                if len(tries) == 1:
                    rig.wait_for("the body", lambda: len(request.body) >= size // 2)
                    request.connection.reset(request.stream, h2_upstream.REFUSED)
                    return None
                request.complete.wait(30)
                return hashlib.sha256(request.body).hexdigest().encode()
            self.scripts["/scripted/pieces"] = answer
            with self.subTest(size=size), h1.Client(self.proxy.host, self.port) as client:
                client.send(f"POST /scripted/pieces HTTP/1.1\r\nHost: a.test\r\n"
                            f"Content-Length: {size}\r\n\r\n".encode())
                rig.wait_for("the head", lambda: len(tries) == 1)
                client.send(body[:size // 2])
                if status == 200:
                    rig.wait_for("another try", lambda: len(tries) == 2)
                    client.send(body[size // 2:size])
                answer = client.response("POST")
                self.assertEqual(answer.status, status)
                if status == 200:
                    self.assertEqual(answer.body, hashlib.sha256(body[:size]).hexdigest().encode())

    def test_streams_up_to_a_goaway_go_on(self):
        release = threading.Event()

        def answer(request):
            request.connection.go_away(request.stream)
            release.wait(30)
            return b"finished"
        self.script("/graceful", answer)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            first = pool.submit(self.ask, "/scripted/graceful")
            rig.wait_for("the request", lambda: self.scripted.requests[-1].path.endswith("ful"))
            connection = self.scripted.requests[-1].connection
            self.assertEqual(self.ask("/scripted/other").status, 200)
            self.assertIsNot(self.scripted.requests[-1].connection, connection)
            release.set()
            self.assertEqual(first.result().body, b"finished")

    def test_a_refused_stream_is_asked_again(self):
        tries = []

        def answer(request):
            tries.append(request)
            if len(tries) > 1:
                return b"second"
            request.connection.reset(request.stream, h2_upstream.REFUSED)
        self.script("/refused", answer)
        answer = self.ask("/scripted/refused", "POST", b"body")
        self.assertEqual((answer.status, answer.body), (200, b"second"))
        self.assertEqual(len(tries), 2)

    def test_a_stream_that_may_have_been_acted_on_is_not_asked_again(self):
        tries = []

        def answer(request):
            tries.append(request)
            request.connection.reset(request.stream, h2_upstream.h2.errors.ErrorCodes.INTERNAL_ERROR)
        self.script("/broken", answer)
        self.assertEqual(self.ask("/scripted/broken", "POST", b"body").status, 502)
        self.assertEqual(len(tries), 1)
        self.assertEqual(self.ask("/scripted/broken").status, 502)
        self.assertGreater(len(tries), 2)

    def test_a_response_that_is_cut(self):
        def answer(request):
            request.connection.head(request.stream, 200, [("content-length", "100")])
            request.connection.data(request.stream, b"half")
            time.sleep(0.1)
            request.connection.reset(request.stream, h2_upstream.h2.errors.ErrorCodes.INTERNAL_ERROR)
        self.script("/cut", answer)
        with self.assertRaises(h1.Cut):
            self.ask("/scripted/cut")

    def test_a_connection_that_is_lost_is_replaced(self):
        self.ask("/scripted/one")
        self.scripted.clear()
        time.sleep(0.1)
        for method in ("GET", "POST"):
            self.assertEqual(self.ask("/scripted/two", method, b"x").status, 200)
        self.assertEqual(len(self.scripted.connections), 1)

    def test_no_more_streams_than_the_peer_allows(self):
        release = threading.Event()
        self.scripts["/narrow/wait"] = lambda request: release.wait(30) and b"done"
        self.addCleanup(self.scripts.pop, "/narrow/wait")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.ask("/narrow/first")  # Its settings are known now.
            waiting = [pool.submit(self.ask, "/narrow/wait") for _ in range(8)]
            rig.wait_for("all", lambda: sum(r.path == "/narrow/wait"
                                            for r in self.narrow.requests) == 8)
            release.set()
            self.assertEqual({one.result().status for one in waiting}, {200})
        self.assertGreaterEqual(len(self.narrow.connections), 8)

    def test_a_connection_serves_no_more_requests_than_configured(self):
        for _ in range(7):
            self.assertEqual(self.ask("/few/").status, 200)
        self.assertEqual([len(c.requests) for c in self.few.connections], [3, 3, 1])

    def test_a_silent_connection_is_left(self):
        def answer(request):
            request.connection.owner.silent = request.connection
            return None
        self.script("/silent", answer)
        self.ask("/scripted/before")
        before = self.scripted.requests[-1].connection
        self.assertEqual(self.ask("/scripted/silent").status, 504)
        self.ask("/scripted/after")
        self.assertIsNot(self.scripted.requests[-1].connection, before)

    def test_a_client_that_leaves_cancels_its_stream_alone(self):
        self.script("/leave", lambda request: None)
        with h1.Client(self.proxy.host, self.port) as client:
            client.send(b"GET /scripted/leave HTTP/1.1\r\nHost: a\r\n\r\n")
            rig.wait_for("the request", lambda: self.scripted.requests
                         and self.scripted.requests[-1].path == "/scripted/leave")
            request = self.scripted.requests[-1]
            client.reset()
        rig.wait_for("the reset", lambda: request.reset == h2_upstream.h2.errors.ErrorCodes.CANCEL)
        self.ask("/scripted/then")
        self.assertIs(self.scripted.requests[-1].connection, request.connection)

    def test_a_change_of_configuration_cuts_nothing(self):
        stop, failures, count = threading.Event(), [], [0]

        def run():
            while not stop.is_set():
                for route in ("clear", "tls"):
                    answer = self.ask(f"/{route}{self.files[16384]}")
                    count[0] += 1
                    if answer.status != 200 or len(answer.body) != 16384:
                        failures.append(answer)
        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for change in range(10):
            for route in self.services[0]["routes"]:
                route["timeouts"] = {"first_byte": f"{3 + change % 2}s"}
                if route["name"] in ("clear", "tls"):
                    route["upstreams"][0]["timeouts"] = {"connect": f"{5 + change}s"}
            self.rig.apply(rig.document(*self.services))
        stop.set()
        for thread in threads:
            thread.join()
        self.assertFalse(failures)
        self.assertGreater(count[0], 50)

    def test_an_upgrade_has_no_way_through(self):
        answer = self.ask("/scripted/ws", headers=[
            "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])
        self.assertEqual(answer.status, 501)


if __name__ == "__main__":
    rig.main()
