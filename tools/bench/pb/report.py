"""What came of a scenario, as a table on the terminal."""

# A run is noisy, and is repeated, if the host took time away or strangers ran.  What the
# kernel charges to no task (wake-ups of an idle CPU) looks like a stranger: on a full
# CPU 0 it was never over 2.6 % in 141 runs, on one that is often idle it reached 4.6 %, and
# on CPU 1 it comes to 10 % and grows with the rate.  Hence three limits.
FULL, FOREIGN0_FULL, FOREIGN0_IDLE, FOREIGN_LIMIT = 95.0, 4.0, 10.0, 25.0
STEAL_LIMIT = 2.0


def noisy(rec):
    if not rec.get("requests") or "foreign_pct" not in rec:
        return False
    limit0 = FOREIGN0_FULL if rec["cpu0_busy_pct"] >= FULL else FOREIGN0_IDLE
    stranger0 = rec["foreign0_pct"] > limit0 and rec.get("cpu_us_per_req")
    return bool(rec["foreign_pct"] > FOREIGN_LIMIT or stranger0
                or rec.get("steal_pct", 0) > STEAL_LIMIT)


COLUMNS = [("rps", "rps", 0), ("gbit_per_s", "Gbit/s", 2), ("cpu_us_per_req", "CPU us/req", 2),
           ("cpu_us_per_mib", "CPU us/MiB", 1), ("p50_us", "p50 us", 0), ("p99_us", "p99 us", 0),
           ("p999_us", "p99.9 us", 0), ("bytes_per_conn", "B/conn", 0),
           ("reload_to_new_ms", "reload ms", 1), ("proxy_cpu_ms", "reload CPU ms", 1),
           ("start_s", "start s", 2), ("rss_before_kib", "RSS before KiB", 0),
           ("rss_kib", "RSS KiB", 0), ("pss_kib", "PSS KiB", 0), ("peak_pss_kib", "peak PSS KiB", 0),
           ("errors", "errors (sum)", 0), ("non2xx", "non-2xx (sum)", 0),
           ("failed_probes", "failed probes (sum)", 0),
           ("calib_us", "calib us", 2), ("cpu0_busy_pct", "CPU0 %", 0), ("cpu1_busy_pct", "CPU1 %", 0)]
# The figure that ranks the proxies, in order of preference; lower is better.
RANK = ("reload_to_new_ms", "bytes_per_conn", "cpu_us_per_req")
COUNTED = ("errors", "non2xx", "failed_probes")     # summed over the runs: a median hides them
START_ONLY = ("start_s",)


def show(name, res, against=None):
    rows = {n: dict(e["median"]) for n, e in res["proxies"].items() if e.get("median")}
    for n, m in rows.items():
        for k in COUNTED:
            if k in m:
                m[k] = sum(r[k] for r in res["proxies"][n]["runs"])
    print(f"\n### {name}: {res['about']}")
    print(f"{res['rounds']} rounds x {res['seconds']} s, {res.get('when', '')}"
          + (f", asked for {res['rate']} requests/s" if res.get("rate") else ""))
    if not rows:
        print("no result: " + "; ".join(f"{n}: {e['failed'][:1]}"
                                        for n, e in res["proxies"].items()))
        return
    peers = {n: m for n, m in rows.items() if n != "direct"}
    rank = next((k for k in RANK if any(k in m for m in peers.values())), None)
    base = None
    if rank and peers:
        base = against if against in peers else min(peers, key=lambda n: peers[n].get(rank, 9e99))
    cols = [c for c in COLUMNS if any(c[0] in m for m in rows.values())
            and not (c[0] in START_ONLY and not name.startswith(("reload", "routes")))]
    print("| proxy | " + " | ".join(c[1] for c in cols) + " | ratio | limited by |")
    print("|---" * (len(cols) + 3) + "|")
    for n, m in sorted(rows.items(), key=lambda x: x[1].get(rank, 9e99)):
        cells = [f"{m[k]:.{d}f}" if k in m else "" for k, _, d in cols]
        ratio = ""
        if n in peers and base and peers[base].get(rank) and rank in m:
            ratio = f"{m[rank] / peers[base][rank]:.2f}x"
        e = res["proxies"][n]
        print(f"| {n} | " + " | ".join(cells) + f" | {ratio} | {e.get('limit', '')} |")
    for n, e in res["proxies"].items():
        lo_hi = e.get("range_cpu_us_per_req")
        bits = []
        if lo_hi:
            bits.append(f"CPU us/req {lo_hi[0]:.2f} to {lo_hi[1]:.2f} over {len(e['runs'])} runs")
        pairs = []
        if base and n in peers and n != base:
            pairs = [a[rank] / b[rank] for a, b in zip(e["runs"], res["proxies"][base]["runs"])
                     if a.get(rank) and b.get(rank)]
        if pairs:
            bits.append(f"ratio by round {min(pairs):.2f} to {max(pairs):.2f}"
                        + (", NO CLEAR DIFFERENCE" if min(pairs) < 1 < max(pairs) else ""))
        lost = [r.get("errors", 0) for r in e["runs"]]
        if any(lost):
            bits.append("errors in each run " + ", ".join(map(str, lost)))
        if e["discarded"]:
            bits.append(f"{len(e['discarded'])} noisy runs repeated")
        if e["failed"]:
            bits.append(f"FAILED {len(e['failed'])}x: {e['failed'][0][:160]}")
        kept = sum(noisy(r) for r in e["runs"])
        if kept:
            bits.append(f"{kept} kept runs still noisy")
        if bits:
            print(f"- {n}: " + "; ".join(bits))
    if rank:
        print(f"Ratio: {dict((c[0], c[1]) for c in COLUMNS)[rank]} over {base}'s.")
