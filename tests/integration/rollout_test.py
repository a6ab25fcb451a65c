#!/usr/bin/python3
"""Prepare everywhere before commit anywhere; a rejecting node stops it, a silent one does not."""
import signal
import socket
import unittest  # noqa: F401

import _path  # noqa: F401
import rig


class RolloutTest(rig.FleetTest):
    nodes = 3
    controller_args = ("--prepare-timeout", "2s")

    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()
        cls.backend = cls.rig.nginx("a")
        cls.rig.apply(cls.version("zero"))

    @classmethod
    def version(cls, text, *more):
        return rig.document(rig.service(cls.port, [
            rig.route("version", path_prefix="/version", respond={"status": 200, "body": text}),
            rig.route("all", [cls.backend])]), *more)

    def served(self):
        return [self.get("/version", at=p.host).body.decode() for p in self.rig.proxies]

    def occupied(self, proxy):
        """A port that this proxy, and only it, cannot bind."""
        port = self.rig.port()
        holder = socket.socket()
        # An earlier user of the port may have left connections in TIME_WAIT.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((proxy.host, port))
        holder.listen()
        self.addCleanup(holder.close)
        return port

    def test_all_nodes_or_none(self):
        self.rig.apply(self.version("one"))
        self.assertEqual(self.served(), ["one"] * 3)
        port = self.occupied(self.rig.proxies[1])
        extra = rig.service(port, [rig.route("all", [self.backend], "b-up")], name="blocked")
        done = self.rig.apply(self.version("two", extra), code=1)
        text = done.stdout + done.stderr
        self.assertIn("node-2", text)
        self.assertIn("blocked", text)
        self.assertEqual(self.served(), ["one"] * 3)
        state = self.rig.ctl.node("node-2")
        self.assertIn("blocked", str(state))

    def test_partial_commits_on_those_that_can(self):
        self.rig.apply(self.version("three"))
        port = self.occupied(self.rig.proxies[2])
        extra = rig.service(port, [rig.route("all", [self.backend], "b-up")], name="blocked")
        done = self.rig.ctl("apply", "-f", self.rig.write(self.version("four", extra)), "--wait",
                            "--partial", "--timeout", "20s", code=None)
        self.assertIn(done.returncode, (0, 1, 3))
        rig.wait_for("the two", lambda: self.served() == ["four", "four", "three"])
        self.assertEqual(self.rig.ctl.state("node-3"), "rejected")
        self.rig.apply(self.version("five"), "--allow-shrink")
        self.assertEqual(self.served(), ["five"] * 3)

    def test_dry_run_on_nodes_changes_nothing(self):
        self.rig.apply(self.version("six"))
        path = self.rig.write(self.version("seven"))
        revision = self.rig.ctl.revision()
        self.rig.ctl("apply", "-f", path, "--dry-run=nodes")
        self.assertEqual(self.served(), ["six"] * 3)
        self.assertEqual(self.rig.ctl.revision(), revision)
        port = self.occupied(self.rig.proxies[0])
        extra = rig.service(port, [rig.route("all", [self.backend], "b-up")], name="blocked")
        done = self.rig.ctl("apply", "-f", self.rig.write(self.version("eight", extra)),
                            "--dry-run=nodes", code=1)
        self.assertIn("node-1", done.stdout + done.stderr)

    def test_a_silent_node_blocks_nobody_and_catches_up(self):
        self.rig.apply(self.version("nine"))
        silent = self.rig.proxies[2]
        silent.signal(signal.SIGSTOP)
        try:
            self.rig.ctl("apply", "-f", self.rig.write(self.version("ten")), "--wait", "--timeout",
                         "15s", code=None)
            for proxy in self.rig.proxies[:2]:
                self.assertEqual(self.get("/version", at=proxy.host).body, b"ten")
            rig.wait_for("the silent one to show", lambda: self.rig.ctl.state("node-3")
                         in ("lagging", "unreachable"))
        finally:
            silent.signal(signal.SIGCONT)
        rig.wait_for("the catching up", lambda: self.served() == ["ten"] * 3)
        rig.wait_for("the state", lambda: self.rig.ctl.state("node-3") == "synced")

    def test_a_node_that_was_away_gets_the_present_version(self):
        away = self.rig.proxies[1]
        away.kill()
        self.rig.ctl("apply", "-f", self.rig.write(self.version("eleven")))
        away.start()
        rig.wait_for("all on eleven", lambda: self.served() == ["eleven"] * 3)

    def test_newest_wins(self):
        for i in range(20):
            self.rig.ctl("apply", "-f", self.rig.write(self.version(f"quick-{i}")))
        rig.wait_for("the last", lambda: self.served() == ["quick-19"] * 3)

    def test_a_new_node_joins(self):
        self.rig.apply(self.version("twelve"))
        joiner = self.rig.start_proxy("node-4", "127.0.0.4")
        rig.wait_for("the newcomer", joiner.ready)
        self.assertEqual(self.get("/version", at=joiner.host).body, b"twelve")
        joiner.stop()
        self.rig.proxies.remove(joiner)
        rig.wait_for("its leaving", lambda: self.rig.ctl.state("node-4") in ("unreachable", "draining"))
        self.rig.ctl("node", "remove", "node-4")
        self.assertIsNone(self.rig.ctl.state("node-4"))

    def test_shrinking_needs_leave(self):
        many = [rig.route(f"r{i}", path_prefix=f"/r{i}", respond={"status": 200}) for i in range(20)]
        big = rig.document(rig.service(self.port, many + self.version("big")["services"][0]["routes"]))
        self.rig.apply(big)
        self.rig.apply(self.version("small"), code=1)
        self.assertEqual(self.served(), ["big"] * 3)
        self.rig.apply(self.version("small"), "--allow-shrink")
        self.assertEqual(self.served(), ["small"] * 3)


if __name__ == "__main__":
    rig.main()
