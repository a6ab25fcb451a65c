"""Changes that keep coming while something happens to the controllers, and what became of them."""
import itertools
import json

import traffic
import waiting


class Applying(traffic.Worker):
    """Applies one version after the other until it is left, asking the controllers in turn.

    `apply(text, controller=, code=)` gives what sluicectl said. What was acknowledged is in
    `acknowledged` as history() tells it, what was not in `refused`.
    """

    def __init__(self, apply, controllers):
        super().__init__(self._apply)
        self.acknowledged, self.refused = [], []
        self._ask = apply
        self._numbers, self._turns = itertools.count(1), itertools.cycle(controllers)

    def _apply(self):
        text = f"number {next(self._numbers)}"
        done = self._ask(text, controller=next(self._turns), code=None)
        if done.returncode == 0:
            self.acknowledged.append(acknowledged(done, text))
        elif done.returncode in (1, 3, 4):
            self.refused.append((text, done.returncode, done.stderr))
        else:
            raise AssertionError(f"exit code {done.returncode}: {done.stdout}{done.stderr}")

    def wait_more(self, count):
        target = len(self.acknowledged) + count
        waiting.wait_for(f"{count} more versions to be acknowledged; refused: {self.refused[-3:]}",
                         lambda: len(self.acknowledged) >= target, timeout=3 * waiting.DEADLINE)


def acknowledged(done, text):
    """(revision, root, message) of what `sluicectl -o json apply` said."""
    version = json.loads(done.stdout)["version"]
    return int(version["revision"]), version["root"], text


def history(rig, controller=None):
    """[(revision, root, message)] as this controller tells it, the newest first."""
    told = rig.ctl.json("history", "--limit", 1000, controller=controller and controller.grpc)
    return [(int(one["version"]["revision"]), one["version"]["root"], one["message"])
            for one in told]
