"""A steady load on a proxy that does not change, and the CPU it takes."""
import os
import socket
import time
from dataclasses import replace

from . import loadgen, measure
from .adapter import client_tls
from .scenario import check_work, make_spec, url_of

WARM = 1


def measured(ctx, adapter, load):
    """Runs load() once and charges the CPU used meanwhile to the proxy."""
    pids = adapter.pids()
    time.sleep(0.3)                 # let the proxy finish what the load left behind
    speed = [measure.calibrate(0)]
    watch = measure.MemoryWatch(lambda: pids, every=0.5)
    watch.start()
    a = measure.Snapshot(pids, ctx.backend.pids)
    r = load()
    b = measure.Snapshot(pids, ctx.backend.pids)
    watch.stop()
    time.sleep(0.3)
    speed.append(measure.calibrate(0))
    d = measure.difference(a, b)
    n = r["requests"]
    rec = {"requests": n, "rps": round(n / r["seconds"], 1), "errors": r["errors"],
           "non2xx": r["non2xx"]}
    n = r.get("sent", n)
    if n:
        rec["cpu_us_per_req"] = round(d["proxy_cpu_s"] * 1e6 / n, 3)
        rec["cpu0_us_per_req"] = round(d["cpu0_busy_s"] * 1e6 / n, 3)
        rec["backend_us_per_req"] = round(d["backend_cpu_s"] * 1e6 / n, 3)
        rec["loadgen_us_per_req"] = round(d["loadgen_cpu_s"] * 1e6 / n, 3)
        cpu = d["proxy_user_s"] + d["proxy_sys_s"]
        if cpu:
            rec["user_share_pct"] = round(100 * d["proxy_user_s"] / cpu, 1)
    if r.get("bytes", 0) > 4096 * n:            # small bodies: no figure per MiB
        mib = r["bytes"] / (1 << 20)
        rec["gbit_per_s"] = round(r["bytes"] * 8 / r["seconds"] / 1e9, 3)
        rec["cpu_us_per_mib"] = round(d["proxy_cpu_s"] * 1e6 / mib, 2) if mib else None
    for k in ("p50_us", "p90_us", "p99_us", "p999_us", "max_us", "send_late_p99_us",
              "negotiated"):
        if k in r:
            rec[k] = r[k]
    rec["rss_kib"] = watch.peak_rss
    rec["pss_kib"] = measure.pss_kib(pids)
    rec["calib_us"] = round(sum(speed) / 2, 3)
    rec["limit"] = measure.bottleneck(d)
    rec.update({k: d[k] for k in ("cpu0_busy_pct", "cpu1_busy_pct", "foreign_pct",
                                  "foreign0_pct", "steal_pct", "ksoftirqd_pct")})
    return rec


def steady(ctx, adapter, sc):
    spec = make_spec(ctx, adapter, **sc.spec)
    if spec.upstream_h2:            # the gRPC upstream has no /echo: ask another one first
        echo = replace(spec, upstream=ctx.backend.h2_echo)
        adapter.start(echo)
        work = check_work(adapter, echo)
        adapter.stop()
    start_s = adapter.start(spec)
    if not spec.upstream_h2:
        work = check_work(adapter, spec)
    if sc.name == "tls-handshake":
        work["resumed"] = resumes(spec)
    load = dict(sc.load)
    tool = load.pop("tool", "wrk")
    path = load.pop("path", "/")
    seconds = sc.seconds or ctx.seconds

    def once(seconds):
        if tool == "wrk":
            return loadgen.wrk(url_of(spec, path), seconds, **load)
        if tool == "openloop":
            return loadgen.openloop(spec.port, seconds=seconds, **load)
        args = dict(load)
        if args.get("body"):
            args["body"] = ctx.post_body
        return loadgen.h2load(url_of(spec, path), seconds,
                              logfile=os.path.join(ctx.rundir, "h2load.log"), **args)

    once(WARM)
    lines0 = log_lines(adapter, spec)
    rec = measured(ctx, adapter, lambda: once(seconds))
    if spec.workers > 1:
        del rec["cpu0_us_per_req"]  # the proxy was on both CPUs
    rec["work"] = work
    rec["start_s"] = round(start_s, 3)
    if spec.log:
        time.sleep(1.2)             # a buffered log needs its flush interval
        lines, size = log_size(adapter)
        rec["log_lines_per_req"] = round((lines - lines0) / rec["requests"], 3)
        rec["log_bytes_per_line"] = round(size / lines, 1) if lines else 0
    return rec


def log_size(adapter):
    lines = size = 0
    if os.path.exists(adapter.logfile()):
        with open(adapter.logfile(), "rb") as f:
            while chunk := f.read(1 << 20):
                lines += chunk.count(b"\n")
                size += len(chunk)
    return lines, size


def log_lines(adapter, spec):
    if not spec.log:
        return 0
    time.sleep(1.2)
    return log_size(adapter)[0]


def resumes(spec):
    """True if the proxy resumed a TLS session (the scenario wants none)."""
    ctx = client_tls()

    def once(session):
        with socket.create_connection(("127.0.0.1", spec.port), 5) as raw:
            with ctx.wrap_socket(raw, session=session) as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                s.recv(4096)
                return s.session, s.session_reused, s.cipher()
    session, _, _ = once(None)
    return bool(session is not None and once(session)[1])
