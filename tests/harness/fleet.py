"""The three programs as a test runs them: controller, proxies, sluicectl."""
import http.client
import json
import os
import subprocess

import process
import waiting

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("SLUICE_BIN_DIR", os.path.join(ROOT, "build", "release", "bin"))


def http_get(address, path, method="GET", headers=None, timeout=None):
    """(status, headers, body) from a plain HTTP server."""
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout or waiting.DEADLINE)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    except http.client.HTTPException as error:
        raise OSError(repr(error)) from error
    finally:
        connection.close()


def pick(value, *path):
    """value[a][b]... where a name may be snake_case or camelCase; None where it is missing."""
    for name in path:
        if isinstance(name, int):
            value = value[name]
            continue
        head, *rest = name.split("_")
        camel = head + "".join(word.capitalize() for word in rest)
        if not isinstance(value, dict):
            return None
        value = value.get(name, value.get(camel))
    return value


class Daemon(process.Process):
    """`admin` is the address of its admin API."""

    def start(self, ready=True):
        super().start()
        if ready:
            waiting.wait_for(f"{self.name} to answer /healthz", self.healthy)
        return self

    def healthy(self):
        if not self.running():
            raise RuntimeError(f"{self.name} ended with {self.proc.returncode}:\n{self.tail()}")
        return http_get(self.admin, "/healthz")[0] == 200


class Controller(Daemon):
    def __init__(self, rig, name="controller", config=None, args=(), insecure=True, site=None):
        """`site`: the machine it is on (netns.py), if it is not this one."""
        self.data = os.path.join(rig.dir, name + ".data")
        self.operator = os.path.join(self.data, "operator")  # Where its operator's credential is.
        self.site = site
        ports = [rig.port(), rig.port()]
        self.grpc, self.admin = (f"{site.front if site else '127.0.0.1'}:{port}" for port in ports)
        bound = [f"{'0.0.0.0' if site else '127.0.0.1'}:{port}" for port in ports]
        argv = [*(site.before if site else []), os.path.join(BIN, "sluice-controller"),
                "--data-dir", self.data, "--grpc-address", bound[0], "--admin-address", bound[1],
                *(["--insecure"] if insecure else []), *args]
        if site:
            argv += ["--advertise-address", f"{site.address}:{ports[0]}",
                     "--tls-name", site.address, "--tls-name", site.front]
        self.insecure = insecure
        if config:
            argv += ["--config", config]
        super().__init__(argv, rig.dir, name, process.sanitizer_environment(ROOT))

    def metrics(self):
        return http_get(self.admin, "/metrics")[2].decode()


class Proxy(Daemon):
    def __init__(self, rig, node, host="127.0.0.1", workers=2, args=(), controller=None,
                 token=None):
        """`token`: a join token, for a controller that is not insecure."""
        self.node, self.host = node, host
        self.state = os.path.join(rig.dir, node + ".state")
        self.admin, self.metrics_address = (f"{host}:{rig.port()}" for _ in range(2))
        self.access_log = os.path.join(rig.dir, node + ".access.log")
        argv = [os.path.join(BIN, "sluice-proxy"), "--node-id", node, "--state-dir", self.state,
                "--controller", controller or rig.controller.grpc,
                *(["--insecure"] if rig.controller is None or rig.controller.insecure else []),
                "--workers", workers, "--bind-host", host, "--admin-address", self.admin,
                "--metrics-address", self.metrics_address, "--access-log", self.access_log,
                "--reconnect-min", "100ms", "--reconnect-max", "500ms", *args]
        if token is not None:
            self.token_file = os.path.join(rig.dir, node + ".token")
            self.write_token(token)
            argv += ["--join-token-file", self.token_file]
        super().__init__(argv, rig.dir, node, process.sanitizer_environment(ROOT))

    def write_token(self, token):
        with open(self.token_file + ".new", "w") as out:
            out.write(token)
        os.replace(self.token_file + ".new", self.token_file)

    def ready(self):
        return http_get(self.admin, "/readyz")[0] == 200

    def get(self, path):
        status, _, body = http_get(self.admin, path)
        if status != 200:
            raise AssertionError(f"{self.name} {path}: {status} {body[:300]!r}")
        return json.loads(body)

    def metrics(self):
        return http_get(self.metrics_address, "/metrics")[2].decode()

    def access_records(self):
        if not os.path.exists(self.access_log):
            return []
        with open(self.access_log, "rb") as f:
            data = f.read()
        # The last line may be half written.
        return [json.loads(line.decode("utf-8")) for line in data[:data.rfind(b"\n") + 1].splitlines()]

    def wait_record(self, condition, what="an access log record"):
        return waiting.wait_for(what, lambda: next(
            (r for r in self.access_records() if condition(r)), None))


class Ctl:
    """Runs sluicectl and keeps what it said."""

    def __init__(self, rig):
        self.rig = rig

    def argv(self, *args, controller=None, credentials=None):
        """`credentials`: flags; without them --insecure, or the controller's own operator."""
        if credentials is None:
            credentials = ["--insecure"]
            if self.rig.controller is not None and not self.rig.controller.insecure:
                credentials = ["--context",
                               os.path.join(self.rig.controller.operator, "context.yaml")]
        return [os.path.join(BIN, "sluicectl"), "--controller",
                controller or self.rig.controller.grpc, *credentials, *map(str, args)]

    def __call__(self, *args, code=0, stdin=None, controller=None, timeout=None, env=None,
                 credentials=None):
        argv = self.argv(*args, controller=controller, credentials=credentials)
        suppressed = os.path.join(ROOT, "tests", "lsan_ctl.supp")
        environment = {**os.environ, **process.sanitizer_environment(ROOT),
                       "LSAN_OPTIONS": f"suppressions={suppressed}:print_suppressions=0",
                       **(env or {})}
        done = subprocess.run(argv, input=stdin, stdin=None if stdin is not None else
                              subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout or 3 * waiting.DEADLINE, env=environment,
                              cwd=self.rig.dir)
        if process.REPORTS.search(done.stderr):
            raise AssertionError(f"sluicectl {' '.join(map(str, args))}:\n{done.stderr[:6000]}")
        if code is not None and done.returncode != code:
            raise AssertionError(f"sluicectl {' '.join(map(str, args))}: exit code "
                                 f"{done.returncode}, not {code}\n{done.stdout}\n{done.stderr}")
        return done

    def json(self, *args, **options):
        done = self("-o", "json", *args, **options)
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise AssertionError(f"sluicectl -o json {args}: {error}\n{done.stdout[:2000]}") from error

    def status(self):
        return self.json("status")

    def node(self, node_id):
        for node in pick(self.status(), "nodes") or []:
            if pick(node, "node_id") == node_id:
                return node
        return None

    def state(self, node_id):
        """synced, updating, rejected, lagging, draining, unreachable; None: no such node."""
        node = self.node(node_id)
        return str(pick(node, "state")).lower() if node else None

    def revision(self):
        return int(pick(self.status(), "version", "revision") or 0)
