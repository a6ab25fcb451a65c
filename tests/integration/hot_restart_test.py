#!/usr/bin/python3
"""A new process takes the place of the running one: nothing is refused, cut or lost."""
import concurrent.futures
import os
import signal
import socket
import ssl
import struct
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import h1
import load
import restarts
import rig
import traffic
import ws_echo


class HotRestartTest(restarts.HotRestarts, rig.FleetTest):
    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.certificate = r.cert("a", ["a.test"])
        cls.port, cls.tls_port = r.port(), r.port()
        cls.up = r.upstream(on_request=lambda c, q: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        cls.held = r.upstream(on_request=lambda c, q: None)
        cls.echo = ws_echo.EchoServer(r.port())
        routes = [rig.route("echo", [cls.echo], path_prefix="/ws"),
                  rig.route("held", [cls.held], path_prefix="/held"),
                  rig.route("all", [cls.up])]
        named = [{**route, "upstreams": [{"name": route["upstreams"][0]["name"]}]}
                 for route in routes]
        cls.services = [
            rig.service(cls.port, routes),
            rig.service(cls.tls_port, named, name="tls",
                        tls={"enabled": True, "cert_path": cls.certificate.cert,
                             "key_path": cls.certificate.key})]
        r.apply(rig.document(*cls.services, server={"drain_timeout_secs": 20}))

    def assert_serves(self):
        self.assertTrue(self.running.running(), self.running.tail())
        self.assertEqual(self.get("/", port=self.port).status, 200)

    def assert_node_is_sane(self):
        rig.wait_for("synced", lambda: self.rig.ctl.state("node-1") == "synced")
        self.assertEqual(len(rig.pick(self.rig.ctl.status(), "nodes")), 1)

    def test_1_restarts_under_load_of_every_kind(self):
        host = self.proxy.host
        # HTTP/1.1 keep-alive, HTTP/1.1 over TLS, a connection a request, HTTP/2 in clear and TLS.
        with load.Steady(host, self.port, threads=3) as steady, \
                load.Steady(host, self.tls_port, threads=2, tls=certs.client_context(),
                            server_name="a.test") as steady_tls, \
                traffic.new_connections(host, self.port) as fresh, \
                traffic.new_connections(host, self.tls_port, tls=certs.client_context(),
                                        server_name="a.test") as fresh_tls, \
                traffic.http2(host, self.port) as h2, \
                traffic.http2(host, self.tls_port, tls=ssl._create_unverified_context(),
                              server_name="a.test") as h2_tls:
            kinds = {"steady": lambda: steady.ok, "steady_tls": lambda: steady_tls.ok,
                     "fresh": lambda: fresh.done, "fresh_tls": lambda: fresh_tls.done,
                     "h2": lambda: h2.done, "h2_tls": lambda: h2_tls.done}

            def traffic_of_all():
                marks = {name: count() for name, count in kinds.items()}
                rig.wait_for("traffic of every kind",
                             lambda: all(count() >= marks[name] + 20
                                         for name, count in kinds.items()) or
                             self.fail({name: count() - marks[name]
                                        for name, count in kinds.items()}))
            traffic_of_all()
            for workers in (2, 2, 3, 1, 2, 4):
                old, _ = self.restart(workers=workers)
                traffic_of_all()
                self.assertEqual(old.wait(), 0, old.tail())
                traffic_of_all()
                self.assert_node_is_sane()
        for name, failures in (("steady", steady.failures), ("steady_tls", steady_tls.failures),
                               ("fresh", fresh.failures), ("fresh_tls", fresh_tls.failures),
                               ("h2", h2.failures), ("h2_tls", h2_tls.failures)):
            self.assertEqual(failures, [], name)
        self.assertEqual((steady.refused, steady_tls.refused), (0, 0))
        self.assertEqual((steady.closed_idle, steady_tls.closed_idle), (0, 0))

    def tunnel(self):
        """A WebSocket over a connection of its own."""
        sock = socket.create_connection((self.proxy.host, self.port), 20)
        self.addCleanup(sock.close)
        sock.sendall(b"GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n"
                     b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                     b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        self.assertIn(b" 101 ", head.split(b"\r\n")[0])
        return sock

    def test_2_a_websocket_goes_on_until_its_end(self):
        with self.tunnel() as sock:
            def echoes(text):
                mask = b"\1\2\3\4"
                masked = bytes(c ^ mask[i % 4] for i, c in enumerate(text))
                sock.sendall(struct.pack("!BB", 0x81, 0x80 | len(text)) + mask + masked)
                frame = b""
                while len(frame) < 2 + len(text):
                    frame += sock.recv(2 + len(text) - len(frame))
                self.assertEqual(frame[2:], text)
            echoes(b"before")
            old, new = self.restart()
            for i in range(20):
                echoes(b"after %d" % i)
                time.sleep(0.1)
            self.assertTrue(old.running(), "it left before the tunnel had ended")
            # Another generation, while the first still drains.
            middle, _ = self.restart()
            self.assertIs(middle, new)
            self.assertEqual(new.wait(), 0)
            echoes(b"two generations on")
            # What says "end" once more finds it ending already.
            old.signal(signal.SIGTERM)
            echoes(b"still")
            sock.sendall(b"\x88\x80\1\2\3\4")  # Close.
            self.assertEqual(sock.recv(1), b"\x88")
        self.assertEqual(old.wait(), 0)
        self.assert_serves()

    def test_3_a_held_request_is_answered_by_the_old_one(self):
        client = self.client()
        client.send(rig.request("/held"))
        self.held.wait("the held request", lambda: self.held.requests)
        old, _ = self.restart()
        self.held.connections[-1].send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld")
        answer = client.response()
        self.assertEqual((answer.status, answer.body), (200, b"held"))
        self.assertEqual(answer.get("connection"), "close")
        self.assertEqual(old.wait(), 0)

    def reported(self):
        """Connections and requests of the node, as the controller has them."""
        self.assertEqual(len(rig.pick(self.rig.ctl.status(), "nodes")), 1)
        report = rig.pick(self.rig.ctl.node("node-1"), "report") or {}
        return tuple(int(rig.pick(report, name) or 0)
                     for name in ("downstream_connections", "requests_total"))

    def wait_reported(self, *figures):
        def equal():
            self.assertEqual(self.reported(), figures)
            return self.rig.ctl.state("node-1") == "synced"
        rig.wait_for(f"the controller to hear of {figures}", equal)

    def wait_drains(self, *figures):
        """As the controller has them, which may be a report behind."""
        def equal():
            report = rig.pick(self.rig.ctl.node("node-1"), "report")
            self.assertEqual(tuple(int(rig.pick(report, name)) for name in
                                   ("draining_processes", "draining_connections")), figures)
            return True
        rig.wait_for(f"the controller to hear that {figures} drain", equal)

    def draining(self):
        page = self.proxy.get("/stats")["draining_predecessors"]
        return page["processes"], page["connections"]

    def test_3_the_controller_sees_what_drains(self):
        """Nothing but the old processes has connections, or requests, in all of this."""
        tunnel, client = self.tunnel(), self.client()
        begun = len(self.held.requests)
        client.send(rig.request("/held"))
        self.held.wait("the held request", lambda: len(self.held.requests) > begun)
        first, _ = self.restart()
        self.wait_reported(2, 0)
        self.assertEqual(self.draining(), (1, 2))
        self.wait_drains(1, 2)
        self.held.connections[-1].send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld")
        self.assertEqual(client.response().status, 200)
        self.wait_reported(1, 1)
        # Replaced in its turn, the second one ends, and the first one drains still.
        second, third = self.restart()
        self.assertEqual(second.wait(), 0)
        self.wait_reported(1, 0)
        self.assertEqual(self.draining(), (1, 1))
        self.assertTrue(first.running())
        tunnel.close()
        self.assertEqual(first.wait(), 0)
        self.wait_reported(0, 1)  # The tunnel's, which ended last.
        self.assertEqual(self.draining(), (0, 0))
        self.assertTrue(third.running())

    def test_4_failing_successors_leave_the_old_one_alone(self):
        taken = self.rig.port()
        with socket.create_server((self.proxy.host, taken)) as _, \
                load.Steady(self.proxy.host, self.port, threads=2) as steady, \
                traffic.new_connections(self.proxy.host, self.port) as fresh:
            for args, said in (
                    (["--admin-address", f"{self.proxy.host}:{taken}"], "cannot listen on"),
                    (["--node-id", "another"], "give --node-id node-1"),
                    (["--state-dir", "/proc/nowhere"], "/proc/nowhere")):
                new = self.successor(*args, expect=(1,))
                self.assertEqual(new.wait(), 1)
                self.assertIn(said, new.output())
                self.assert_serves()
            rig.wait_for("traffic", lambda: steady.ok > 200 and fresh.done > 50)
        self.assertEqual((steady.failures, steady.refused, steady.closed_idle, fresh.failures),
                         ([], 0, 0, []))
        self.assert_node_is_sane()
        self.assertIn("serving goes on", self.running.output())
        # Nothing is in the way of the next.
        old, _ = self.restart()
        self.assertEqual(old.wait(), 0)

    def test_5_killed_at_any_moment_of_the_handover(self):
        with load.Steady(self.proxy.host, self.port, threads=2) as steady, \
                traffic.new_connections(self.proxy.host, self.port) as fresh:
            for i in range(12):
                new = self.successor()
                deadline = time.monotonic() + 0.004 * i
                while time.monotonic() < deadline and "took over" not in new.output():
                    time.sleep(0.001)
                if "took over" in new.output():
                    # No longer during the handover: it is the proxy now.
                    self.wait_takeover(new)
                    continue
                os.kill(new.pid, signal.SIGSTOP)  # Else it might take over before the signal.
                time.sleep(0.02)
                if "took over" in new.output() or "handed over" in self.running.output():
                    os.kill(new.pid, signal.SIGCONT)
                    self.wait_takeover(new)
                    continue
                new.kill()
                rig.wait_for("the old one to go on",
                             lambda: self.running.running() and self.get("/", port=self.port))
            mark = steady.ok
            rig.wait_for("traffic", lambda: steady.ok > mark + 200)
        self.assertEqual((steady.failures, steady.refused, steady.closed_idle, fresh.failures),
                         ([], 0, 0, []))
        self.assert_node_is_sane()

    def test_6_the_socket_is_for_this_user_and_this_protocol(self):
        path = os.path.join(self.rig.proxies[0].state, "handover.sock")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        for message in (b"\x08\x63", b"\x08\x63\x12\x00", b"no message at all", b"\xff" * 70_000,
                        b"\x08\x02\x2a\x00", b"\x08\x02\x1a\x00"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
                sock.settimeout(20)
                sock.connect(path)
                sock.send(message)
                reply = sock.recv(65536)
                if message.startswith(b"\x08\x63"):
                    self.assertIn(b"without --hot-restart", reply)
                while reply:  # Until it closes.
                    reply = sock.recv(65536)
            self.assert_serves()
        old, _ = self.restart()
        self.assertEqual(old.wait(), 0)

    def test_6_a_successor_that_dies_with_the_sockets_in_its_hands(self):
        """Deterministic, where test_5 leaves the moment to chance: after the offer."""
        path = os.path.join(self.rig.proxies[0].state, "handover.sock")
        with load.Steady(self.proxy.host, self.port, threads=2) as steady, \
                traffic.new_connections(self.proxy.host, self.port) as fresh:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
                sock.settimeout(20)
                sock.connect(path)
                sock.send(b"\x08\x02\x12\x00")  # Protocol 2, a request.
                handed = []
                for _ in range(3):  # The offer, the sockets, the healths.
                    _, fds, _, _ = socket.recv_fds(sock, 65536, 100)
                    handed += fds
                self.assertGreater(len(handed), 4)  # The lock, two services, admin, metrics.
                # The configuration is held still as long as it lasts.
                extra = rig.service(self.rig.port(), [rig.route("late", [self.up])], name="late")
                document = rig.document(*self.services, extra, server={"drain_timeout_secs": 20})
                with concurrent.futures.ThreadPoolExecutor(1) as pool:
                    applied = pool.submit(self.rig.apply, document)
                    time.sleep(0.5)
                    self.assertFalse(applied.done())
                    mark = steady.ok, fresh.done
                    rig.wait_for("traffic", lambda: steady.ok > mark[0] + 100 and
                                 fresh.done > mark[1] + 20)
                    for fd in handed:
                        os.close(fd)
                    sock.close()
                    applied.result(60)
            mark = steady.ok, fresh.done
            rig.wait_for("traffic", lambda: steady.ok > mark[0] + 100 and fresh.done > mark[1] + 20)
        self.assertEqual((steady.failures, steady.refused, steady.closed_idle, fresh.failures),
                         ([], 0, 0, []))
        self.assert_node_is_sane()

    def test_7_what_changes_afterwards_reaches_the_new_one(self):
        old, new = self.restart()
        # Else the change may meet the old one's stream, which the new one's is about to replace.
        rig.wait_for("the new one at the controller", lambda: "connected to controller" in new.output())
        port = self.rig.port()
        moved = rig.service(port, [rig.route("moved", [self.up])], name="more")
        self.rig.apply(rig.document(*self.services, moved, server={"drain_timeout_secs": 20}))
        self.assertEqual(self.get("/", port=port).status, 200)
        self.assertEqual(old.wait(), 0)
        self.assertEqual(self.get("/", port=port).status, 200)
        self.assert_node_is_sane()
        old, _ = self.restart()
        self.assertEqual(old.wait(), 0)
        self.assertEqual(self.get("/", port=port).status, 200)
        self.assertEqual(rig.http_get(self.proxy.admin, "/readyz")[0], 200)
        self.assertEqual(rig.http_get(self.proxy.metrics_address, "/metrics")[0], 200)

    def test_8_signals_and_the_service_manager(self):
        # Before it has taken over a SIGTERM ends the new one only.
        drained = False
        with load.Steady(self.proxy.host, self.port, threads=2) as steady:
            for i in range(6):
                new = self.successor(expect=(0, 1, -signal.SIGTERM))
                time.sleep(0.005 * i)
                new.signal(signal.SIGTERM)
                code = new.wait()
                if "handed over" in self.running.output():
                    # It was the proxy already: then it drained, as asked.
                    drained = True
                    self.assertEqual(code, 0)
                    self.assertEqual(self.running.wait(), 0)
                    type(self).running = self.successor()
                    rig.wait_for("it to serve", lambda: self.get("/", port=self.port))
                else:
                    self.assertNotEqual(code, 0)
                    self.assert_serves()
            # When nobody follows, a listening socket that closes resets a handshake that is under way.
            reset = "connect: ConnectionResetError"
            self.assertEqual([failure for failure in steady.failures
                              if not (drained and failure[1].startswith(reset))], [])
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            path = self.rig.path("notify")
            manager.bind(path)
            manager.settimeout(20)
            old, new = self.restart(env={"NOTIFY_SOCKET": path})
            self.assertEqual(manager.recv(200), b"READY=1\nMAINPID=%d" % new.pid)
            self.assertEqual(old.wait(), 0)
        # While the handover is at any stage the old one is asked to end: one of the two drains, and
        # both end or one goes on serving.
        old = self.running
        new = self.successor(expect=(0, 1))
        time.sleep(0.01)
        old.signal(signal.SIGTERM)
        self.assertEqual(old.wait(), 0)
        rig.wait_for("the new one to serve or to give up",
                     lambda: not new.running() or "took over" in new.output() or
                     "an ordinary start" in new.output())
        if new.running():
            type(self).running = new
        else:
            self.assertEqual(new.proc.returncode, 1)
            type(self).running = self.successor()
        rig.wait_for("it to serve", lambda: self.get("/", port=self.port))

    def test_9_without_a_predecessor_it_starts_as_usual(self):
        self.assertEqual(self.running.stop(), 0)
        with self.assertRaises(OSError):
            h1.Client(self.proxy.host, self.port)
        new = self.successor()
        type(self).running = new
        rig.wait_for("it to serve", lambda: self.get("/", port=self.port).status == 200)
        self.assertIn("an ordinary start", new.output())
        self.assert_node_is_sane()


if __name__ == "__main__":
    rig.main()
