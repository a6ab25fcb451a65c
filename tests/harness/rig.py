"""What the whole-program tests are written with.

    class RoutingTest(rig.FleetTest):
        nodes = 1

        def test_first_match_wins(self):
            port = self.rig.port()
            self.apply(rig.service(port, [rig.route("all", [backend])]))

Everything lives in a temporary folder; at the end every program must have left by itself with
exit code 0 and without a sanitizer's report. A failing test prints the programs' last words.
"""
import os
import re
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certs      # noqa: E402
import fleet      # noqa: E402
import h1         # noqa: E402
import h2_upstream  # noqa: E402
import nginx      # noqa: E402
import peers      # noqa: E402
import ports      # noqa: E402
import process    # noqa: E402
import upstream   # noqa: E402
import waiting    # noqa: E402
import yamlish    # noqa: E402
from fleet import Ctl, Controller, Proxy, http_get, pick  # noqa: E402,F401
from nginx import told  # noqa: E402,F401
from waiting import DEADLINE, SLOWDOWN, wait_for  # noqa: E402,F401

SANITIZER = os.environ.get("SLUICE_SANITIZER", "")
_live = []


class Rig:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="sluice-test-")
        self.port = ports.take
        self.controller = None
        self.proxies = []
        self.parts = []  # Everything that has to be stopped, in order of starting.
        self.cleanups = []  # Called when all has been stopped.
        self.ctl = Ctl(self)
        self._documents = 0
        _live.append(self)

    def path(self, name):
        return os.path.join(self.dir, name)

    def start_controller(self, name="controller", **options):
        self.controller = Controller(self, name, **options)
        self.parts.append(self.controller)
        self.controller.start()
        return self.controller

    def start_proxy(self, node, host="127.0.0.1", **options):
        proxy = Proxy(self, node, host, **options)
        self.proxies.append(proxy)
        self.parts.append(proxy)
        return proxy.start()

    def nginx(self, name, **options):
        backend = nginx.Nginx(self.dir, name, self.port(), **options)
        self.parts.append(backend)
        return backend

    def upstream(self, **options):
        server = upstream.Upstream(self.port(), **options)
        self.parts.append(server)
        return server

    def full_upstream(self):
        """Nobody can connect to it, or is refused."""
        full = upstream.Full(self.port())
        self.parts.append(full)
        return full

    def h2_upstream(self, **options):
        server = h2_upstream.H2Upstream(self.port(), **options)
        self.parts.append(server)
        return server

    def program(self, name, *argv, expect=(0, -15)):
        """Some other program, in the foreground."""
        started = process.Process(argv, self.dir, name, expect=expect)
        self.parts.append(started)
        return started.start()

    def cert(self, name, names=(), **options):
        return certs.Certificate(self.dir, name, names, **options)

    def write(self, document, name=None):
        """A configuration file from plain data or text; its path."""
        self._documents += 1
        path = self.path(name or f"config-{self._documents}.yaml")
        text = document if isinstance(document, str) else yamlish.dump(document)
        with open(path + ".new", "w", newline="") as out:
            out.write(text)
        os.replace(path + ".new", path)
        return path

    def apply(self, document, *args, code=0):
        return self.ctl("apply", "-f", self.write(document), "--wait", *args, code=code)

    def wait_nodes(self, *names):
        def connected():
            states = {name: self.ctl.state(name) for name in names}
            if all(state in ("synced", "updating", "unknown") for state in states.values()):
                return True
            raise AssertionError(states)
        wait_for(f"{names} to connect", connected)

    def complaints(self):
        processes = [getattr(part, "process", part) for part in self.parts
                     if not isinstance(part, (upstream.Upstream, upstream.Full))]
        return [text for text in (p.complaint() for p in processes) if text]

    def dump(self, lines=40):
        for part in self.parts:
            if isinstance(part, (upstream.Upstream, upstream.Full, h2_upstream.H2Upstream)):
                continue
            part = getattr(part, "process", part)
            print(f"--- {part.name}: {' '.join(part.argv[:3])} ...\n{part.tail(lines)}",
                  file=sys.stderr)
        sys.stderr.flush()

    def close(self):
        """Stops everything, proxies first; raises if anything ended badly."""
        problems = []
        rank = {Proxy: 0, Controller: 1}
        for part in sorted(self.parts, key=lambda p: rank.get(type(p), 2)):
            try:
                part.stop()
            except (AssertionError, OSError) as error:
                problems.append(str(error))
        problems += self.complaints()
        for cleanup in self.cleanups:
            cleanup()
        if self in _live:
            _live.remove(self)
        if os.environ.get("SLUICE_KEEP"):
            print(f"kept {self.dir}", file=sys.stderr)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
        if problems:
            raise AssertionError("\n".join(problems))


