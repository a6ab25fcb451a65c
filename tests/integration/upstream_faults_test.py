#!/usr/bin/python3
"""Upstreams that reset or half-close connections, at every point of a response, over HTTP/1.1 and
HTTP/2, in clear text and TLS: what can be saved is, and nothing that is cut looks complete."""
import contextlib
import itertools
import socket
import struct
import threading
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import h1
import rig
import traffic
from upstream import OK, reply

KINDS = ("h1", "h1-tls", "h2", "h2-tls")
HOW = ("reset", "half")
BODY = b"the whole body"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)


def hard_end(sock):
    """RST, as soon as whoever reads the socket has let go of it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RD)


def half_end(sock):
    """FIN, without a word of TLS before it; what comes is still taken."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_WR)


def end_h1(sock, how):
    if how == "reset":
        hard_end(sock)
        sock.close()
        return
    half_end(sock)
    with contextlib.suppress(OSError):
        while sock.recv(1 << 16):
            pass


def end_h2(connection, how):
    (hard_end if how == "reset" else half_end)(connection.sock)


class UpstreamFaultsTest(rig.FleetTest):
    workers = 1

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        certificate = r.cert("inner", ["inner.test"])
        h2_context = certificate.server_context()
        h2_context.set_alpn_protocols(["h2"])
        cls.scripts, cls.lock = {}, threading.Lock()
        routes = []
        for kind in KINDS:
            tls = {"tls": {"enabled": True, "sni": "inner.test", "verify": False}} \
                if kind.endswith("tls") else {}
            if kind.startswith("h2"):
                nodes = [r.h2_upstream(on_request=cls.serve_h2, tls=h2_context if tls else None)
                         for _ in range(2)]
            else:
                nodes = [r.upstream(on_request=cls.serve, on_head=cls.serve_head,
                                    tls=certificate.server_context() if tls else None)
                         for _ in range(2)]
            options = {"lb_strategy": "round_robin", **tls,
                       "protocol": "http2" if kind.startswith("h2") else "http1"}
            for use in ("once", "again", "kept"):
                name = f"{kind}-{use}"
                # On a connection that was used before, the fault might be no fault at all.
                keep = {} if use == "kept" else {"keep_alive": {"connections": 0}}
                routes.append(rig.route(
                    name, nodes, name, {**options, **keep}, path_prefix=f"/{kind}/{use}",
                    **({"retry": {"on": []}} if use == "once" else {})))
        r.apply(rig.document(rig.service(cls.port, routes)))

    # --- The upstreams. The first request for a path meets the script, all others are served.
    @classmethod
    def script(cls, path):
        with cls.lock:
            return cls.scripts.pop(path, None)

    @classmethod
    def serve_head(cls, connection, request):
        """A fault that does not wait for the request's body."""
        if not request.target.endswith("-early"):
            return None
        given = cls.script(request.target)
        if given is None:
            return None
        connection.send(given[0])
        end_h1(connection.sock, given[1])
        return "close"

    @classmethod
    def serve(cls, connection, request):
        given = cls.script(request.target)
        if given is None:
            return reply(BODY)
        connection.send(given[0])
        end_h1(connection.sock, given[1])
        return "close"

    @classmethod
    def serve_h2(cls, request):
        given = cls.script(request.path)
        if given is None:
            return BODY
        connection, stream = request.connection, request.stream
        request.complete.wait(rig.DEADLINE)
        stage, how = given
        if stage == "head":  # A HEADERS frame of 100 bytes, of which a few come.
            with connection.lock:
                connection.sock.sendall(b"\0\0\x64\x01\x04" + struct.pack(">I", stream) + b"\x88")
        elif stage in ("body", "after"):
            connection.head(stream, 200, [("content-length", str(len(BODY)))])
            connection.data(stream, BODY if stage == "after" else BODY[:5], end=stage == "after")
        end_h2(connection, how)
        return None

    # --- The client.
    def fault(self, path, stage, how):
        kind = path.split("/")[1]
        wire = {"before": b"", "head": b"HTTP/1.1 200 OK\r\nContent-Le",
                "body": HEAD + BODY[:5], "after": HEAD + BODY}
        self.scripts[path] = (stage, how) if kind.startswith("h2") else (wire[stage], how)

    def record(self, path):
        return self.proxy.wait_record(lambda r: r["path"] == path)

    def each(self, stage, body, uses=("once", "again")):
        """body(path, kind, use) for every way; a fault at `stage` waits at the path."""
        for kind, how, use in itertools.product(KINDS, HOW, uses):
            path = f"/{kind}/{use}/{stage}-{how}-{self.id()}"
            with self.subTest(path):
                self.fault(path, stage, how)
                body(path, kind, use)

    def assert_saved(self, path):
        answer = self.get(path)
        self.assertEqual((answer.status, answer.body), (200, BODY))
        record = self.record(path)
        self.assertEqual((record["failure"], record["attempts"]), ("", 2))

    def assert_502(self, path, **request):
        self.assertEqual(self.get(path, **request).status, 502)
        record = self.record(path)
        self.assertEqual((record["failure"], record["attempts"]), ("upstream_reset", 1))

    # --- RST and FIN at every point of a response.
    def test_before_the_response(self):
        def body(path, _, use):
            if use == "again":
                self.assert_saved(path)
            else:
                self.assert_502(path)
        self.each("before", body)

    def test_before_the_response_to_what_may_not_be_repeated(self):
        self.each("before", lambda path, *_: self.assert_502(path, method="POST", body=b"pay"))

    def test_within_the_head(self):
        def body(path, kind, use):
            # Of HTTP/1.1 something has come: the upstream has acted. A frame that is not whole has
            # said nothing.
            if kind.startswith("h2") and use == "again":
                self.assert_saved(path)
            else:
                self.assert_502(path)
        self.each("head", body)

    def test_within_the_body(self):
        def body(path, *_):
            with self.assertRaises(h1.Cut):
                answer = self.get(path)
                self.assertEqual(answer.status, 502)
                raise h1.Cut("nothing was passed on yet")
            record = self.record(path)
            self.assertIn(record["failure"], ("upstream_body_cut", "upstream_reset"))
            self.assertEqual(record["attempts"], 1)
        self.each("body", body)

    def test_after_the_response(self):
        def body(path, *_):
            answer = self.get(path)
            self.assertEqual((answer.status, answer.body), (200, BODY))
            self.assertEqual(self.record(path)["failure"], "")
            # Nobody is lost to what is left of the connection.
            for i in range(2):
                answer = self.get(f"{path}/{i}")
                self.assertEqual((answer.status, answer.body), (200, BODY))
        self.each("after", body, ("kept",))

    def test_bodies_whose_end_is_the_end_of_the_connection(self):
        for kind, (how, whole) in itertools.product(("h1", "h1-tls"), (
                ("reset", False), ("half", True))):
            path = f"/{kind}/again/until-close-{how}"
            self.scripts[path] = (b"HTTP/1.1 200 OK\r\n\r\n" + BODY, how)
            # Over TLS a FIN alone could be anybody's (RFC 9112 section 9.8).
            whole = whole and kind == "h1"
            with self.subTest(path):
                if whole:
                    self.assertEqual(self.get(path).body, BODY)
                    self.assertEqual(self.record(path)["failure"], "")
                    continue
                with self.assertRaises(h1.Cut):
                    self.get(path)
                self.assertEqual(self.record(path)["failure"], "upstream_body_cut")

    def test_within_a_chunk(self):
        for kind, how in itertools.product(("h1", "h1-tls"), HOW):
            for at, end in enumerate((b"5\r\nbe", b"5\r\nbegin\r\n", b"5\r\nbegin\r\n0\r\n")):
                path = f"/{kind}/again/chunk-{how}-{at}"
                self.scripts[path] = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + end,
                                      how)
                with self.subTest(path):
                    with self.assertRaises(h1.Cut):
                        self.get(path)
                    self.assertEqual(self.record(path)["failure"], "upstream_body_cut")

    def test_while_the_request_is_sent(self):
        """The upstream goes before it has the body. What it said, if it said all, counts."""
        size = 4_000_000
        head = f"POST %s HTTP/1.1\r\nHost: a.test\r\nContent-Length: {size}\r\n\r\n"
        for kind, how in itertools.product(("h1", "h1-tls"), HOW):
            for said, statuses in ((b"", (502,)), (reply(BODY, "403 Forbidden"), (403, 502))):
                path = f"/{kind}/again/{len(said)}-{how}-early"
                # A reset may overtake what was said before it.
                statuses = statuses if how == "reset" else statuses[:1]
                self.scripts[path] = (said, how)
                with self.subTest(path), self.client() as client:
                    client.send_split((head % path).encode() + bytes(size), 1 << 16)
                    self.assertIn(client.response("POST").status, statuses)

    # --- Others on the same connection.
    def test_streams_beside_it_are_asked_again(self):
        """An HTTP/2 connection that goes takes all its streams along; reads go elsewhere."""
        for kind, how in itertools.product(("h2", "h2-tls"), HOW):
            paths = [f"/{kind}/kept/beside-{how}-{i}" for i in range(8)]
            together = threading.Barrier(len(paths))
            statuses, begun = [], []

            def ask(path):
                together.wait(rig.DEADLINE)
                try:
                    statuses.append(self.get(path).status)
                except h1.Cut:  # Its answer was on its way already.
                    begun.append(path)
            self.fault(paths[0], "before", how)
            threads = [threading.Thread(target=ask, args=(path,)) for path in paths]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(statuses, [200] * (len(paths) - len(begun)), (kind, how))
            self.assertNotIn(paths[0], begun)
            for path in begun:
                self.assertEqual(self.record(path)["failure"], "upstream_body_cut")


