"""What Sluice is held to: each row of the list of targets, computed from a file of results."""
from dataclasses import dataclass, field
from typing import Callable

from . import results
from .loadgen import percentile


@dataclass
class Outcome:
    ours: str            # The figure with its unit.
    peer: str            # Likewise, with the peer's name; empty if there is none to compare.
    value: float         # What is held against the limit.
    limit: float
    text: str            # Of the limit.
    reached: str
    rounds: list = field(default_factory=list)   # `value` of each round, if it has one.
    fault: str = ""      # Why our figure does not count, whatever it is.

    @property
    def met(self):
        return not self.fault and self.value <= self.limit

    @property
    def verdict(self):
        if self.value > self.limit:
            missed = f"missed by {100 * (self.value / self.limit - 1):,.1f} %" if self.limit else "missed"
            some = self.limit and any(v <= self.limit for v in self.rounds)
            return missed + (", met in some rounds" if some else "") + (self.fault and f"; {self.fault}")
        if self.fault:
            return f"missed: {self.fault}"
        return "met" + (", not in every round" if any(v > self.limit for v in self.rounds) else "")


@dataclass
class Target:
    what: str
    scenario: str        # Under whose heading notes.md explains a miss.
    judge: Callable      # (data) -> Outcome, or None if it was not measured.


@dataclass
class Proof:
    """A row that a test proves each time it runs; a figure of ours would say no more."""
    what: str
    target: str
    test: str            # As ctest calls it.
    file: str            # What it runs, from the repository's root.
    case: str
    says: str


def _ratio_to_best(scenario, key, unit, limit):
    def judge(data):
        ours = results.entries(data, scenario).get("sluice")
        best = results.best_peer(data, scenario, key)
        if ours is None or ours["median"].get(key) is None or best is None:
            return None
        figure = ours["median"][key]
        value = figure / best[1]
        # The list of targets names these two: without one of them "best" says less.
        absent = [name for name in ("nginx", "haproxy") if name not in results.fit_peers(data, scenario)]
        peer = f"{best[0]} {best[1]:,.2f} {unit}" + (f" (without {', '.join(absent)})" if absent else "")
        return Outcome(f"{figure:,.2f} {unit}", peer, value, limit,
                       f"≤ {limit:.2f} × best peer", f"{value:.2f} ×",
                       results.ratios(ours, results.entries(data, scenario)[best[0]], key),
                       results.unfit(scenario, ours))
    return judge


def _median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def paired(data, one, many, proxy, key):
    """(median, each round's) of many's figure over one's. Two scenarios that took turns in the same
    rounds are compared round by round: the machine's speed wanders more than they differ."""
    a, b = (results.entries(data, name).get(proxy) for name in (one, many))
    if not a or not b or not a["median"].get(key) or not b["median"].get(key):
        return None, []
    groups = {data["scenarios"][name].get("group") for name in (one, many)}
    each = results.ratios(b, a, key) if len(groups) == 1 and None not in groups else []
    return (_median(each) if each else b["median"][key] / a["median"][key]), each


def _routes_cost(data):
    value, each = paired(data, "routes-1", "routes-10000", "sluice", "cpu_us_per_req")
    if value is None:
        return None
    one, many = (results.entries(data, name)["sluice"] for name in ("routes-1", "routes-10000"))
    return Outcome(f"{many['median']['cpu_us_per_req']:.2f} against {one['median']['cpu_us_per_req']:.2f} us",
                   "", value, 1.05, "≤ 1.05 ×", f"{value:.2f} ×", each,
                   results.unfit("routes-1", one) or results.unfit("routes-10000", many))


def _route_memory(data):
    one, many = (results.entries(data, name).get("sluice", {}).get("median", {}).get("rss_kib")
                 for name in ("routes-1", "routes-10000"))
    if not one or not many:
        return None
    each = (many - one) * 1024 / 9999
    return Outcome(f"{each:,.0f} B", "", each, 2048, "≤ 2,048 B", f"{each:,.0f} B")


def _lost(scenario, key, changes=0):
    """Everything that went wrong while `key` (reloads or changes) were made: a request lost, a change
    refused, one that was not in force when it was said to be. Of both ways to change Sluice; at
    least one of them has to make as many changes as are asked for."""
    def judge(data):
        rows = {name: entry for name, entry in results.entries(data, scenario).items()
                if name in results.OURS}
        if not rows:
            return None
        wrong, made, peers = 0, [], []
        for name, entry in rows.items():
            wrong += sum(results.total(entry, k) for k in ("errors", "non2xx", "reload_failed", "unseen"))
            wrong += sum(run.get("last_config_served") is not True for run in entry["runs"])
            made.append(f"{name} {results.total(entry, key):,}")
        for name, entry in results.entries(data, scenario).items():
            if name not in results.APART:
                lost = sum(results.total(entry, k) for k in ("errors", "non2xx"))
                peers.append(f"{name} {lost / max(1, results.total(entry, key)):.2f} a reload")
        few = max(max(run[key] for run in entry["runs"]) for entry in rows.values()) < changes
        absent = [name for name in results.OURS if name not in rows]
        fault = "; ".join(([f"fewer than {changes:,} changes"] if few else [])
                          + [f"{name} did not run" for name in absent])
        return Outcome(f"{wrong} in {' + '.join(made)} {key}", ", ".join(peers), wrong, 0, "0",
                       f"{wrong:,}", [], fault)
    return judge


