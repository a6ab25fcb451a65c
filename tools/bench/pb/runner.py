"""Runs scenarios: interleaved rounds, freshly started proxies, noisy runs again."""
import contextlib
import fcntl
import os
import statistics
import subprocess
import sys
import time

from . import measure, plan, results
from .backend import Backend

RETRIES = 3


class Context:
    """What all runs share: folder, certificates, seconds; the backend of the round."""


@contextlib.contextmanager
def lock(path):
    """An exclusive flock(2) on `path`, the same that flock(1) takes."""
    if not path:
        yield
        return
    with open(path, "a") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def make_cert(folder, name=""):
    cert, key = (os.path.join(folder, f"{part}{name}.pem") for part in ("cert", "key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                    "/CN=bench.test", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def say(text):
    print(text, file=sys.stderr, flush=True)


def median_of(runs):
    out = {}
    for k in runs[0]:
        vals = [r.get(k) for r in runs]
        if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in vals):
            out[k] = round(statistics.median(vals), 3)
    return out


def spread(runs, key):
    vals = [r[key] for r in runs if r.get(key) is not None]
    return [min(vals), max(vals)] if vals else None


def most_common(xs):
    return max(set(xs), key=xs.count) if xs else ""


def brief(rec):
    keys = ("rps", "cpu_us_per_req", "cpu_us_per_mib", "gbit_per_s", "p99_us", "rss_kib",
            "bytes_per_conn", "reload_to_new_ms", "change_p50_ms", "change_p99_ms", "changes", "errors",
            "non2xx", "cpu0_busy_pct", "cpu1_busy_pct", "foreign_pct", "steal_pct", "calib_us")
    return " ".join(f"{k}={rec[k]}" for k in keys if rec.get(k) is not None)


class Group:
    """Scenarios whose rounds take turns; see Scenario.group."""

    def __init__(self, ctx, chosen, classes, rounds):
        self.ctx, self.chosen = ctx, chosen
        self.rounds = {sc.name: plan.rounds_of(sc, rounds) for sc in chosen}
        self.results, self.order = {}, {}
        when = time.strftime("%Y-%m-%d %H:%M")
        for sc in chosen:
            res = {"about": sc.about, "rounds": 0, "when": when,
                   # What takes as long as it takes has no measured seconds.
                   "seconds": 0 if sc.takes else sc.seconds or ctx.seconds,
                   "group": f"{sc.group} {when}", "complete": False, "proxies": {}}
            if measure.HASTY:
                res["hasty"] = True
            self.results[sc.name], self.order[sc.name] = res, []
            for cls in classes:
                if not sc.wants(cls):
                    continue
                a = cls(ctx.rundir)
                why = a.available()
                res["proxies"][cls.name] = {"version": "" if why else a.version(), "note": cls.note,
                                            "runs": [], "discarded": [], "failed": [why] if why else []}
                if not why:
                    self.order[sc.name].append(cls)

    def run(self, done):
        """Calls done(name, result) after each round of each scenario."""
        for i in range(max(self.rounds.values())):
            for sc in self.chosen:
                if i >= self.rounds[sc.name]:
                    continue
                order, res = self.order[sc.name], self.results[sc.name]
                turn = i % len(order) if order else 0
                with lock(self.ctx.lock):
                    one_round(self.ctx, sc, i, order[turn:] + order[:turn], res)
                res["rounds"] = i + 1
                res["complete"] = i + 1 == self.rounds[sc.name]
                summarise(res)
                if i + 1 == plan.TRIED_ROUNDS and not res["complete"]:
                    self.drop_the_far_off(sc)
                done(sc.name, res)

    def drop_the_far_off(self, sc):
        """The rounds that are left are for those that can still be the best peer."""
        res = self.results[sc.name]
        rows = {n: e for n, e in res["proxies"].items() if e.get("median")}
        rank = results.rank_of(rows)
        peers = {n: e for n, e in rows.items()
                 if n not in results.APART and not results.unfit(sc.name, e)}
        for name, entry in rows.items():
            others = [e for n, e in peers.items() if n != name]
            if name in plan.ALWAYS or not plan.far_off(entry, others, rank):
                continue
            entry["stopped"] = (f"only {len(entry['runs'])} rounds: over {plan.FAR_OFF} × another peer's "
                                "figure in each of them")
            self.order[sc.name] = [c for c in self.order[sc.name] if c.name != name]


def summarise(res):
    for entry in res["proxies"].values():
        if entry["runs"]:
            entry["median"] = median_of(entry["runs"])
            for key in ("cpu_us_per_req", "rps"):
                entry["range_" + key] = spread(entry["runs"], key)
            entry["limit"] = most_common([r["limit"] for r in entry["runs"] if "limit" in r])


def one_round(ctx, sc, i, order, result):
    """Every proxy once, under the lock; a different one goes first in each round."""
    ctx.backend = Backend(ctx.rundir).start()
    try:
        for cls in order:
            entry = result["proxies"][cls.name]
            rec = quiet_run(ctx, sc, cls, entry)
            if rec:
                rec["round"] = i
                entry["runs"].append(rec)
            say(f"  {sc.name} round {i + 1} {cls.name:15} "
                + (brief(rec) if rec else "FAILED: " + entry["failed"][-1][:120]))
    finally:
        ctx.backend.stop()


def quiet_run(ctx, sc, cls, entry):
    """The record of a run that nobody disturbed, or of the least disturbed; None if it failed."""
    tries = []
    for attempt in range(1 if measure.HASTY else RETRIES + 1):
        a = cls(ctx.rundir)
        try:
            measure.wait_quiet()
            rec = sc.run(ctx, a, sc)
        except (RuntimeError, OSError, subprocess.SubprocessError) as e:
            entry["failed"].append(str(e).replace(ctx.rundir, "<run dir>")[:400])
            rec = None
        finally:
            a.stop()
            clean(a)
        if rec is None or not results.noisy(rec):
            entry["discarded"] += tries
            return rec
        tries.append(rec)
    tries.sort(key=lambda r: r.get("foreign_pct", 0))
    entry["discarded"] += tries[1:]
    return tries[0]


def clean(a):
    for path in (a.logfile(), a.stdout_path()):
        if os.path.exists(path):
            os.unlink(path)
