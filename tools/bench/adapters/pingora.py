"""Pingora, a library: the program on it is in pingora/, built into build/peers by setup-peers."""
import json
import os
import tomllib

from pb.adapter import HERE, PEERS, Adapter, write


class Pingora(Adapter):
    name = "pingora"
    binary = "pingora-peer"
    families = {"h1", "body", "log", "close", "tls", "h2", "grpc", "routes", "idle", "rate"}
    note = "threads: 1; a small program on the library; log in pieces of 64 KiB, at least each second"

    @staticmethod
    def program():
        return os.path.join(PEERS, "pingora", "release", "pingora-peer")

    def available(self):
        return None if os.path.exists(self.program()) else "not built: tools/bench/setup-peers"

    def version(self):
        with open(os.path.join(HERE, "pingora", "Cargo.toml"), "rb") as f:
            return "pingora " + tomllib.load(f)["dependencies"]["pingora-proxy"]["version"].lstrip("=")

    def conf(self):
        return os.path.join(self.dir, "pingora.json")

    def configure(self, spec):
        def target(port, h2):
            return {"address": f"127.0.0.1:{port}", "h2": h2}
        config = {"listen": f"127.0.0.1:{spec.port}",
                  "upstreams": {"main": target(spec.upstream, spec.upstream_h2),
                                "ver": target(spec.ver_upstream or spec.upstream, False)},
                  "routes": {"/ver/": "ver", **(dict(spec.targets()) or {"/": "main"})}}
        if spec.tls:
            config["tls"] = {"cert": spec.cert, "key": spec.key, "h2": spec.h2}
        if spec.log:
            config["log"] = self.logfile()
        write(self.conf(), json.dumps(config))

    def argv(self):
        return [self.program(), self.conf()]
