#!/usr/bin/python3
"""Signed events to a real HTTP server, and receivers that fail in every way."""
import hashlib
import hmac
import http.server
import json
import os
import threading
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import rig

SECRET = b"a secret that only two know"


class Receiver:
    """Answers with the statuses it is given, then with 204; keeps what it got."""

    def __init__(self, port, certificate=None):
        self.requests, self.statuses = [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((dict(self.headers.items()), body))
                status = outer.statuses.pop(0) if outer.statuses else 204
                self.send_response(status)
                if status in (301, 302):
                    self.send_header("Location", outer.elsewhere)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.elsewhere = ""
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        scheme = "http"
        if certificate:
            scheme = "https"
            self.server.socket = certificate.server_context().wrap_socket(self.server.socket,
                                                                          server_side=True)
        self.url = f"{scheme}://127.0.0.1:{port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def events(self):
        """Bodies, each once, whatever the attempts."""
        seen = {}
        for _, body in list(self.requests):
            event = json.loads(body)
            seen.setdefault(event["id"], event)
        return list(seen.values())

    def wait_event(self, event, action):
        return rig.wait_for(f"{event} {action}", lambda: next(
            (e for e in self.events() if (e["event"], e["action"]) == (event, action)), None))


class WebhooksTest(rig.FleetTest):
    nodes = 0

    @classmethod
    def setUpClass(cls):
        cls.rig = rig.Rig()
        r = cls.rig
        with open(r.path("secret"), "wb") as out:
            out.write(SECRET + b"\n")
        authority = r.cert("ca")
        cls.plain = Receiver(r.port())
        cls.tls = Receiver(r.port(), r.cert("receiver", ["127.0.0.1"], issuer=authority))
        cls.untrusted = Receiver(r.port(), r.cert("stranger", ["127.0.0.1"]))
        cls.dead = f"http://127.0.0.1:{r.port()}/"
        hooks = [{"name": "plain", "url": cls.plain.url, "secret_file": "secret"},
                 {"name": "tls", "url": cls.tls.url, "secret_file": "secret",
                  "ca_file": authority.cert, "events": ["version"]},
                 {"name": "untrusted", "url": cls.untrusted.url, "secret_file": "secret",
                  "ca_file": authority.cert, "attempts": 1},
                 {"name": "dead", "url": cls.dead, "secret_file": "secret", "attempts": 1}]
        r.start_controller(args=("--webhooks", r.write({"webhooks": hooks}, "hooks.yaml"),
                                 "--report-interval", "200ms"))
        cls.port = r.port()

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        for receiver in (cls.plain, cls.tls, cls.untrusted):
            receiver.close()

    def setUp(self):
        super().setUp()
        for receiver in (self.plain, self.tls):
            receiver.requests.clear()
            receiver.statuses.clear()

    def version(self, text):
        return rig.document(rig.service(self.port, [
            rig.route("r", path_prefix="/", respond={"status": 200, "body": text})]))

    def figure(self, name, webhook):
        return rig.metric(self.rig.controller.metrics(), f"sluice_controller_webhook_{name}",
                          webhook=webhook)

    def test_events_of_versions_are_signed(self):
        self.rig.apply(self.version("one"), "-m", "the first")
        for receiver in (self.plain, self.tls):
            event = receiver.wait_event("version", "released")
            self.assertEqual(event["version"]["revision"], self.rig.ctl.revision())
            headers, body = next(r for r in receiver.requests
                                 if r[0]["Sluice-Delivery"] == event["id"])
            self.assertEqual(headers["Sluice-Event"], "version")
            self.assertEqual(headers["Content-Type"], "application/json")
            signature = dict(part.split("=") for part in headers["Sluice-Signature"].split(","))
            self.assertLess(abs(time.time() - int(signature["t"])), 60)
            expected = hmac.new(SECRET, signature["t"].encode() + b"." + body, hashlib.sha256)
            self.assertEqual(signature["v1"], expected.hexdigest())
        bad = self.rig.write("services: [{name: 1}]\n")
        self.rig.ctl("apply", "-f", bad, code=1)
        event = self.plain.wait_event("version", "invalid")
        self.assertIn(os.path.basename(bad), event["message"])

    def test_a_receiver_that_fails_is_asked_again(self):
        self.plain.statuses[:] = [500, 503]
        before = self.figure("retries_total", "plain")
        self.rig.apply(self.version("again"))
        self.plain.wait_event("version", "released")
        rig.wait_for("three attempts", lambda: len(self.plain.requests) >= 3)
        ids = {headers["Sluice-Delivery"] for headers, _ in self.plain.requests[:3]}
        self.assertEqual(len(ids), 1)
        rig.wait_for("the count", lambda: self.figure("queued", "plain") == 0)
        self.assertEqual(self.figure("retries_total", "plain"), before + 2)

    def test_redirects_are_not_followed(self):
        failed = self.figure("failed_total", "tls")
        self.tls.elsewhere = self.plain.url + "/redirected"
        self.tls.statuses[:] = [302]
        self.rig.apply(self.version("redirect"))
        rig.wait_for("the failure", lambda: self.figure("failed_total", "tls") == failed + 1)
        self.assertEqual(len(self.tls.requests), 1)

    def test_dead_and_untrusted_receivers_hurt_nobody(self):
        before = [self.figure("failed_total", name) for name in ("dead", "untrusted")]
        for i in range(5):
            self.rig.apply(self.version(f"dead {i}"))
        for name, was in zip(("dead", "untrusted"), before):
            rig.wait_for(f"{name} to be given up",
                         lambda name=name, was=was: self.figure("failed_total", name) >= was + 5)
            self.assertEqual(self.figure("delivered_total", name), 0)
        self.assertEqual(self.untrusted.requests, [])
        self.assertIn("certificate", self.rig.controller.output())
        self.assertEqual(len([e for e in self.plain.events() if e["action"] == "released"]), 5)

    def test_events_of_nodes(self):
        import signal
        import socket
        self.rig.apply(self.version("nodes"))
        proxy = self.rig.start_proxy("node-1")
        self.plain.wait_event("node", "connected")
        rig.wait_for("the node", lambda: self.rig.ctl.state("node-1") == "synced")
        self.plain.requests.clear()
        proxy.signal(signal.SIGSTOP)
        self.assertIn("no report", self.plain.wait_event("node", "unreachable")["message"])
        proxy.signal(signal.SIGCONT)
        self.assertEqual(self.plain.wait_event("node", "recovered")["node"], "node-1")
        # A port that the proxy cannot bind: it refuses what others could take.
        with socket.socket() as holder:
            holder.bind((proxy.host, 0))
            holder.listen()
            blocked = rig.service(holder.getsockname()[1], [
                rig.route("b", path_prefix="/", respond={"status": 200})], name="blocked")
            document = rig.document(*self.version("nodes")["services"], blocked)
            self.rig.apply(document, code=1)
            self.plain.wait_event("version", "refused")
            proxy.stop()
            self.plain.wait_event("node", "disconnected")
            self.rig.apply(document)
            proxy.start()
            event = self.plain.wait_event("node", "rejected")
            self.assertEqual(event["node"], "node-1")
            self.assertTrue(event["message"])
        proxy.stop()

    def test_events_of_rollouts(self):
        self.rig.apply(self.version("before"))
        self.plain.wait_event("version", "released")
        proxies = [self.rig.start_proxy(f"wave-{i}", f"127.0.0.{i}") for i in (1, 2)]
        self.rig.wait_nodes("wave-1", "wave-2")
        self.plain.requests.clear()
        waves = {"waves": ["1"], "bake": "1s", "promotion": "manual", "gates": {"requests_min": 0}}
        self.rig.ctl("apply", "-f", self.rig.write({**self.version("waves"), "rollout": waves}))
        self.assertIn("wave 1 of 2", self.plain.wait_event("rollout", "wave")["message"])
        self.assertIn("promote", self.plain.wait_event("rollout", "paused")["message"])
        self.rig.ctl("rollout", "promote")
        event = self.plain.wait_event("rollout", "completed")
        self.assertEqual(event["version"]["revision"], self.rig.ctl.revision())
        self.plain.wait_event("version", "released")
        actions = [e["action"] for e in self.plain.events() if e["event"] != "node"]
        self.assertEqual(actions, ["wave", "paused", "wave", "completed", "released"])

        self.rig.ctl("apply", "-f", self.rig.write({**self.version("bad"), "rollout": waves}))
        self.plain.requests.clear()
        self.rig.ctl("rollout", "abort", "-m", "changed my mind")
        self.assertIn("changed my mind", self.plain.wait_event("rollout", "taken_back")["message"])
        for proxy in proxies:
            proxy.stop()

    def test_a_file_with_mistakes_is_refused_with_their_places(self):
        bad = self.rig.write("webhooks:\n  - ulr: http://a.test/\n    secret_file: secret\n")
        broken = rig.Controller(self.rig, "broken", args=("--webhooks", bad))
        broken.start(ready=False)
        self.assertEqual(broken.wait(), 1)
        self.assertIn(f"{bad}:2:5: error: webhooks[0].ulr", broken.output())
        self.assertIn("did you mean 'url'?", broken.output())


if __name__ == "__main__":
    rig.main()
