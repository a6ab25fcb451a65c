"""Small changes, one after another: how long each takes, and what busy clients notice of them."""
import json
import subprocess
import time

from . import loadgen, measure, probe
from .adapter import free_port
from .reload import start_reload, watch_for
from .scenario import check_work, make_spec, url_of
from .steady import WARM

STREAK = 3                          # New connections in a row that must find a change in force.
PATIENCE_S = 10


def percentiles(values_ms, name):
    ordered = sorted(values_ms)
    return {f"{name}_{word}_ms": round(loadgen.percentile(ordered, p), 2)
            for word, p in (("p50", 50), ("p99", 99), ("max", 100))} if ordered else {}


def told_ms(output):
    """What the reload command printed: the controller's own figure, in whole milliseconds."""
    end = output.rstrip().rfind("\n{")
    try:
        return json.loads(output[end + 1:]).get("elapsed_ms")
    except ValueError:
        return None


def change(adapter):
    """One reload command: (accepted, seconds until it ended, what it printed), or, where the
    command does not wait for the change to be in force, (None, 0, the process)."""
    t0 = time.monotonic()
    if not adapter.reload_waits:
        return None, 0.0, start_reload(adapter, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
    p = start_reload(adapter, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    out, _ = p.communicate(timeout=120)
    return p.returncode == 0, time.monotonic() - t0, out


# ---- one route among many ---------------------------------------------------------------

def one_of_many(ctx, adapter, sc):
    """Another one of the routes goes to the other upstream each time."""
    spec = make_spec(ctx, adapter, ver_upstream=ctx.backend.b, **sc.spec)
    adapter.start(spec, timeout=120)
    work = check_work(adapter, spec)
    count = measure.as_many(sc.load["changes" if adapter.reload_waits else "changes_of_others"])
    conns = sc.load.get("conns")
    load = None
    if conns:
        many = dict(script="routes.lua", args=(spec.routes,))
        loadgen.wrk(url_of(spec), WARM, conns, **many)
        load = loadgen.Busy(url_of(spec), conns, **many)
        time.sleep(0.5)
    each, told = [], []
    rec = {"routes": spec.routes, "changes": count, "work": work, "reload_failed": 0,
           "unseen": 0, "failed_probes": 0}
    try:
        for i in range(count):
            route = i * 911 % spec.routes       # 911 has no divisor in common with 3,000.
            spec.moved = spec.moved ^ {route}
            adapter.configure(spec)
            time.sleep(0.02 if adapter.reload_waits else 0.2)       # old processes leave
            t0 = time.monotonic()
            accepted, took, said = change(adapter)
            spawned = time.monotonic() - t0
            # The command's end is a promise: the very first look must find the change.
            first, last_old, failed = watch_for(spec, [route], STREAK, PATIENCE_S)
            rec["failed_probes"] += failed
            if adapter.reload_waits:
                rec["reload_failed"] += not accepted
                rec["unseen"] += first is None or last_old is not None
                each.append(took * 1e3)
                told.append(told_ms(said))
            else:
                rec["reload_failed"] += said.wait(60) != 0
                rec["unseen"] += first is None
                if first is not None:
                    each.append((first + spawned) * 1e3)
        if load:
            r = load.end()
            rec.update({"requests": r["requests"], "rps": round(r["requests"] / r["seconds"], 1),
                        "errors": r["errors"], "non2xx": r["non2xx"]})
    finally:
        if load:
            load.abandon()
    rec.update(percentiles(each, "change"), each_ms=[round(x, 2) for x in each])
    if told and None not in told:
        rec.update(percentiles(told, "told"), told_ms=told)
    return rec


# ---- routes, endpoints and certificates ---------------------------------------------------

class Turns:
    """Changes a specification: a route, the endpoint of an upstream, the certificate, in turn."""

    def __init__(self, ctx, spec):
        self.ctx, self.spec, self.route = ctx, spec, 0
        self.other_cert = {ctx.cert: (ctx.cert2, ctx.key2), ctx.cert2: (ctx.cert, ctx.key)}
        self.digests = {cert: probe.digest_of(cert) for cert in self.other_cert}

    def turn(self, i):
        spec, backend = self.spec, self.ctx.backend
        if i % 3 == 0:
            self.route = i // 3 % spec.routes
            spec.moved = spec.moved ^ {self.route}
        elif i % 3 == 1:
            spec.upstream = backend.b if spec.upstream == backend.a else backend.a
        else:
            spec.cert, spec.key = self.other_cert[spec.cert]

    def sample(self):
        """The route changed last, one that goes to each upstream if there is one."""
        still = [r for r in range(self.spec.routes) if r not in self.spec.moved]
        return sorted({self.route, *still[:1], *sorted(self.spec.moved)[:1]})

    def served(self):
        """Whether a new connection finds certificate, endpoint and routes as they should be."""
        sample = self.sample()
        digest, ports = probe.ports(self.spec.tls_port, sample, tls=True)
        return (digest == self.digests[self.spec.cert]
                and ports == [self.spec.port_of(route) for route in sample])

    def wait_served(self):
        """(it was so in the end, it was so at the first look)"""
        end = time.monotonic() + PATIENCE_S
        looks = 0
        while time.monotonic() < end:
            looks += 1
            try:
                if self.served():
                    return True, looks == 1
            except OSError:
                pass            # The load counts what fails; here only what is served matters.
            time.sleep(0.002)
        return False, False


def mixed(ctx, adapter, sc):
    """Changes of three kinds under keep-alive load over clear text and TLS at once."""
    spec = make_spec(ctx, adapter, ver_upstream=ctx.backend.c, **sc.spec)
    spec.tls_port = free_port()
    adapter.start(spec)
    work = check_work(adapter, spec)
    turns = Turns(ctx, spec)
    count = measure.as_many(sc.load["changes"].get(adapter.name, sc.load["changes"][""]))
    base = measure.rss_kib(adapter.pids())
    watch = measure.MemoryWatch(adapter.pids, every=0.2, tree_every=0.2)
    many = dict(conns=sc.load["conns"], script="routes.lua", args=(spec.routes,))
    watch.start()
    loads = [loadgen.Busy(f"http://127.0.0.1:{spec.port}", **many),
             loadgen.Busy(f"https://127.0.0.1:{spec.tls_port}", **many)]
    refused = unseen = 0
    each = []
    try:
        time.sleep(WARM)
        for i in range(count):
            turns.turn(i)
            adapter.configure(spec)
            t0 = time.monotonic()
            accepted, took, said = change(adapter)
            seen, at_once = turns.wait_served()
            if adapter.reload_waits:
                refused += not accepted
                unseen += not at_once
                each.append(took * 1e3)
            else:
                each.append((time.monotonic() - t0) * 1e3)
                refused += said.wait(60) != 0
                unseen += not seen
                time.sleep(sc.load["pause_of_others"])
        time.sleep(0.5)
        clear, tls = (load.end() for load in loads)
    finally:
        for load in loads:
            load.abandon()
    watch.stop()
    rec = {"requests": clear["requests"] + tls["requests"], "changes": count, "work": work,
           "rps": round((clear["requests"] + tls["requests"]) / clear["seconds"], 1),
           "reload_failed": refused, "unseen": unseen, "last_config_served": turns.served(),
           "seconds": round(clear["seconds"], 1), "rss_before_kib": base, "rss_kib": watch.peak_rss,
           "errors_clear": clear["errors"] + clear["non2xx"], "errors_tls": tls["errors"] + tls["non2xx"]}
    for key in ("errors", "non2xx", "e_connect", "e_read", "e_write", "e_timeout"):
        rec[key] = clear[key] + tls[key]
    rec["lost_per_change"] = round((rec["errors"] + rec["non2xx"]) / count, 3)
    rec.update(percentiles(each, "change"))
    return rec
