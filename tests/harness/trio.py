"""Three controllers that share a store in etcd, and a fleet that may use any of them.

    class LeaderTest(trio.TrioTest):
        def test_another_leads(self):
            self.trio.kill(self.trio.leader())
            self.trio.wait_leader()

The rig's own controller, which sluicectl asks where nothing else is said, is always one that runs.
"""
import os
import shutil
import sys
import time
import unittest

import applying
import etcd
import fleet
import h1
import rig
import waiting

PATIENCE = 3 * waiting.DEADLINE  # A peer that stands still is only noticed by a ping, or a lease.


class Trio:
    def __init__(self, rig_, cluster, sites=(), insecure=True):
        self.rig = rig_
        self.flags = [*cluster.flags(), "--seal-key-file", seal_key(rig_, "shared.key")]
        self.controllers = [
            fleet.Controller(rig_, f"controller-{i}", args=self.flags, insecure=insecure, site=site)
            for i, site in enumerate(sites or [None] * 3, 1)]
        for controller in self.controllers:
            rig_.parts.append(controller)
            controller.start()
        rig_.controller = self.wait_leader()
        if not insecure:
            self._share_credential()
        self.wait_ready()

    def _share_credential(self):
        """What the first leader has made for its operator is good for all, whoever leads."""
        made = self.rig.controller.operator
        waiting.wait_for("the operator's credential",
                         lambda: os.path.exists(os.path.join(made, "context.yaml")))
        shared = shutil.copytree(made, self.rig.path("operator"))
        for controller in self.controllers:
            controller.operator = shared

    def check(self):
        """None of the controllers has ended by itself; a wait for it would be in vain."""
        for controller in self.controllers:
            if controller.complaint():
                raise RuntimeError(controller.complaint())

    # Who leads.

    def running(self):
        return [c for c in self.controllers if c.running() and not c.paused]

    def leader(self, among=None):
        """The one that says so, None if nobody does."""
        return next((c for c in among or self.running() if leads(c)), None)

    def others(self, controller):
        """That run."""
        return [c for c in self.running() if c is not controller]

    def wait_leader(self, among=None):
        """Until one leads, and serves."""
        def serving():
            self.check()
            leader = self.leader(among)
            return leader if leader and ready(leader) else None
        with Took() as took:
            leader = waiting.wait_for("a controller to lead", serving, PATIENCE)
            took.what = f"{leader.name} leads"
        return leader

    def wait_ready(self):
        """Until every one that runs serves, or passes calls on to the one that does. That it says
        so is not enough: it may not have noticed yet that the leader has gone."""
        def passes_on(controller):
            self.check()
            return ready(controller) and self.rig.ctl("status", controller=controller.grpc)
        for controller in self.running():
            waiting.wait_for(f"{controller.name} to be ready", lambda: passes_on(controller),
                             PATIENCE)

    # What happens to controllers.

    def kill(self, *controllers):
        for controller in controllers:
            controller.kill()
        self.ask_others()

    def pause(self, controller):
        controller.pause()
        self.ask_others()

    def restart(self, *controllers):
        """Until all are ready."""
        for controller in controllers:
            controller.start()
        self.ask_others()
        self.wait_ready()

    def ask_others(self, than=None):
        """The rig turns to another controller, if its own does not run or is `than`."""
        mine = self.rig.controller
        if mine is than or mine not in self.running():
            self.rig.controller = next(iter(self.others(mine)), mine)

    # The fleet.

    def addresses(self, first=0):
        """For proxies: all three, this one first."""
        turned = self.controllers[first:] + self.controllers[:first]
        return ",".join(c.grpc for c in turned)

    def start_proxy(self, number, workers=1):
        """node-1 begins with the first controller, node-2 with the second, ..."""
        token = None
        if not self.rig.controller.insecure:
            token = self.rig.ctl("token", "create").stdout
        return self.rig.start_proxy(f"node-{number}", f"127.0.0.{number}", workers=workers,
                                    token=token, controller=self.addresses((number - 1) % 3))

    def wait_synced(self):
        """Until every proxy has a stream again, by whichever controller, and what is current."""
        def synced():
            self.check()
            states = {proxy.node: self.rig.ctl.state(proxy.node) for proxy in self.rig.proxies}
            if set(states.values()) == {"synced"}:
                return True
            raise AssertionError(states)
        with Took("the proxies are in step"):
            waiting.wait_for("the proxies to be in step", synced, PATIENCE)


