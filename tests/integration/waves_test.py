#!/usr/bin/python3
"""Versions in waves: what hurts is taken back by itself and never goes past its wave."""
import socket
import threading
import time
import unittest  # noqa: F401

import _path  # noqa: F401
import rig
import traffic
import upstream

BACK_WITHIN = 15 * rig.SLOWDOWN  # Seconds.
BAKE = {"waves": ["1", "40%"], "bake": "3s",
        "gates": {"requests_min": 30, "effective_within": "20s"}}


def ask_for_the_version(client):
    status = client.ask(rig.request("/")).status
    yield status, client.ask(rig.request("/version")).body.decode()


class WavesTest(rig.FleetTest):
    nodes = 5
    workers = 1

    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()
        cls.good = cls.rig.upstream()
        cls.counter = 0

        def sometimes(connection, request):
            cls.counter += 1
            return upstream.reply(status="503 Service Unavailable") if cls.counter % 10 < 3 \
                else upstream.OK

        def slowly(connection, request):
            time.sleep(0.12)
            return upstream.OK
        cls.failing = cls.rig.upstream(on_request=sometimes)
        cls.slow = cls.rig.upstream(on_request=slowly)
        cls.rig.apply(cls.version("good", cls.good))

    @classmethod
    def version(cls, text, backend, *more, **rollout):
        return rig.document(
            rig.service(cls.port, [
                rig.route("version", path_prefix="/version", respond={"status": 200, "body": text}),
                rig.route("all", [backend], "app-" + text.split("-")[0])]),
            *more, rollout={**BAKE, **rollout})

    def setUp(self):
        super().setUp()
        # Whatever the test before left: every node has the same good version.
        self.rig.apply(self.version("good", self.good), "--strategy", "all-at-once", "--force")

    def load(self):
        """A hundred requests a second to each proxy, and who answered."""
        return traffic.ToEveryProxy(self.rig.proxies, self.port, ask_for_the_version, pause=0.01)

    def served(self):
        return [self.get("/version", at=p.host).body.decode() for p in self.rig.proxies]

    def rollout(self, *args):
        return self.rig.ctl.json("rollout", "status", *args)

    def state(self, *args):
        return str(rig.pick(self.rollout(*args), "state")).lower()

    def assert_taken_back(self, load, text, since):
        """Only the first node ever had it, and not for long."""
        seen = [node for node, answers in load.answers.items()
                if text in {version for _, version in answers}]
        self.assertIn(seen, ([], ["node-1"]))
        rig.wait_for("all to be back", lambda: self.served() == ["good"] * 5)
        self.assertLess(time.monotonic() - since, BACK_WITHIN)

    def test_a_good_version_goes_through_every_wave(self):
        with self.load() as load:
            done = self.rig.apply(self.version("better", self.good))
        self.assertIn("released to the whole fleet", done.stdout)
        self.assertEqual(self.served(), ["better"] * 5)
        self.assertEqual({status for status, _ in load.all()}, {200})
        rollout = self.rollout()
        self.assertEqual([w["size"] for w in rollout["waves"]], [1, 2, 5])
        self.assertEqual(self.state(), "completed")

    def test_errors_are_taken_back_with_their_figures(self):
        with self.load() as load:
            rig.wait_for("something to compare with",
                         lambda: all(len(a) > 50 for a in load.answers.values()))
            began = time.monotonic()
            document = self.version("failing", self.failing)
            done = self.rig.apply(document, code=1)
            self.assert_taken_back(load, "failing", began)
        for words in ("was taken back", "wave 1 of 3", "5xx", "nodes without the version"):
            self.assertIn(words, done.stderr)
        self.assertIn("taken-back", self.rig.ctl("history").stdout)
        # It is known to be bad.
        again = self.rig.apply(document, code=1)
        self.assertIn("--force", again.stderr)
        self.assertIn("5xx", again.stderr)
        self.assertIn("failed", self.rig.ctl("status").stdout)

    def test_latency_is_taken_back(self):
        with self.load() as load:
            rig.wait_for("something to compare with",
                         lambda: all(len(a) > 120 for a in load.answers.values()))
            document = self.version("slow", self.slow, gates={**BAKE["gates"], "requests_min": 150},
                                    bake="10s")
            began = time.monotonic()
            done = self.rig.apply(document, code=1)
            self.assert_taken_back(load, "slow", began)
        self.assertIn("p99", done.stderr)

    def test_a_node_that_refuses_leaves_all_as_they_are(self):
        port = self.rig.port()
        with socket.socket() as holder:
            # An earlier user of the port may have left connections in TIME_WAIT.
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind((self.rig.proxies[3].host, port))
            holder.listen()
            with self.load() as load:
                extra = rig.service(port, [rig.route("all", [self.good], "b-up")], name="blocked")
                began = time.monotonic()
                done = self.rig.apply(self.version("refused", self.good, extra), code=1)
                self.assertIn("node-4", done.stderr)
                self.assert_taken_back(load, "refused", began)

    def test_a_killed_controller_goes_on_where_it_was(self):
        with self.load() as load:
            path = self.rig.write(self.version("resumed", self.good, bake="6s"))
            self.rig.ctl("apply", "-f", path)
            rig.wait_for("the first wave", lambda: self.served()[0] == "resumed")
            self.rig.controller.kill()
            self.assertEqual(self.served()[1:], ["good"] * 4)
            self.rig.controller.start()
            rig.wait_for("all", lambda: self.served() == ["resumed"] * 5)
            rig.wait_for("its end", lambda: self.state() == "completed")
        self.assertEqual({status for status, _ in load.all()}, {200})

    def test_a_killed_controller_still_takes_back_what_hurts(self):
        with self.load() as load:
            rig.wait_for("something to compare with",
                         lambda: all(len(a) > 50 for a in load.answers.values()))
            path = self.rig.write(self.version("failing-2", self.failing, bake="60s"))
            self.rig.ctl("apply", "-f", path)
            rig.wait_for("the first wave", lambda: self.served()[0] == "failing-2")
            self.rig.controller.kill()
            began = time.monotonic()
            self.rig.controller.start()
            self.assert_taken_back(load, "failing-2", began)
        rig.wait_for("its end", lambda: self.state() == "failed")

    def test_an_operator_pauses_promotes_and_aborts(self):
        path = self.rig.write(self.version("by-hand", self.good, bake="1s", promotion="manual",
                                           gates={"requests_min": 0}))
        self.rig.ctl("apply", "-f", path)
        rig.wait_for("the first wave to have baked", lambda: self.state() == "awaiting")
        self.assertEqual(self.served(), ["by-hand"] + ["good"] * 4)
        self.rig.ctl("rollout", "promote", "-m", "looks fine")
        rig.wait_for("the second", lambda: self.served() == ["by-hand"] * 2 + ["good"] * 3)
        self.rig.ctl("rollout", "pause")
        self.assertIn("paused already", self.rig.ctl("rollout", "pause", code=1).stderr)
        self.rig.ctl("rollout", "resume")
        aborted = self.rig.ctl("rollout", "abort", "-m", "changed my mind")
        self.assertIn("aborted", aborted.stdout)
        rig.wait_for("all to be back", lambda: self.served() == ["good"] * 5)
        audit = self.rig.ctl("audit").stdout
        for words in ("PROMOTE looks fine", "ABORT changed my mind"):
            self.assertIn(words, audit)
        self.assertIn("no rollout is under way", self.rig.ctl("rollout", "abort", code=1).stderr)
        # What was aborted is not bad: it may go again.
        self.rig.ctl("rollout", "retry")
        rig.wait_for("the first wave", lambda: self.served()[0] == "by-hand")
        # Back is out of what is under way, not to the version before the stable one.
        self.assertIn("is taken back", self.rig.ctl("rollback").stdout)
        rig.wait_for("all to be back", lambda: self.served() == ["good"] * 5)

    def test_a_newer_change_takes_its_place(self):
        path = self.rig.write(self.version("older", self.good, bake="60s"))
        waited = []
        waiting = threading.Thread(
            target=lambda: waited.append(self.rig.ctl("apply", "-f", path, "--wait", code=1)))
        waiting.start()
        rig.wait_for("the first wave", lambda: self.served()[0] == "older")
        revision = rig.pick(self.rollout(), "version", "revision")
        again = self.rig.ctl("apply", "-f", path)
        self.assertIn("on its way already", again.stdout)
        newer = self.rig.write(self.version("newer", self.good, bake="60s"))
        self.rig.ctl("apply", "-f", newer)
        rig.wait_for("the newer one", lambda: self.served() == ["newer"] + ["good"] * 4)
        waiting.join(rig.DEADLINE)
        self.assertIn("was superseded", waited[0].stderr)
        self.assertEqual(self.state("--of", revision), "superseded")
        # What runs elsewhere, applied again, is the way back.
        self.rig.ctl("apply", "-f", self.rig.write(self.version("good", self.good)))
        rig.wait_for("all to be back", lambda: self.served() == ["good"] * 5)

    def test_a_node_that_joins_gets_the_stable_version(self):
        path = self.rig.write(self.version("partly", self.good, bake="60s"))
        self.rig.ctl("apply", "-f", path)
        rig.wait_for("the first wave", lambda: self.served()[0] == "partly")
        joined = self.rig.start_proxy("node-6", "127.0.0.6", workers=1)
        self.rig.wait_nodes("node-6")
        rig.wait_for("what the others have", lambda: self.get(
            "/version", at=joined.host).body.decode() == "good")
        self.rig.ctl("rollout", "abort")
        self.rig.proxies.remove(joined)
        joined.stop()
        self.rig.parts.remove(joined)
        rig.wait_for("it to be gone", lambda: self.rig.ctl("node", "remove", "node-6"))


if __name__ == "__main__":
    rig.main()
