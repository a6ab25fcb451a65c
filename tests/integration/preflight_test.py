#!/usr/bin/python3
"""A preflight: live requests are routed by the candidate too, and nothing changes by it."""
import subprocess
import unittest  # noqa: F401

import _path  # noqa: F401
import rig
import traffic

# Of ten requests in a row, so many go to each path.
MIX = ["/api/items"] * 6 + ["/old/page"] * 3 + ["/nowhere"]


def ask_for_the_mix(client):
    for path in MIX:
        yield path, client.ask(rig.request(path)).status


class PreflightTest(rig.FleetTest):
    nodes = 3

    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()
        cls.backend = cls.rig.upstream()
        cls.rig.apply(cls.now())

    @classmethod
    def now(cls, **options):
        return cls.version([rig.route("api", [cls.backend], "shop", path_prefix="/api"),
                            rig.route("old", [cls.backend], "attic", path_prefix="/old")], **options)

    @classmethod
    def version(cls, routes, **options):
        return rig.document(rig.service(cls.port, routes), **options)

    def candidate(self, **options):
        """/old matches nothing, /api goes to another upstream, /nowhere is redirected."""
        return self.version(
            [rig.route("api", [self.backend], "shop-v2", path_prefix="/api"),
             rig.route("moved", path_prefix="/nowhere",
                       redirect={"status": 301, "host": "new.test"})], **options)

    def load(self):
        return traffic.ToEveryProxy(self.rig.proxies, self.port, ask_for_the_mix, pause=0.002)

    def assert_untouched(self, load, revision):
        self.assertEqual(self.rig.ctl.revision(), revision)
        self.assertEqual(set(load.all()),
                         {("/api/items", 200), ("/old/page", 200), ("/nowhere", 404)})

    def test_a_dry_run_tells_what_would_change_by_route(self):
        before = self.rig.ctl.revision()
        with self.load() as load:
            said = self.rig.ctl.json("apply", "-f", self.rig.write(self.candidate()), "--dry-run",
                                     "nodes", "--preflight", "5s", "--allow-shrink")
        self.assert_untouched(load, before)
        found = rig.pick(said, "preflight")
        figures = rig.pick(found, "figures")
        self.assertEqual(len(rig.pick(found, "node_ids")), 3)
        requests = int(rig.pick(figures, "requests"))
        self.assertGreater(requests, 100)
        self.assertEqual(int(rig.pick(figures, "changed")), requests, "every one of the mix")
        changes = {(change.get("route", ""), change["kind"]): change
                   for change in rig.pick(figures, "changes")}
        self.assertEqual(set(changes), {("api", "OTHER_UPSTREAM"), ("old", "UNMATCHED"),
                                        ("", "MATCHED")})
        share = {key: int(change["requests"]) / requests for key, change in changes.items()}
        for key, expected in ((("api", "OTHER_UPSTREAM"), 0.6), (("old", "UNMATCHED"), 0.3),
                              (("", "MATCHED"), 0.1)):
            self.assertAlmostEqual(share[key], expected, delta=0.1)
        self.assertIn("shop-v2", changes[("api", "OTHER_UPSTREAM")]["target"])
        self.assertEqual(changes[("", "MATCHED")]["target"], "301 //new.test by route moved")
        self.assertIn("GET a.test/old/page", changes[("old", "UNMATCHED")]["examples"])

    def test_people_read_it_as_a_table(self):
        with self.load():
            done = self.rig.ctl("apply", "-f", self.rig.write(self.candidate()), "--dry-run", "nodes",
                                "--preflight", "3s", "--allow-shrink")
        for words in ("preflight, 3.000 s of 3.000 s on 3 nodes", "would be treated otherwise",
                      "web/old", "match nothing", "web/api", "go to", "301", "e.g. GET a.test/old/page"):
            self.assertIn(words, done.stdout)

    def test_the_gate_keeps_it_from_everybody(self):
        before = self.rig.ctl.revision()
        with self.load() as load:
            done = self.rig.apply(self.candidate(), "--allow-shrink", "--max-changed-ratio", "0.05",
                                  "--preflight", "3s", code=1)
            self.assert_untouched(load, before)
        self.assertIn("max_changed_ratio allows 0.05", done.stderr)
        self.assertIn("refused", self.rig.ctl("history").stdout)

    def test_a_change_that_changes_nothing_for_live_requests_passes_the_strictest_gate(self):
        routes = self.now()["services"][0]["routes"] + [
            rig.route("extra", path_prefix="/extra", respond={"status": 204})]
        gates = {"max_changed_ratio": 0.0}
        with self.load() as load:
            done = self.rig.apply(self.version(
                routes, rollout={"waves": ["1"], "bake": "100ms", "preflight": "3s",
                                 "gates": {**gates, "requests_min": 1}}))
        self.assertIn("none would be treated otherwise", done.stdout)
        self.assertIn("released to the whole fleet", done.stdout)
        self.assertEqual({status for path, status in load.all() if path != "/nowhere"}, {200})
        self.rig.apply(self.now())

    def test_on_one_node_and_of_a_sample(self):
        document = self.candidate(rollout={"preflight": "3s", "preflight_sample_percent": 20})
        with self.load():
            said = self.rig.ctl.json("apply", "-f", self.rig.write(document), "--dry-run", "nodes",
                                     "--preflight-nodes", "1", "--allow-shrink")
        found = rig.pick(said, "preflight")
        self.assertEqual(rig.pick(found, "node_ids"), ["node-1"])
        self.assertGreater(int(rig.pick(rig.pick(found, "figures"), "requests")), 0)

    def test_abort_and_a_newer_change_end_it(self):
        before = self.rig.ctl.revision()
        for end in (lambda: self.rig.ctl("rollout", "abort"),
                    lambda: self.rig.apply(self.now(logging={"access_log": {"enabled": False}}))):
            path = self.rig.write(self.candidate())
            with subprocess.Popen(
                    self.rig.ctl.argv("apply", "-f", path, "--preflight", "10m", "--allow-shrink"),
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
                try:
                    while "preflight, " not in waiting.stdout.readline():
                        self.assertIsNone(waiting.poll())
                    end()
                    _, error = waiting.communicate(timeout=rig.DEADLINE)
                finally:
                    waiting.kill()
            self.assertEqual(waiting.returncode, 1, error)
            self.assertIn("preflight was ended", error)
        self.assertGreater(self.rig.ctl.revision(), before)
        self.assertEqual(self.get("/old/x").status, 200)


if __name__ == "__main__":
    rig.main()
