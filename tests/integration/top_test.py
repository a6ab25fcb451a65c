#!/usr/bin/python3
"""sluicectl top in a real terminal."""
import os
import signal
import subprocess
import unittest  # noqa: F401

import _path  # noqa: F401
import fleet
import process
import rig
import terminal

UP, DOWN, ENTER, ESCAPE = "\x1bOA", "\x1bOB", "\r", "\x1b"


class TopTest(rig.FleetTest):
    nodes = 2

    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()
        cls.backend = cls.rig.nginx("a")
        cls.dead = f"127.0.0.1:{cls.rig.port()}"
        cls.rig.apply(rig.document(rig.service(cls.port, [
            rig.route("all", [cls.backend], "main"),
            rig.route("dead", [cls.dead], "dead", path_prefix="/dead",
                      upstream_options={"health_check": {"schema": "tcp", "frequency_secs": 1, "unhealthy_after": 1}}),
        ])), "-m", "for top")

    def top(self, *args, **options):
        argv = [os.path.join(fleet.BIN, "sluicectl"), "--controller", self.rig.controller.grpc,
                "--insecure", "top", *args]
        env = {**process.sanitizer_environment(fleet.ROOT), "NO_COLOR": None,
               **options.pop("env", {})}
        started = terminal.Terminal(argv, env=env, **options)
        self.addCleanup(started.close)
        return started

    def rows(self, top):
        """The nodes in the order they are shown."""
        return [line.split()[0] for line in top.lines() if line.startswith("node-")]

    def wait_rows(self, top, *expected):
        def same():
            self.assertEqual(self.rows(top), list(expected), top.text())
            return True
        rig.wait_for(f"{expected} on the screen", same)

    def test_shows_sorts_filters_opens_and_leaves(self):
        top = self.top()
        text = top.wait_text("node-1", "node-2", "synced", "Version 1", "for top",
                             "Nodes 2: 2 synced")
        self.assertIn("NAME", text)
        self.assertIn(self.rig.controller.grpc, text)
        self.assertTrue(top.screen.alternate)
        self.assertFalse(top.screen.cursor_shown)

        self.wait_rows(top, "node-1", "node-2")
        top.type("r")
        self.wait_rows(top, "node-2", "node-1")
        top.type("r")
        self.wait_rows(top, "node-1", "node-2")
        top.type("s")
        top.wait_text("(STATE up)")
        top.type("<")
        top.wait_text("(NAME up)")

        self.assertEqual(top.marked()[0].split()[0], "node-1")
        top.type(DOWN)
        rig.wait_for("the second node to be marked",
                     lambda: top.marked() and top.marked()[0].startswith("node-2"))
        top.type(ENTER)
        top.wait_text("Name:         node-2", "Bind host:    127.0.0.2", "lines 1-")
        top.type("\x1b[6~")
        top.wait_text("UPSTREAM", self.dead, "Connection refused")
        top.type(ESCAPE)
        top.wait_text("NAME", without=["Bind host"])

        top.type("/e-2")
        self.wait_rows(top, "node-2")
        top.type(ENTER)
        top.wait_text("'e-2': 1 of 2")
        top.type(ESCAPE)
        self.wait_rows(top, "node-1", "node-2")

        top.type("?")
        top.wait_text("reverse the order")
        top.type("q")
        top.wait_text("NAME", without=["reverse the order"])
        top.type("q")
        self.assertEqual(top.wait_exit(), 0)
        top.assert_restored()

    def test_the_verdict_names_what_is_wrong(self):
        top = self.top()
        top.wait_text("upstream dead is unhealthy", "next: sluicectl describe upstream dead")
        top.type("!")
        top.wait_text("    next: sluicectl describe upstream dead", without=["STATE"])
        top.type("!")
        top.wait_text("STATE")

    def test_figures_follow_the_traffic(self):
        top = self.top()
        top.wait_text("node-1")
        with rig.h1.Client(self.proxy.host, self.port) as client:
            def moving():
                client.ask(rig.request("/", "a.test"), "GET")
                row = next(line for line in top.lines() if line.startswith("node-1"))
                return float(row.split()[3]) > 0
            rig.wait_for("requests per second of node-1", moving)

    def test_works_on_a_vt100_without_colour(self):
        for args, env in ((["--no-color"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "vt100"})):
            with self.subTest(args=args, env=env):
                top = self.top(*args, env=env)
                top.wait_text("node-1", "node-2", "Nodes 2")
                self.assertEqual(top.screen.colors, set())
                top.type("j")
                rig.wait_for("the second node to be marked",
                             lambda: top.marked() and top.marked()[0].startswith("node-2"))
                top.type("q")
                self.assertEqual(top.wait_exit(), 0)
                top.assert_restored()

    def test_uses_colours_where_there_are_some(self):
        top = self.top()
        top.wait_text("node-1")
        rig.wait_for("a colour", lambda: 32 in top.screen.colors)

    def test_follows_the_size_of_the_terminal(self):
        top = self.top()
        top.wait_text("node-1", without=["ADDRESS"])
        top.resize(30, 120)
        top.wait_text("node-1", "ADDRESS")
        self.assertEqual(len(top.lines()), 30)
        top.resize(8, 40)
        top.wait_text("node-1", without=["ADDRESS", "UPTIME"])
        top.type("q")
        self.assertEqual(top.wait_exit(), 0)
        top.assert_restored()

    def test_gives_the_terminal_back_when_it_is_ended(self):
        for number, code in ((signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP),
                             (signal.SIGINT, 0)):
            with self.subTest(signal=number):
                top = self.top()
                top.wait_text("node-1")
                top.proc.send_signal(number)
                self.assertEqual(top.wait_exit(), code)
                top.assert_restored()
        top = self.top()
        top.wait_text("node-1")
        top.type("\x03")
        self.assertEqual(top.wait_exit(), 0)
        top.assert_restored()

    def test_says_what_to_use_where_it_cannot_draw(self):
        for env in ({"TERM": "dumb"}, {"TERM": "no-such-terminal"}, {"TERM": None}):
            with self.subTest(env=env):
                top = self.top(env=env)
                self.assertEqual(top.wait_exit(), 1)
                rig.wait_for("the reason", lambda: b"status --watch" in top.bytes)
                self.assertNotIn(b"\x1b[?1049h", top.bytes)
                top.assert_restored()
        piped = self.rig.ctl("top", code=2)
        self.assertIn("status --watch", piped.stderr)


