#!/usr/bin/python3
"""What the controller acknowledged survives kill -9, at any moment."""
import random
import threading
import unittest  # noqa: F401

import _path  # noqa: F401
import rig

ROUNDS = 12 if not rig.SANITIZER else 4
SEED = random.randrange(1 << 32)


class ControllerStoreTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()

    def version(self, i):
        return rig.document(rig.service(self.port, [
            rig.route("v", path_prefix="/v", respond={"status": 200, "body": str(i)})]))

    def test_acknowledged_versions_survive(self):
        chance = random.Random(SEED)
        number, acknowledged = 0, 0
        for round_ in range(ROUNDS):
            with self.subTest(seed=SEED, round=round_):
                killer = threading.Timer(chance.uniform(0.0, 0.6), self.rig.controller.kill)
                killer.start()
                while self.rig.controller.running():
                    number += 1
                    done = self.rig.ctl("apply", "-f", self.rig.write(self.version(number)), "-m",
                                        f"number {number}", code=None)
                    self.assertIn(done.returncode, (0, 1, 3, 4))
                    if done.returncode == 0:
                        acknowledged = number
                killer.join()
                self.rig.controller.start()
                kept = self.rig.ctl("history").stdout
                if acknowledged:
                    self.assertRegex(kept, rf"number {acknowledged}\b")
        self.assertGreater(acknowledged, 0)
        # What the store holds as current is what the fleet comes to serve.
        rig.wait_for("the node to be in step", lambda: self.rig.ctl.state("node-1") == "synced")
        served = int(self.get("/v").body)
        self.assertGreaterEqual(served, acknowledged)

    def test_history_and_rollback_survive_a_restart(self):
        self.rig.apply(self.version("first"), "-m", "the first")
        first = self.rig.ctl.revision()
        self.rig.apply(self.version("second"), "-m", "the second")
        self.rig.controller.stop()
        self.rig.controller.start()
        self.rig.wait_nodes("node-1")
        history = self.rig.ctl("history").stdout
        self.assertIn("the first", history)
        self.assertIn("the second", history)
        self.rig.ctl("rollback", "--to", first, "--wait")
        self.assertEqual(self.get("/v").body, b"first")
        self.assertGreater(self.rig.ctl.revision(), first + 1)


if __name__ == "__main__":
    rig.main()
