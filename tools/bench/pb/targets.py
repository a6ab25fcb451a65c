"""What Sluice is held to: each row of the list of targets, computed from a file of results."""
from dataclasses import dataclass
from typing import Callable

OURS = ("sluice", "sluice-apply")
APART = (*OURS, "direct")  # Not a peer.


def medians(data, scenario):
    """{proxy: its medians} of those that ran."""
    entries = data["scenarios"].get(scenario, {}).get("proxies", {})
    return {name: entry["median"] for name, entry in entries.items() if entry.get("median")}


def best_peer(data, scenario, key):
    """(name, figure) of the peer with the least; None if none ran."""
    peers = [(median[key], name) for name, median in medians(data, scenario).items()
             if name not in APART and median.get(key)]
    return min(peers)[::-1] if peers else None


@dataclass
class Outcome:
    ours: str            # The figure with its unit.
    peer: str            # Likewise, with the peer's name; empty if the target is absolute.
    value: float         # What is held against the limit.
    limit: float
    text: str            # Of the limit.

    @property
    def met(self):
        return self.value <= self.limit


@dataclass
class Target:
    what: str
    scenario: str        # Under whose heading notes.md explains a miss.
    judge: Callable      # (data) -> Outcome, or None if it was not measured.


def _against_best(scenario, key, unit, limit):
    def judge(data):
        ours = medians(data, scenario).get("sluice", {}).get(key)
        best = best_peer(data, scenario, key)
        if ours is None or best is None:
            return None
        return Outcome(f"{ours:,.2f} {unit}", f"{best[0]} {best[1]:,.2f} {unit}", ours / best[1],
                       limit, f"≤ {limit:.2f} × best peer")
    return judge


def _routes_cost(data):
    one, many = (medians(data, name).get("sluice", {}).get("cpu_us_per_req")
                 for name in ("routes-1", "routes-10000"))
    if not one or not many:
        return None
    return Outcome(f"{many:.2f} against {one:.2f} us", "", many / one, 1.05, "≤ 1.05 ×")


def _route_memory(data):
    one, many = (medians(data, name).get("sluice", {}).get("rss_kib")
                 for name in ("routes-1", "routes-10000"))
    if not one or not many:
        return None
    each = (many - one) * 1024 / 9999
    return Outcome(f"{each:,.0f} B", "", each, 2048, "≤ 2,048 B")


def _lost(data):
    entry = data["scenarios"].get("reload-under-load", {}).get("proxies", {}).get("sluice", {})
    if not entry.get("runs"):
        return None
    lost = sum(run["errors"] + run["non2xx"] for run in entry["runs"])
    return Outcome(f"{lost} requests", "", lost, 0, "0")


def _cpu(what, scenario, limit=0.90):
    return Target(what, scenario, _against_best(scenario, "cpu_us_per_req", "us", limit))


TARGETS = [
    _cpu("CPU per request, HTTP/1.1 keep-alive, small", "h1-small"),
    _cpu("the same with a JSON access log", "h1-log"),
    _cpu("the same over TLS 1.3", "tls-keepalive"),
    _cpu("the same over HTTP/2", "h2-small"),
    _cpu("gRPC-like calls", "grpc-ish"),
    _cpu("16 KiB bodies", "h1-16k"),
    _cpu("1 MiB bodies", "h1-1m"),
    _cpu("a new connection per request", "h1-close"),
    _cpu("a TLS handshake per request", "tls-handshake", 1.0),
    Target("10,000 routes against 1", "routes-10000", _routes_cost),
    Target("memory per route", "routes-10000", _route_memory),
    Target("memory per idle connection", "idle-conns",
           _against_best("idle-conns", "bytes_per_conn", "B", 1.0)),
    Target("memory per idle TLS connection", "idle-conns-tls",
           _against_best("idle-conns-tls", "bytes_per_conn", "B", 1.0)),
    Target("requests lost while changes apply under load", "reload-under-load", _lost),
]
