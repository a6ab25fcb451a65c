"""Sluice as it runs in production: a controller watching a file, and a proxy fed by its stream.

The proxy alone is on the measured CPU and counted; the controller shares the load side's CPU.
"""
import http.client
import json
import os
import shutil
import subprocess
import time

from pb.adapter import Adapter, free_port, write
from pb.loadgen import LOAD_CPU, pin

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BIN = os.environ.get("SLUICE_BIN_DIR", os.path.join(ROOT, "build", "release", "bin"))
HOUR = "1h"
# What the peers' lines hold.
LOG_FIELDS = ["time", "client", "method", "path", "query", "status", "response_bytes", "duration_ms",
              "endpoint", "request_id", "user_agent"]
# The peers get the same by their own settings: X25519, AES-128-GCM, no resumption.
OPENSSL = """openssl_conf = conf
[conf]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519
Options = -SessionTicket
"""


def yaml(value, indent=0):
    """`value` as people write YAML: a key or a list item a line."""
    pad = " " * indent
    if isinstance(value, dict):
        return "".join(f"{pad}{k}:\n{yaml(v, indent + 2)}" if isinstance(v, (dict, list))
                       else f"{pad}{k}: {json.dumps(v)}\n" for k, v in value.items())
    return "".join(f"{pad}- {yaml(v, indent + 2)[indent + 2:]}" if isinstance(v, dict)
                   else f"{pad}- {json.dumps(v)}\n" for v in value)


