"""Real etcd members, on ports of the rig, as the store that controllers share.

    cluster = etcd.Cluster(rig)
    cluster.kill(0)
    rig.start_controller(args=cluster.flags())
    cluster.restart(0)

Their elections are quick: without the one that leads the others are at a loss for half a second,
not for one and a half.
"""
import base64
import http.client
import json
import os

import certs
import peers
import process
import waiting

HEARTBEAT_MS = 50 * waiting.SLOWDOWN
ELECTION_MS = 10 * HEARTBEAT_MS
PREFIX = "/sluice"  # A controller's, unless it is told another.


class Member(process.Process):
    """One of a cluster. `host` is where the others reach it, `at` where the test does, if it is
    elsewhere; `before`: ip netns exec, ..."""

    def __init__(self, rig, name, program, host="127.0.0.1", at=None, before=(), tls=None):
        self.client_port, self.peer_port = rig.port(), rig.port()
        self.endpoint, self.at = f"{host}:{self.client_port}", at or host
        self.peer = f"http://{host}:{self.peer_port}"
        self.tls = tls
        self.scheme = "https" if tls else "http"
        bound = host if at is None else "0.0.0.0"
        self.data = os.path.join(rig.dir, name + ".data")
        argv = [*before, program, "--name", name, "--data-dir", self.data,
                "--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer,
                "--listen-client-urls", f"{self.scheme}://{bound}:{self.client_port}",
                "--advertise-client-urls", f"{self.scheme}://{self.endpoint}",
                "--initial-cluster-token", os.path.basename(rig.dir),
                "--logger", "zap", "--log-outputs", "stderr", "--log-level", "warn",
                "--heartbeat-interval", HEARTBEAT_MS, "--election-timeout", ELECTION_MS,
                *(tls.server_flags() if tls else [])]
        # It ends by the signal that asked it to.
        super().__init__(argv, rig.dir, name, expect=(0, -15))

    def ask(self, method, path, body=None, timeout=2.0 * waiting.SLOWDOWN):
        """Its answer to a call over HTTP, decoded; an OSError for anything but 200."""
        kind = (http.client.HTTPConnection, {}) if self.tls is None else (
            http.client.HTTPSConnection, {"context": self.tls.context})
        connection = kind[0](self.at, self.client_port, timeout=timeout, **kind[1])
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body))
            response = connection.getresponse()
            text = response.read().decode()
        except http.client.HTTPException as error:
            raise OSError(repr(error)) from error
        finally:
            connection.close()
        if response.status != 200:
            raise OSError(f"{self.name} {path}: {response.status} {text[:300]}")
        return json.loads(text)

    def healthy(self):
        """Whether most members agree with it."""
        if not self.running():
            raise RuntimeError(f"{self.name} ended with {self.proc.returncode}:\n{self.tail()}")
        return self.ask("GET", "/health")["health"] == "true"


class Tls:
    """What its clients prove themselves with, and the members to them."""

    def __init__(self, rig, hosts):
        self.ca = rig.cert("etcd-ca")
        self.server = rig.cert("etcd-server", sorted(hosts), issuer=self.ca)
        self.client = rig.cert("etcd-client", ["sluice"], issuer=self.ca)
        self.context = certs.client_context(self.ca)
        self.context.load_cert_chain(self.client.cert, self.client.key)

    def server_flags(self):
        return ["--cert-file", self.server.cert, "--key-file", self.server.key,
                "--trusted-ca-file", self.ca.cert, "--client-cert-auth"]

    def flags(self):
        """For a controller."""
        return ["--etcd-ca", self.ca.cert, "--etcd-cert", self.client.cert,
                "--etcd-key", self.client.key]


class Cluster:
    """`count` members, started; on each of the `sites` (netns.py) one, if there are any."""

    def __init__(self, rig, count=3, sites=(), tls=False):
        program = peers.need("etcd")
        where = [{"host": site.address, "at": site.front, "before": site.before}
                 for site in sites] or [{}] * count
        self.tls = Tls(rig, {"127.0.0.1", *(site.address for site in sites),
                             *(site.front for site in sites)}) if tls else None
        self.members = [Member(rig, f"etcd-{i}", program, tls=self.tls, **options)
                        for i, options in enumerate(where, 1)]
        everybody = ",".join(f"{member.name}={member.peer}" for member in self.members)
        for member in self.members:
            member.argv += ["--initial-cluster", everybody]
            rig.parts.append(member)
            member.start()
        self.wait_healthy()

    # For controllers.

    def flags(self, prefix=""):
        endpoints = ",".join(member.endpoint for member in self.members)
        return ["--store", f"etcd://{endpoints}{prefix}", *(self.tls.flags() if self.tls else [])]

    # What happens to members, by their numbers.

    def kill(self, i):
        self.members[i].kill()

    def pause(self, i):
        self.members[i].pause()

    def resume(self, i):
        self.members[i].resume()

    def restart(self, i):
        """After it was killed or stopped; with what it has on disk."""
        self.members[i].start()
        self.wait_healthy(i)

    def wait_healthy(self, *numbers):
        """Until these, or all, have a majority with them."""
        for i in numbers or range(len(self.members)):
            member = self.members[i]
            waiting.wait_for(f"{member.name} to be healthy", member.healthy)

    # What is in it.

    def get(self, key, to=None):
        """{key: (value in bytes, revision of its creation)} of `key`, or of all from it up to `to`,
        as most members have it."""
        request = {"key": _base64(key), **({"range_end": _base64(to)} if to else {})}
        return {base64.b64decode(pair["key"]).decode():
                (base64.b64decode(pair.get("value", "")), int(pair["create_revision"]))
                for pair in self._ask("/v3/kv/range", request).get("kvs", [])}

    def under(self, prefix=PREFIX):
        """Likewise, of all keys below a prefix that a store was given."""
        return self.get(prefix + "/", prefix + "0")

    def put(self, key, value):
        self._ask("/v3/kv/put", {"key": _base64(key), "value": _base64(value)})

    def delete_under(self, prefix=PREFIX):
        """All keys below it."""
        self._ask("/v3/kv/deleterange",
                  {"key": _base64(prefix + "/"), "range_end": _base64(prefix + "0")})

    def _ask(self, path, body):
        """By the first member that answers."""
        problem = OSError("no member runs")
        for member in self.members:
            if member.running() and not member.paused:
                try:
                    return member.ask("POST", path, body)
                except OSError as error:
                    problem = error
        raise problem


def _base64(text):
    return base64.b64encode(text.encode()).decode()