class FlappingTest(rig.FleetTest):
    """A node that is well when it is asked and ill when it is used, or comes and goes."""

    workers = 1

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        cls.good, cls.bad = r.upstream(), r.upstream()
        check = {"schema": "http", "http_path": "/health", "frequency_secs": 1, "timeout": "500ms",
                 "healthy_after": 1, "unhealthy_after": 1}
        outliers = {"consecutive_failures": 3, "interval": "600s", "base_ejection": "1s",
                    "max_ejection": "3s"}
        r.apply(rig.document(rig.service(cls.port, [
            rig.route(name, [cls.good, cls.bad], name, {
                "lb_strategy": "round_robin", "health_check": check,
                "outlier_detection": outliers}, path_prefix="/" + name,
                retry={"on": ["connect_failure", "reset", "gateway_error"]})
            for name in ("relapsing", "going")])))

    def endpoint(self):
        cluster = next(c for c in self.proxy.get("/clusters") if c["name"] == "relapsing")
        return next(e for e in cluster["endpoints"] if e["address"] == self.bad.address)

    def ejected(self):
        return rig.metric(self.proxy.metrics(), "sluice_endpoint_ejected", upstream="relapsing",
                          endpoint=self.bad.address)

    def ask(self, name="relapsing"):
        self.assertEqual(self.get(f"/{name}/x").status, 200, "all can be saved")
        return True

    def ask_going(self):
        return self.ask("going")

    def test_each_relapse_costs_more_time(self):
        self.bad.on_request = lambda c, q: OK if q.target == "/health" else \
            reply("bad", "503 Service Unavailable")
        for i, seconds in enumerate((1, 2, 3, 3)):  # The last one at the maximum.
            rig.wait_for("the ejection", lambda: self.ask() and self.ejected(), every=0)
            begin = time.monotonic()
            self.assertEqual(self.endpoint()["reason"],
                             f"ejected for {seconds} s: 3 failures in a row")
            before = len([q for q in self.bad.requests if q.target != "/health"])
            rig.wait_for("its return", lambda: self.ask() and not self.ejected())
            # Told by a sample up to a tick of the monitor, and of the sampling, late or early.
            self.assertGreater(time.monotonic() - begin, seconds - 0.3)
            seen = len([q for q in self.bad.requests if q.target != "/health"]) - before
            self.assertLess(seen, 3, "only what came between the return and its sample")
            self.assertEqual(rig.metric(
                self.proxy.metrics(), "sluice_upstream_ejections_total", upstream="relapsing",
                reason="consecutive_failures"), i + 1)
        self.bad.on_request = lambda c, q: OK

    def test_a_node_that_comes_and_goes_costs_no_request(self):
        self.bad.on_request = lambda c, q: OK

        def healthy():
            return rig.metric(self.proxy.metrics(), "sluice_endpoint_healthy", upstream="going",
                              endpoint=self.bad.address)
        with traffic.Worker(self.ask_going) as one, traffic.Worker(self.ask_going) as two:
            for _ in range(3):
                self.bad.stop()
                rig.wait_for("its checks to fail", lambda: healthy() == 0)
                self.bad.start()
                rig.wait_for("its return", lambda: healthy() == 1)
        self.assertEqual(one.failures + two.failures, [])
        self.assertGreater(one.done, 10)
        self.assertGreater(two.done, 10)
        self.bad.clear()
        rig.wait_for("requests to it again", lambda: self.ask_going() and any(
            q.target == "/going/x" for q in self.bad.requests))


if __name__ == "__main__":
    rig.main()