class OutageTest(rig.FleetTest):
    def test_goes_on_when_the_controller_comes_back(self):
        argv = [os.path.join(fleet.BIN, "sluicectl"), "--controller", self.rig.controller.grpc,
                "--insecure", "top"]
        top = terminal.Terminal(argv, env=process.sanitizer_environment(fleet.ROOT))
        self.addCleanup(top.close)
        top.wait_text("node-1", without=["unreachable"])
        for _ in range(2):
            self.rig.controller.kill()
            top.wait_text("controller unreachable, retrying", "node-1")
            top.type("r")  # It still listens.
            top.wait_text("(NAME down)")
            top.type("r")
            top.wait_text("(NAME up)")
            self.rig.controller.start()
            top.wait_text("node-1", "synced", without=["retrying"])
        top.type("q")
        self.assertEqual(top.wait_exit(), 0)
        top.assert_restored()

    def test_says_how_old_the_news_of_a_controller_that_hangs_is(self):
        argv = [os.path.join(fleet.BIN, "sluicectl"), "--controller", self.rig.controller.grpc,
                "--insecure", "top"]
        top = terminal.Terminal(argv, env=process.sanitizer_environment(fleet.ROOT))
        self.addCleanup(top.close)
        top.wait_text("node-1", "synced", without=["unreachable", "as of"])
        self.rig.controller.pause()
        self.addCleanup(self.rig.controller.resume)
        top.wait_text("as of 1", "s ago")
        top.wait_text("controller unreachable, retrying", "node-1")
        self.rig.controller.resume()
        top.wait_text("node-1", "synced", without=["retrying", "as of"])

    def test_status_watch_ends_when_the_controller_hangs(self):
        watch = subprocess.Popen(self.rig.ctl.argv("status", "--watch"), stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True,
                                 env=process.sanitizer_environment(fleet.ROOT))
        self.addCleanup(watch.kill)
        self.assertIn("Fleet:", watch.stdout.readline())
        self.rig.controller.pause()
        self.addCleanup(self.rig.controller.resume)
        _, error = watch.communicate(timeout=60)
        self.assertEqual(watch.returncode, 4, error)
        self.assertIn("cannot be reached", error)

    def test_waits_for_a_controller_that_is_not_there_yet(self):
        argv = [os.path.join(fleet.BIN, "sluicectl"), "--controller",
                f"127.0.0.1:{self.rig.port()}", "--insecure", "top"]
        top = terminal.Terminal(argv, env=process.sanitizer_environment(fleet.ROOT))
        self.addCleanup(top.close)
        top.wait_text("controller unreachable, retrying")
        top.type("q")
        self.assertEqual(top.wait_exit(), 0)

    def test_names_of_strangers_do_not_drive_the_terminal(self):
        argv = [os.path.join(fleet.BIN, "sluicectl"), "--controller", self.rig.controller.grpc,
                "--insecure", "top"]
        self.rig.apply(rig.document(rig.service(self.rig.port(), [
            rig.route("all", respond={"status": 200})])), "-m", "\x1b[2J\x07it")
        top = terminal.Terminal(argv, env=process.sanitizer_environment(fleet.ROOT))
        self.addCleanup(top.close)
        top.wait_text("\\x1b[2J\\x07it", "node-1")
        self.assertNotIn(b"\x1b[2J\x07", top.bytes)