# Plain data for configurations.

def node(backend, **options):
    return {"addr": getattr(backend, "address", backend), **options}


def group(name, backends, **options):
    """An upstream of a route."""
    return {"name": name, "nodes": [b if isinstance(b, dict) else node(b) for b in backends],
            **options}


def route(name, backends=None, upstream_name=None, upstream_options=None, **options):
    out = {"name": name, **options}
    if backends is not None:
        out["upstreams"] = [group(upstream_name or name + "-up", backends, **(upstream_options or {}))]
    return out


def service(port, routes, name="web", **options):
    return {"name": name, "bind_address": f"0.0.0.0:{port}", **options, "routes": routes}


def document(*services, **options):
    return {**options, "services": list(services)}


class FleetTest(unittest.TestCase):
    """A controller and `nodes` proxies for all tests of the class, on 127.0.0.1, .2, ..."""

    nodes = 1
    insecure = True  # Else the controller has a CA and the proxies join with tokens.
    workers = 2
    proxy_args = ()
    controller_args = ()

    @classmethod
    def setUpClass(cls):
        cls.rig = Rig()
        try:
            cls.rig.start_controller(args=cls.controller_args, insecure=cls.insecure)
            for i in range(1, cls.nodes + 1):
                token = None if cls.insecure else cls.rig.ctl("token", "create").stdout
                cls.rig.start_proxy(f"node-{i}", f"127.0.0.{i}", workers=cls.workers,
                                    args=cls.proxy_args, token=token)
            cls.rig.wait_nodes(*(p.node for p in cls.rig.proxies))
            cls.prepare()
        except BaseException:
            cls.rig.dump()
            try:
                cls.rig.close()
            except AssertionError:
                pass
            raise

    @classmethod
    def prepare(cls):
        """Backends and the configuration; run once."""

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def setUp(self):
        self.proxy = self.rig.proxies[0] if self.rig.proxies else None

    def client(self, port=None, host=None, **options):
        client = h1.Client(host or self.proxy.host, port or self.port, **options)
        self.addCleanup(client.close)
        return client

    def get(self, path="/", host="a.test", port=None, headers=(), method="GET", body=None,
            tls=None, server_name=None, at=None):
        """One request on a new connection."""
        with h1.Client(at or self.proxy.host, port or self.port, tls=tls,
                       server_name=server_name) as client:
            return client.ask(request(path, host, headers, method, body), method)


def request(path="/", host="a.test", headers=(), method="GET", body=None):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def metric(text, name, **labels):
    """Sum of the samples of `name` whose labels include these."""
    total, found = 0.0, False
    for line in text.splitlines():
        match = re.match(r'^([A-Za-z_:][\w:]*)(\{.*\})? (\S+)', line)
        if not match or match[1] != name:
            continue
        have = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
        if all(have.get(key) == value for key, value in labels.items()):
            total += float(match[3])
            found = True
    return total if found else None


class _Result(unittest.TextTestResult):
    def startTest(self, test):
        super().startTest(test)
        self._started = time.monotonic()

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._dump()

    def addError(self, test, error):
        super().addError(test, error)
        self._dump()

    def _dump(self):
        for live in _live:
            live.dump()


def main():
    missing = [p for p in ("sluice-controller", "sluice-proxy", "sluicectl")
               if not os.path.exists(os.path.join(fleet.BIN, p))]
    if missing:
        sys.exit(f"not built: {', '.join(missing)} (SLUICE_BIN_DIR={fleet.BIN})")
    runner = unittest.TextTestRunner(verbosity=2, resultclass=_Result)
    result = unittest.main(testRunner=runner, buffer=False, exit=False).result
    sys.exit(peers.exit_code(result.wasSuccessful()))
