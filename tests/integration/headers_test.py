#!/usr/bin/python3
"""What the proxy tells upstreams, and whom it believes."""
import re
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import rig

UUID7 = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class HeadersTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port, cls.trusting_port, cls.tls_port = r.port(), r.port(), r.port()
        cls.up = r.upstream()
        site = r.cert("site", ["a.test"])
        routes = [rig.route("api", [cls.up], "up", path_prefix="/api", strip_prefix="/api"),
                  rig.route("all", [cls.up], "up")]
        r.apply(rig.document(
            rig.service(cls.port, routes),
            rig.service(cls.trusting_port, routes, name="trusting",
                        trusted_proxies=["127.0.0.0/8", "10.0.0.0/8"]),
            rig.service(cls.tls_port, routes, name="tls",
                        tls={"enabled": True, "cert_path": site.cert, "key_path": site.key})))

    def seen(self, path="/", headers=(), port=None, **options):
        count = len(self.up.requests)
        answer = self.get(path, headers=headers, port=port, **options)
        self.assertEqual(answer.status, 200)
        self.up.wait("the request", lambda: len(self.up.requests) > count)
        return self.up.requests[-1]

    def test_request_id_is_made_and_unique(self):
        ids = {self.seen().get("x-request-id") for _ in range(20)}
        self.assertEqual(len(ids), 20)
        for value in ids:
            self.assertRegex(value, UUID7)

    def test_request_id_of_strangers_is_replaced_and_of_trusted_peers_kept(self):
        self.assertRegex(self.seen(headers=["X-Request-ID: mine"]).get("x-request-id"), UUID7)
        kept = self.seen(headers=["X-Request-ID: mine-1"], port=self.trusting_port)
        self.assertEqual(kept.get("x-request-id"), "mine-1")
        for bad in ('a"}b', "x" * 5000, "a b", "\xff"):
            self.assertRegex(self.seen(headers=[f"X-Request-ID: {bad}"], port=self.trusting_port)
                             .get("x-request-id"), UUID7)

    def test_forwarded_for_strangers(self):
        seen = self.seen(headers=["X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https",
                                  "X-Forwarded-Host: evil.test", "X-Forwarded-Prefix: /evil"])
        self.assertEqual(seen.get("x-forwarded-for"), "127.0.0.1")
        self.assertEqual(seen.get("x-forwarded-proto"), "http")
        self.assertEqual(seen.get("x-forwarded-host"), "a.test")
        self.assertNotIn("/evil", seen.get("x-forwarded-prefix") or "")

    def test_forwarded_for_trusted_peers_is_continued(self):
        seen = self.seen(headers=["X-Forwarded-For: 9.9.9.9, 10.1.1.1", "X-Forwarded-Proto: https",
                                  "X-Forwarded-Host: shop.test"], port=self.trusting_port)
        self.assertEqual(seen.get("x-forwarded-for"), "9.9.9.9, 10.1.1.1, 127.0.0.1")
        self.assertEqual(seen.get("x-forwarded-proto"), "https")
        self.assertEqual(seen.get("x-forwarded-host"), "shop.test")
        # The client is the first untrusted hop.
        record = self.proxy.wait_record(lambda r: r.get("request_id") == seen.get("x-request-id"))
        self.assertEqual(record["client"], "9.9.9.9")

    def test_proto_over_tls(self):
        seen = self.seen(port=self.tls_port, tls=certs.client_context(), server_name="a.test")
        self.assertEqual(seen.get("x-forwarded-proto"), "https")

    def test_prefix(self):
        self.assertEqual(self.seen("/api/x").get("x-forwarded-prefix"), "/api")
        self.assertFalse(self.seen("/x").has("x-forwarded-prefix"))

    def test_traceparent_is_continued_or_begun(self):
        begun = self.seen().get("traceparent")
        self.assertRegex(begun, r"^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$")
        version, trace, span, flags = self.seen(headers=["traceparent: " + TRACE]).get("traceparent").split("-")
        self.assertEqual((version, trace, flags), ("00", TRACE.split("-")[1], "01"))
        self.assertRegex(span, r"^[0-9a-f]{16}$")
        for bad in ("00-" + "0" * 32 + "-00f067aa0ba902b7-01", "ff" + TRACE[2:], "junk", TRACE + "-x"):
            self.assertNotIn(TRACE.split("-")[1], self.seen(headers=["traceparent: " + bad]).get("traceparent"))

    def test_tracestate_passes(self):
        seen = self.seen(headers=["traceparent: " + TRACE, "tracestate: a=b"])
        self.assertEqual(seen.get("tracestate"), "a=b")

    def test_ordinary_headers_pass_unchanged_and_in_order(self):
        sent = ["X-A: 1", "x-b: two words", "Cookie: a=b; c=d", "X-A: 3", "Accept: */*",
                "Authorization: Basic QQ=="]
        seen = self.seen(headers=sent)
        got = [f"{n.decode()}: {v.decode()}" for n, v in seen.fields]
        self.assertEqual([line for line in got if line in sent], sent)

    def test_log_carries_the_same_ids(self):
        seen = self.seen("/logged?q=1")
        record = self.proxy.wait_record(lambda r: r.get("request_id") == seen.get("x-request-id"))
        self.assertIn(record["trace_id"], seen.get("traceparent"))
        self.assertTrue(re.match(r"^[0-9a-f]{32}$", record["trace_id"]))


if __name__ == "__main__":
    rig.main()