class RolloutTest(rig.FleetTest):
    nodes = 2

    def test_tells_of_a_rollout_and_of_its_end(self):
        port = self.rig.port()

        def version(status):
            return rig.document(rig.service(port, [rig.route("all", respond={"status": status})]))
        self.rig.apply(version(200))
        argv = [os.path.join(fleet.BIN, "sluicectl"), "--controller", self.rig.controller.grpc,
                "--insecure", "top"]
        top = terminal.Terminal(argv, env=process.sanitizer_environment(fleet.ROOT))
        self.addCleanup(top.close)
        top.wait_text("all is well: 2 nodes serve version 1")
        self.rig.ctl("apply", "-f", self.rig.write(version(204)), "--strategy", "waves", "--waves", "1",
                     "--bake", "10m")
        top.wait_text("Version 1, 2 on its way: baking, wave 1 of 2", "next: sluicectl rollout status")
        versions = sorted(line.split()[2] for line in top.lines() if line.startswith("node-"))
        self.assertEqual(versions, ["1", "2"], top.text())
        self.rig.ctl("rollout", "pause", "-m", "lunch")
        top.wait_text("version 2 stands: paused", "lunch")
        self.rig.ctl("rollout", "abort", "-m", "no good")
        top.wait_text("version 2 was taken back", "no good", without=["on its way"])


class CredentialTest(rig.FleetTest):
    insecure = False

    def test_a_viewer_may_look_until_the_token_is_revoked(self):
        path = self.rig.path("token")
        with open(path, "w") as out:
            out.write(self.rig.ctl("token", "create", "--role", "viewer", "--name", "eve").stdout)
        ca = os.path.join(self.rig.controller.data, "operator", "ca.crt")
        argv = self.rig.ctl.argv("top", credentials=["--tls-ca", ca, "--token-file", path])
        top = terminal.Terminal(argv, env=process.sanitizer_environment(fleet.ROOT))
        self.addCleanup(top.close)
        top.wait_text("node-1", "synced")
        token = next(t for t in self.rig.ctl.json("token", "list") if t["name"] == "eve")
        self.rig.ctl("token", "revoke", token["id"])
        self.assertEqual(top.wait_exit(), 1)
        top.assert_restored()
        rig.wait_for("the reason", lambda: b"has been revoked" in top.bytes)
        # It did not go on asking: that would count as guessing.
        self.assertLess(rig.metric(self.rig.controller.metrics(), "sluice_controller_refusals_total",
                                   reason="bad_credential"), 3)


if __name__ == "__main__":
    rig.main()
