#!/usr/bin/python3
"""Which route a request takes, and what of it is sent upstream."""
import collections
import unittest  # noqa: F401

import _path  # noqa: F401
import rig
from rig import route


class RoutingTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        cls.port, cls.other_port = cls.rig.port(), cls.rig.port()
        cls.backends = {name: cls.rig.nginx(name) for name in ("one", "two", "three")}
        one, two, three = cls.backends.values()
        cls.document = rig.document(
            rig.service(cls.port, [
                route("users", [one], path_prefix="/api/v1/users", strip_prefix="/api/v1/users"),
                route("exact", [two], host="www.example.com"),
                route("wild", [three], host="*.example.com"),
                route("api", [two], path_prefix="/api"),
                route("shadowed", [three], path_prefix="/api/late"),
                route("both", [one], host="both.test", path_prefix="/x"),
                route("kept", [one], path_prefix="/keep", keep_encoded_slashes=True),
                route("teapot", path_prefix="/teapot",
                      respond={"status": 418, "body": "short\n", "content_type": "text/plain"}),
                route("moved", path_prefix="/moved",
                      redirect={"status": 308, "scheme": "https", "host": "new.test"}),
                route("rewritten", [one], host="rewrite.test", host_rewrite="inner.test"),
                {"name": "split", "path_prefix": "/split", "upstreams": [
                    {**rig.group("heavy", [one]), "weight": 3}, {**rig.group("light", [two]), "weight": 1}]},
                {"name": "shared", "path_prefix": "/shared", "upstreams": [{"name": "pool"}]},
            ]),
            rig.service(cls.other_port, [route("all", [three])], name="other"),
            upstreams=[rig.group("pool", [two])])
        cls.rig.apply(cls.document)

    def told(self, path, host="a.test", **options):
        answer = self.get(path, host, **options)
        self.assertEqual(answer.status, 200, answer.body)
        return rig.told(answer.body)

    def test_strip_prefix_keeps_query_and_tells_upstream(self):
        for path, sent in (("/api/v1/users/123?q=a%20b", "/123?q=a%20b"), ("/api/v1/users", "/"),
                           ("/api/v1/users/", "/"), ("/api/v1/users?x", "/?x")):
            with self.subTest(path=path):
                told = self.told(path)
                self.assertEqual((told["node"], told["uri"]), ("one", sent))
                self.assertEqual(told["prefix"], "/api/v1/users")

    def test_prefix_ends_at_a_segment(self):
        self.assertEqual(self.told("/api/v1/usersx")["node"], "two")
        self.assertEqual(self.get("/apix").status, 404)

    def test_first_match_wins_over_later_and_longer_ones(self):
        self.assertEqual(self.told("/api/late/x")["node"], "two")
        self.assertEqual(self.told("/api/v1/users/1", "www.example.com")["node"], "one")

    def test_hosts(self):
        for host, node in (("www.example.com", "two"), ("WWW.Example.COM", "two"),
                           ("www.example.com:8443", "two"), ("b.example.com", "three"),
                           ("a.b.example.com", "three")):
            with self.subTest(host=host):
                self.assertEqual(self.told("/", host)["node"], node)
        self.assertEqual(self.get("/", "example.com").status, 404)
        self.assertEqual(self.get("/", "wwwexample.com").status, 404)

    def test_host_and_path_must_both_match(self):
        self.assertEqual(self.told("/x", "both.test")["node"], "one")
        self.assertEqual(self.get("/y", "both.test").status, 404)
        self.assertEqual(self.get("/x", "a.test").status, 404)

    def test_absolute_form_decides_the_host(self):
        with self.client() as client:
            answer = client.ask("GET http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
        told = rig.told(answer.body)
        self.assertEqual((told["node"], told["uri"], told["host"]), ("two", "/", "www.example.com"))

    def test_paths_are_normalised_before_matching_and_sent_as_matched(self):
        for path, sent in (("/api//v1///x", "/api/v1/x"), ("/api/./x", "/api/x"),
                           ("/public/../api/x", "/api/x"), ("/%61pi/x", "/api/x"),
                           ("/api/%7Eme", "/api/~me"), ("/public/%2e%2e/api/y", "/api/y")):
            with self.subTest(path=path):
                self.assertEqual(self.told(path)["uri"], sent)
        for path in ("/api/a%2Fb", "/api/..%2Fx", "/api/a%5Cb", "/api/a\\b", "/api/%00", "/../x"):
            with self.subTest(path=path):
                self.assertEqual(self.get(path).status, 400)

    def test_encoded_slash_passes_where_the_route_keeps_it(self):
        self.assertEqual(self.told("/keep/a%2Fb")["uri"], "/keep/a%2Fb")

    def test_proxy_answers_and_redirects(self):
        answer = self.get("/teapot/x")
        self.assertEqual((answer.status, answer.body), (418, b"short\n"))
        self.assertEqual(answer.get("content-type"), "text/plain")
        answer = self.get("/moved/a?b=c", "old.test")
        self.assertEqual(answer.status, 308)
        self.assertEqual(answer.get("location"), "https://new.test/moved/a?b=c")

    def test_host_is_kept_or_rewritten(self):
        self.assertEqual(self.told("/shared", "h.test")["host"], "h.test")
        self.assertEqual(self.told("/any", "rewrite.test")["host"], "inner.test")

    def test_weights_split_a_route(self):
        count = collections.Counter(self.told("/split")["node"] for _ in range(200))
        self.assertEqual(set(count), {"one", "two"})
        self.assertGreater(count["one"], count["two"])

    def test_services_are_apart(self):
        self.assertEqual(self.told("/anything", port=self.other_port)["node"], "three")
        self.assertEqual(self.get("/anything").status, 404)

    def test_explain_agrees_with_the_traffic(self):
        explained = self.rig.ctl.json("explain", "GET",
                                      f"http://www.example.com:{self.port}/api/v1/users/9")
        self.assertEqual(rig.pick(explained, "route"), "users")
        self.assertEqual(rig.pick(explained, "path_sent"), "/9")
        local = self.rig.ctl.json("explain", "--node", "node-1", "GET",
                                  f"http://b.example.com:{self.port}/")
        self.assertIn("wild", str(local))

    def test_many_routes(self):
        port = self.rig.port()
        routes = [route(f"r{i}", path_prefix=f"/r/{i}", respond={"status": 200, "body": str(i)})
                  for i in range(3000)]
        self.rig.apply(rig.document(*self.document["services"], rig.service(port, routes, name="many"),
                                    upstreams=self.document["upstreams"]))
        for i in (0, 1, 1499, 2999):
            self.assertEqual(self.get(f"/r/{i}/x", port=port).body, str(i).encode())
        self.assertEqual(self.get("/r/3000", port=port).status, 404)
        # The drop back to few routes is a shrink an operator has to allow.
        self.rig.apply(self.document, "--allow-shrink")


if __name__ == "__main__":
    rig.main()