def _whole_table(proxy):
    def judge(data):
        entry = results.entries(data, "reload-time-10000").get(proxy)
        key = "reload_to_new_ms"
        if not entry or entry["median"].get(key) is None:
            return None
        value = entry["median"][key]
        best = results.best_peer(data, "reload-time-10000", key)
        return Outcome(f"{value:,.1f} ms", f"{best[0]} {best[1]:,.1f} ms" if best else "", value, 47,
                       "≤ 47 ms", f"{value:,.1f} ms",
                       [run[key] for run in entry["runs"] if run.get(key)],
                       results.unfit("reload-time-10000", entry))
    return judge


def _growth(proxy):
    """The worst run counts: memory that is not there is not there once. Sluice's proxy is one process; a
    peer's several share pages, which its proportional memory does not count twice."""
    def grown(name, entry):
        before, peak = (("rss_before_kib", "rss_kib") if name in results.OURS
                        else ("pss_before_kib", "peak_pss_kib"))
        return max((run[peak] / run[before] for run in entry["runs"] if run.get(peak) and run.get(before)),
                   default=None)

    def judge(data):
        rows = results.entries(data, "reload-time-10000")
        value = grown(proxy, rows[proxy]) if proxy in rows else None
        if value is None:
            return None
        best = min(((grown(name, entry) or 9e99, name)
                    for name, entry in results.fit_peers(data, "reload-time-10000").items()), default=None)
        return Outcome(f"{value:.2f} ×", f"{best[1]} {best[0]:.2f} × (PSS)" if best else "", value,
                       1.5, "≤ 1.50 × before", f"{value:.2f} ×")
    return judge


def _p99(scenario, key, limit_ms):
    """Of all changes of all runs together: the median of the runs' own p99 would be kinder."""
    def judge(data):
        rows = results.entries(data, scenario)
        ours = rows.get("sluice-apply")
        if not ours or not all(run.get(key) for run in ours["runs"]):
            return None
        all_ms = [ms for run in ours["runs"] for ms in run[key]]
        value = percentile(sorted(all_ms), 99)
        # Few repeats: the median is what can be said of a peer.
        best = results.best_peer(data, scenario, "change_p50_ms")
        wrong = sum(results.total(ours, k) for k in ("reload_failed", "unseen", "errors", "non2xx"))
        few = min(len(run[key]) for run in ours["runs"]) < 200
        fault = f"{wrong} changes or requests failed" if wrong else "fewer than 200 changes" if few else ""
        return Outcome(f"p99 {value:,.1f} ms of {len(all_ms):,}",
                       f"{best[0]} p50 {best[1]:,.1f} ms" if best else "", value, limit_ms,
                       f"p99 ≤ {limit_ms} ms", f"{value:,.1f} ms",
                       [percentile(sorted(run[key]), 99) for run in ours["runs"]], fault)
    return judge


def _cpu(what, scenario, limit=0.90):
    return Target(what, scenario, _ratio_to_best(scenario, "cpu_us_per_req", "us", limit))


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
           _ratio_to_best("idle-conns", "bytes_per_conn", "B", 1.0)),
    Target("memory per idle TLS connection", "idle-conns-tls",
           _ratio_to_best("idle-conns-tls", "bytes_per_conn", "B", 1.0)),
    Target("lost while route, endpoint and certificate changes apply under load", "changes-under-load",
           _lost("changes-under-load", "changes", 1000)),
    Target("lost while the endpoint changes each second under load", "reload-under-load",
           _lost("reload-under-load", "reloads")),
    Target("10,000 changed routes, `sluicectl apply` to served", "reload-time-10000",
           _whole_table("sluice-apply")),
    Target("the same, from the watched file's change to served", "reload-time-10000",
           _whole_table("sluice")),
    Target("peak memory of the proxy meanwhile (`sluicectl apply`)", "reload-time-10000",
           _growth("sluice-apply")),
    Target("the same (watched file)", "reload-time-10000", _growth("sluice")),
    Target("one of 3,000 routes changed, start to end of `sluicectl apply --wait`", "one-of-3000",
           _p99("one-of-3000", "each_ms", 30)),
    Target("the same, by the controller's own clock", "one-of-3000", _p99("one-of-3000", "told_ms", 30)),
    Target("one of 3,000 routes changed under load, start to end of `sluicectl apply --wait`",
           "one-of-3000-load", _p99("one-of-3000-load", "each_ms", 50)),
    Target("the same, by the controller's own clock", "one-of-3000-load",
           _p99("one-of-3000-load", "told_ms", 50)),
    Proof("snapshot bytes sent to a node that reconnects unchanged", "≤ 1 KB", "integration/cache",
          "tests/integration/cache_test.py", "test_start_without_a_controller",
          "the controller's count of the bytes it sent is at most 1,024"),
]
