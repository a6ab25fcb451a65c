"""What a file of results says: medians, who may be held against, and what must be remarked."""
OURS = ("sluice", "sluice-apply")
APART = (*OURS, "direct")           # Not a peer.

# A run is noisy, and is repeated, if the host took time away or strangers ran.  What the
# kernel charges to no task (wake-ups of an idle CPU) looks like a stranger: on a full
# CPU 0 it was never over 2.6 % in 141 runs, on one that is often idle it reached 4.6 %, and
# on CPU 1 it comes to 10 % and grows with the rate.  Hence three limits.
FULL, FOREIGN0_FULL, FOREIGN0_IDLE, FOREIGN_LIMIT = 95.0, 4.0, 10.0, 25.0
STEAL_LIMIT = 2.0

# The figure that ranks the proxies, in order of preference; lower is better.
RANK = ("reload_to_new_ms", "change_p50_ms", "bytes_per_conn", "cpu_us_per_req")
# Summed over the runs: a median hides them.
COUNTED = ("errors", "non2xx", "failed_probes", "reload_failed", "unseen", "stale_routes")


def noisy(rec):
    if not rec.get("requests") or "foreign_pct" not in rec:
        return False
    limit0 = FOREIGN0_FULL if rec["cpu0_busy_pct"] >= FULL else FOREIGN0_IDLE
    stranger0 = rec["foreign0_pct"] > limit0 and rec.get("cpu_us_per_req")
    return bool(rec["foreign_pct"] > FOREIGN_LIMIT or stranger0
                or rec.get("steal_pct", 0) > STEAL_LIMIT)


def entries(data, scenario):
    """{proxy: its entry} of those that ran."""
    found = data["scenarios"].get(scenario, {}).get("proxies", {})
    return {name: entry for name, entry in found.items() if entry.get("median")}


def total(entry, key):
    return sum(run.get(key) or 0 for run in entry["runs"])


def rank_of(rows):
    """The figure by which these entries are ranked."""
    return next((key for key in RANK if any(key in e["median"] for e in rows.values())), None)


# ---- like work ------------------------------------------------------------------------

def _counts(run):
    """Why a run's requests make it no measure: some failed, where nothing was changed meanwhile."""
    if "reloads" in run or "changes" in run:
        return      # There they are the measure.
    for key, words in (("errors", "failed"), ("non2xx", "answered other than 2xx"),
                       ("failed_probes", "probes failed"), ("stale_routes", "routes stayed old"),
                       ("reload_failed", "reloads refused")):
        if run.get(key):
            yield key, run[key], words
    if run.get("requests") == 0:
        yield "requests", 1, "runs without a request"


def _work(scenario, run):
    work = run.get("work", {})
    upstream = "HTTP/2.0" if scenario == "grpc-ish" else "HTTP/1.1"
    if work.get("error"):
        yield "no answer when asked what it does"
    if work.get("x_request_id") is False:
        yield "no X-Request-ID of each request's own"
    if work.get("x_forwarded_for") is False:
        yield "no X-Forwarded-For"
    if work.get("upstream_protocol", upstream) != upstream:
        yield f"{work['upstream_protocol']} to the upstream"
    if work.get("upstream_reused") is False:
        yield "upstream connections not reused"
    if work.get("resumed"):
        yield "TLS sessions resumed"
    if not 0.98 <= run.get("log_lines_per_req", 1) <= 1.02:
        yield f"{run['log_lines_per_req']:.2f} log lines a request"
    alive, _, held = run.get("sampled_alive", "").partition("/")
    if alive != held and held:
        yield f"{alive} of {held} idle connections alive"


def unfit(scenario, entry):
    """Why this proxy's figures are not like the others'; empty if they are."""
    counts = {}
    for run in entry["runs"]:
        for key, count, words in _counts(run):
            counts[key] = (counts.get(key, (0,))[0] + count, words)
    reasons = [f"{count:,} {words}" for count, words in counts.values()]
    for run in entry["runs"]:
        reasons += [reason for reason in _work(scenario, run) if reason not in reasons]
    return "; ".join(reasons)


def fit_peers(data, scenario):
    return {name: entry for name, entry in entries(data, scenario).items()
            if name not in APART and not unfit(scenario, entry)}


def best_peer(data, scenario, key):
    """(name, figure) of the peer with the least; None if none ran that does like work."""
    peers = [(entry["median"][key], name) for name, entry in fit_peers(data, scenario).items()
             if entry["median"].get(key)]
    return min(peers)[::-1] if peers else None


def ratios(one, other, key):
    """one's figure over other's, round by round."""
    a, b = by_round(one, key), by_round(other, key)
    return [a[i] / b[i] for i in sorted(a) if i in b]


def by_round(entry, key):
    """{round: figure}: a run that failed leaves a gap, which must not shift the others."""
    return {run.get("round", i): run[key] for i, run in enumerate(entry["runs"]) if run.get(key)}


# ---- remarks ----------------------------------------------------------------------------

def remarks(data, scenario, against=None):
    """[(proxy, what has to be said of it besides its figures)]."""
    rows = entries(data, scenario)
    rank = rank_of(rows)
    best = best_peer(data, scenario, rank)
    base = against if against in rows else best and best[0]
    out = []
    for name, entry in data["scenarios"][scenario]["proxies"].items():
        bits = []
        if name in rows:
            why = unfit(scenario, entry)
            if why:
                bits.append("NOT HELD AGAINST: " + why if name not in APART else why)
            if base and name not in (base, "direct"):
                pairs = ratios(entry, rows[base], rank)
                if pairs:
                    bits.append(f"ratio by round over {base} {min(pairs):.2f} to {max(pairs):.2f}"
                                + (", NO CLEAR DIFFERENCE" if min(pairs) <= 1 <= max(pairs) else ""))
            for key, word in (("errors", "errors"), ("non2xx", "non-2xx")):
                lost = [run.get(key, 0) for run in entry["runs"]]
                if any(lost):
                    bits.append(f"{word} in each run " + ", ".join(map(str, lost)))
            if any(run.get("last_config_served") is False for run in entry["runs"]):
                bits.append("the last configuration was not served in the end")
        if entry.get("stopped"):
            bits.append(entry["stopped"])
        if entry.get("discarded"):
            bits.append(f"{len(entry['discarded'])} noisy runs repeated")
        kept = sum(noisy(run) for run in entry.get("runs", []))
        if kept:
            bits.append(f"{kept} kept runs still noisy")
        if entry.get("failed"):
            word = "NOT MEASURED: " if name not in rows else f"FAILED {len(entry['failed'])}x: "
            bits.append(word + entry["failed"][0][:160].replace("\n", " "))
        if bits:
            out.append((name, "; ".join(bits)))
    return out
