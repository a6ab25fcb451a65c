"""Reloads: what they cost a busy client, and how long they take with many routes."""
import os
import resource
import statistics
import subprocess
import time

from . import loadgen, measure, probe
from .loadgen import LOAD_CPU, pin
from .scenario import check_work, make_spec, url_of
from .steady import WARM


def start_reload(adapter, **kw):
    """The reload command is a client, so it goes to the load side's CPU."""
    return subprocess.Popen(adapter.reload_argv(), env={**os.environ, **adapter.env()},
                            preexec_fn=pin(LOAD_CPU), **kw)


def reload_cmd(adapter):
    """Runs the reload command to its end: (exit code, seconds, CPU seconds)."""
    t0 = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    p = start_reload(adapter, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rc = p.wait(120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return rc, time.monotonic() - t0, cpu


def under_load(ctx, adapter, sc):
    """A reload with a changed endpoint each second, 10 times, under 64 busy connections."""
    spec = make_spec(ctx, adapter, **sc.spec)
    adapter.start(spec)
    conns, reloads = sc.load["conns"], sc.load["reloads"]
    loadgen.wrk(url_of(spec), WARM, conns)
    base = measure.rss_kib(adapter.pids()), measure.pss_kib(adapter.pids())
    watch = measure.MemoryWatch(adapter.pids, every=0.1, tree_every=0.1, pss=True)
    watch.start()
    busy = loadgen.Busy(url_of(spec), conns)
    try:
        t0 = time.monotonic()
        failed = 0
        for i in range(1, reloads + 1):
            time.sleep(max(0.0, t0 + i - time.monotonic()))
            spec.upstream = ctx.backend.b if i % 2 else ctx.backend.a
            spec.ver_upstream = spec.upstream
            adapter.configure(spec)
            failed += reload_cmd(adapter)[0] != 0
        time.sleep(1.5)
        r = busy.end()
    finally:
        busy.abandon()
    end_procs = len(adapter.pids())
    watch.stop()
    _, served = adapter.get("/ver/")
    return {"requests": r["requests"], "rps": round(r["requests"] / r["seconds"], 1),
            "reloads": reloads, "reload_failed": failed, "errors": r["errors"],
            "e_connect": r["e_connect"], "e_read": r["e_read"], "e_write": r["e_write"],
            "e_timeout": r["e_timeout"], "non2xx": r["non2xx"],
            "p50_us": r["p50_us"], "p99_us": r["p99_us"], "p999_us": r["p999_us"],
            "max_us": r["max_us"], "rss_before_kib": base[0], "pss_before_kib": base[1],
            "rss_kib": watch.peak_rss, "peak_pss_kib": watch.peak_pss,
            "peak_processes": watch.peak_procs, "end_processes": end_procs,
            "last_config_served": served.decode(errors="replace") == str(spec.ver_upstream)}


# ---- time ---------------------------------------------------------------------------

def watch_for(spec, sample, streak, limit_s=60):
    """Opens connections until `streak` in a row find the new configuration on all routes of `sample`.

    Returns seconds from the call to the first that did and to the last that did not, and how
    many failed.
    """
    want = [spec.port_of(route) for route in sample]
    t0 = time.monotonic()
    first = last_old = None
    row = failed = 0
    while row < streak and time.monotonic() - t0 < limit_s:
        try:
            new = probe.ports(spec.port, sample)[1] == want
        except OSError:
            failed += 1
            row = 0
        else:
            now = time.monotonic() - t0
            if new:
                first = now if first is None else first
                row += 1
            else:
                last_old, row = now, 0
        time.sleep(0.001)
    return first, last_old, failed


def stale(spec, count=64):
    """How many of some routes, spread over all of them, are not as the configuration says."""
    routes = sorted({i * (spec.routes - 1) // (count - 1) for i in range(count)})
    found = probe.ports(spec.port, routes)[1]
    return sum(port != spec.port_of(route) for port, route in zip(found, routes))


def whole_table(ctx, adapter, sc):
    """From the reload command until served, unloaded, every route changed each time."""
    spec = make_spec(ctx, adapter, ver_upstream=ctx.backend.b, **sc.spec)
    start_s = adapter.start(spec, timeout=120)
    work = check_work(adapter, spec)
    pids = adapter.pids()
    before = measure.rss_kib(pids), measure.pss_kib(pids)
    sample = sorted({0, spec.routes // 2, spec.routes - 1})
    all_routes = frozenset(range(spec.routes))

    def once(quiet=True):
        spec.moved = all_routes - spec.moved
        adapter.configure(spec)
        if quiet:
            measure.wait_quiet()
        ns0 = measure.thread_ns(adapter.pids())
        t0 = time.monotonic()
        cmd = start_reload(adapter, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        spawn = time.monotonic() - t0
        first, last_old, failed = watch_for(spec, sample, measure.as_many(50))
        refused = cmd.wait(60) != 0
        time.sleep(1.0)
        # CPU of processes that are still there; a worker that left is not counted.
        ns1 = measure.thread_ns(adapter.pids())
        return {"first_new_ms": None if first is None else (first + spawn) * 1e3,
                "last_old_ms": None if last_old is None else (last_old + spawn) * 1e3,
                "failed": failed, "stale": stale(spec), "refused": refused,
                "cpu_ms": sum(v - ns0.get(t, 0) for t, v in ns1.items()) / 1e6}

    timed = [once() for _ in range(measure.as_many(sc.load["reloads"], 1))]
    # Apart from the timed ones: who reads a process's memory map keeps it from growing meanwhile.
    watch = measure.MemoryWatch(adapter.pids, every=0.01, tree_every=0.05, pss=True)
    side = measure.MemoryWatch(adapter.side_pids, every=0.01)
    watch.start()
    side.start()
    # Not quiet: whoever watches memory is busy.
    weighed = [once(quiet=False) for _ in range(sc.load["weighed"])]
    watch.stop()
    side.stop()

    def median(key):
        values = [x[key] for x in timed]
        return None if None in values else round(statistics.median(values), 1)
    rec = {"routes": spec.routes, "changed": spec.routes, "start_s": round(start_s, 3), "work": work,
           "reload_to_new_ms": median("first_new_ms"), "last_old_ms": median("last_old_ms"),
           "proxy_cpu_ms": median("cpu_ms"),
           "failed_probes": sum(x["failed"] for x in timed + weighed),
           "stale_routes": sum(x["stale"] for x in timed + weighed),
           "reload_failed": sum(x["refused"] or x["first_new_ms"] is None for x in timed + weighed),
           "rss_before_kib": before[0], "pss_before_kib": before[1], "rss_kib": watch.peak_rss,
           "rss_growth": round(watch.peak_rss / before[0], 3), "peak_pss_kib": watch.peak_pss,
           "each_ms": [x["first_new_ms"] and round(x["first_new_ms"], 1) for x in timed]}
    if side.peak_rss:
        rec["side_rss_kib"] = side.peak_rss
    return rec