class Sluice(Adapter):
    name = "sluice"
    binary = "sluice-proxy"
    families = {"h1", "h2", "grpc", "body", "log", "close", "tls", "routes", "idle", "reload",
                "rate", "workers", "changes"}
    note = "one worker (two in workers-2); controller on the load side's CPU, watching its file; the peers' log fields"
    watched = True

    def __init__(self, rundir):
        super().__init__(rundir)
        self.controller = None

    def available(self):
        for program in ("sluice-controller", "sluice-proxy", "sluicectl"):
            if not os.path.exists(os.path.join(BIN, program)):
                return f"{program} is not built (looked in {os.path.relpath(BIN, ROOT)})"
        return None

    def version(self):
        done = subprocess.run([os.path.join(BIN, self.binary), "--version"], capture_output=True,
                              text=True)
        return (done.stdout.strip().split("\n") or [""])[0]

    # ---- configuration ----------------------------------------------------------

    def next_path(self):
        """What configure() writes; the reload command puts it in place of the watched file."""
        return os.path.join(self.dir, "next.yaml")

    def watched_path(self):
        return os.path.join(self.dir, "sluice.yaml")

    @staticmethod
    def services(spec):
        # The many routes keep the default timeouts, as the peers' do; the catch-all has to outlast
        # a saturated machine.
        routes = [{"name": "ver", "path_prefix": "/ver", "upstreams": [{"name": "ver"}]}]
        routes += [{"name": p.strip("/"), "path_prefix": p.rstrip("/"), "upstreams": [{"name": to}]}
                   for p, to in spec.targets()]
        if not spec.routes:
            routes.append({"name": "all", "timeouts": {"first_byte": HOUR, "idle": HOUR},
                           "upstreams": [{"name": "main"}]})
        service = {"name": "bench", "bind_address": f"127.0.0.1:{spec.port}",
                   "timeouts": {"keep_alive": HOUR, "idle": HOUR, "header": HOUR},
                   "routes": routes}
        tls = {"enabled": True, "cert_path": spec.cert, "key_path": spec.key, "min_version": "1.3"}
        if spec.tls:
            service["tls"] = tls
        if not spec.tls_port:
            return [service]
        return [service, {**service, "name": "bench-tls", "tls": tls,
                          "bind_address": f"127.0.0.1:{spec.tls_port}"}]

    def configure(self, spec):
        upstreams = [{"name": name, "lb_strategy": "round_robin",
                      "keep_alive": {"idle": HOUR, "connections": 1024},
                      "nodes": [{"addr": f"127.0.0.1:{port}"}],
                      **({"protocol": "http2"} if spec.upstream_h2 else {})}
                     for name, port in (("main", spec.upstream),
                                        ("ver", spec.ver_upstream or spec.upstream))]
        log = {"enabled": spec.log}
        if spec.log:
            log.update(path=self.logfile(), format="json", fields=LOG_FIELDS)
        write(self.next_path(), yaml({
            "server": {"worker_threads": spec.workers, "log_level": "warn"},
            "admin": {"enabled": True, "bind_address": f"127.0.0.1:{spec.admin}"},
            "logging": {"access_log": log}, "upstreams": upstreams,
            "services": self.services(spec)}))

    # ---- processes ----------------------------------------------------------------

    def env(self):
        conf = os.path.join(self.dir, "openssl.cnf")
        if not os.path.exists(conf):
            write(conf, OPENSSL)
        return {"OPENSSL_CONF": conf}

    def start(self, spec, timeout=60):
        for leftover in ("data", "state"):
            shutil.rmtree(os.path.join(self.dir, leftover), ignore_errors=True)
        self.configure(spec)
        shutil.copyfile(self.next_path(), self.watched_path())
        self.grpc, self.controller_admin = free_port(), free_port()
        argv = [os.path.join(BIN, "sluice-controller"), "--data-dir", os.path.join(self.dir, "data"),
                "--grpc-address", f"127.0.0.1:{self.grpc}", "--admin-address",
                f"127.0.0.1:{self.controller_admin}", "--insecure"]
        if self.watched:
            argv += ["--config", self.watched_path()]
        with open(os.path.join(self.dir, "controller.log"), "ab") as out:
            self.controller = subprocess.Popen(argv, stdout=out, stderr=out, cwd=self.dir,
                                               stdin=subprocess.DEVNULL, start_new_session=True,
                                               preexec_fn=pin(LOAD_CPU))
        self.wait_controller(timeout)
        if not self.watched:
            subprocess.run(self.apply_argv(wait=False), check=True, capture_output=True)
        return super().start(spec, timeout)

    def wait_controller(self, timeout):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.controller.poll() is not None:
                raise RuntimeError("the controller ended at start: " + self.last_words())
            try:
                c = http.client.HTTPConnection("127.0.0.1", self.controller_admin, timeout=1)
                c.request("GET", "/healthz")
                if c.getresponse().status == 200:
                    return
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
        raise RuntimeError("the controller was not ready in time")

    def argv(self):
        return [os.path.join(BIN, "sluice-proxy"), "--node-id", "bench", "--workers", str(self.spec.workers),
                "--controller", f"127.0.0.1:{self.grpc}", "--insecure",
                "--state-dir", os.path.join(self.dir, "state")]

    def side_pids(self):
        return [self.controller.pid] if self.controller else []

    def apply_argv(self, wait=True):
        argv = [os.path.join(BIN, "sluicectl"), "--controller", f"127.0.0.1:{self.grpc}",
                "--insecure", "-o", "json", "apply", "-f", self.next_path()]
        return argv + ["--wait"] if wait else argv

    def reload_argv(self):
        return ["mv", self.next_path(), self.watched_path()]

    def last_words(self):
        words = super().last_words()
        path = os.path.join(self.dir, "controller.log")
        if os.path.exists(path):
            with open(path, errors="replace") as f:
                words += f.read()[-400:].replace(self.dir, "<run dir>")
        return words

    def stop(self):
        try:
            super().stop()
        finally:
            self.stop_controller()

    def stop_controller(self):
        if self.controller:
            self.controller.terminate()
            try:
                self.controller.wait(10)
            except subprocess.TimeoutExpired:
                self.controller.kill()
                self.controller.wait(10)
            self.controller = None


class SluiceApply(Sluice):
    name = "sluice-apply"
    families = {"reload", "changes"}
    note = "as sluice, changed by sluicectl apply --wait"
    watched = False
    reload_waits = True

    def reload_argv(self):
        return self.apply_argv()