class Took:
    """Prints how long something took: it depends on the machine, and is not judged."""

    def __init__(self, what=""):
        self.what, self._began = what, time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        took = time.monotonic() - self._began
        if kind is None and took > 0.2:  # Else it was so already.
            print(f"  {self.what} after {took:.2f} s", file=sys.stderr)


def leads(controller):
    try:
        page = rig.http_get(controller.admin, "/metrics", timeout=2 * waiting.SLOWDOWN)[2]
    except OSError:
        return False
    return rig.metric(page.decode(), "sluice_controller_leader") == 1


def ready(controller):
    return rig.http_get(controller.admin, "/readyz", timeout=2 * waiting.SLOWDOWN)[0] == 200


def seal_key(rig_, name):
    """The path of a new key."""
    path = rig_.path(name)
    with open(path, "w") as out:
        out.write(os.urandom(32).hex() + "\n")
    return path


class TrioTest(unittest.TestCase):
    """Three members of etcd, three controllers and three proxies, for all tests of the class. They
    all run, and agree, when a test begins."""

    insecure = True  # Else the controllers have a CA and the proxies join with tokens.

    @classmethod
    def setUpClass(cls):
        cls.rig = rig.Rig()
        try:
            sites = cls.make_sites()
            cls.etcd = etcd.Cluster(cls.rig, sites=sites, tls=bool(sites))
            cls.trio = Trio(cls.rig, cls.etcd, sites, cls.insecure)
            cls.port, cls.backend = cls.rig.port(), cls.rig.nginx("backend")
            for number in (1, 2, 3):
                cls.trio.start_proxy(number)
            cls.trio.wait_synced()
            cls.apply("begin")
        except BaseException as error:
            if not isinstance(error, unittest.SkipTest):
                cls.rig.dump()
            try:
                cls.rig.close()
            except AssertionError:
                pass
            raise

    @classmethod
    def make_sites(cls):
        """Machines for the controllers and members; none: everything is on this one."""
        return ()

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def setUp(self):
        for part in (*self.etcd.members, *self.trio.controllers):
            if part.paused:
                part.resume()
            if not part.running():
                part.start()
        self.etcd.wait_healthy()
        self.trio.wait_leader()
        self.trio.wait_ready()
        self.trio.wait_synced()

    @classmethod
    def version(cls, text, **options):
        return rig.document(rig.service(cls.port, [
            rig.route("v", path_prefix="/v", respond={"status": 200, "body": text}),
            rig.route("all", [cls.backend])]), **options)

    @classmethod
    def apply(cls, text, controller=None, code=0, **options):
        """A version that answers /v with `text`, which is its message too."""
        return cls.rig.ctl("-o", "json", "apply", "-f", cls.rig.write(cls.version(text, **options)),
                           "-m", text, code=code, controller=controller and controller.grpc)

    def served(self):
        found = []
        for proxy in self.rig.proxies:
            with h1.Client(proxy.host, self.port) as client:
                found.append(client.ask(rig.request("/v")).body.decode())
        return found

    def wait_served(self, text):
        rig.wait_for(f"every proxy to serve {text}", lambda: set(self.served()) == {text}, PATIENCE)

    def history(self, controller=None):
        return applying.history(self.rig, controller)

    def assert_all_tell(self, expected=None):
        """Every controller that runs tells the same history; it."""
        told = {c.name: self.history(c) for c in self.trio.running()}
        first = expected or next(iter(told.values()))
        self.assertEqual(told, {name: first for name in told})
        return first

    def assert_kept(self, work):
        """What was acknowledged is in everybody's history, once, and what is current is served."""
        told = self.assert_all_tell()
        self.assertGreater(len(work.acknowledged), 0)
        self.assertEqual(set(work.acknowledged) - set(told), set())
        revisions = [revision for revision, _, _ in told]
        self.assertEqual(revisions, sorted(set(revisions), reverse=True))
        current = self.rig.ctl.status()
        self.assertGreaterEqual(int(current["version"]["revision"]), work.acknowledged[-1][0])
        self.wait_served(current["message"])
