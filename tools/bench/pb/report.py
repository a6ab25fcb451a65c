"""What came of a scenario, as a table on the terminal."""
from . import results

COLUMNS = [("rps", "rps", 0), ("gbit_per_s", "Gbit/s", 2), ("cpu_us_per_req", "CPU us/req", 2),
           ("cpu_us_per_mib", "CPU us/MiB", 1), ("p50_us", "p50 us", 0), ("p99_us", "p99 us", 0),
           ("p999_us", "p99.9 us", 0), ("send_late_p99_us", "generator late p99 us", 0),
           ("bytes_per_conn", "B/conn", 0),
           ("changes", "changes", 0), ("reloads", "reloads", 0),
           ("change_p50_ms", "change p50 ms", 1), ("change_p99_ms", "p99 ms", 1),
           ("change_max_ms", "max ms", 1), ("told_p50_ms", "controller p50 ms", 0),
           ("told_p99_ms", "controller p99 ms", 0),
           ("reload_to_new_ms", "first new ms", 1), ("last_old_ms", "last old ms", 1),
           ("proxy_cpu_ms", "reload CPU ms", 1), ("start_s", "start s", 2),
           ("rss_before_kib", "RSS before KiB", 0), ("rss_kib", "RSS KiB", 0),
           ("rss_growth", "RSS ×", 2), ("side_rss_kib", "controller RSS KiB", 0),
           ("pss_kib", "PSS KiB", 0), ("peak_pss_kib", "peak PSS KiB", 0),
           ("errors", "errors (sum)", 0), ("non2xx", "non-2xx (sum)", 0),
           ("lost_per_change", "lost per change", 2), ("reload_failed", "refused (sum)", 0),
           ("unseen", "not in force in time (sum)", 0), ("stale_routes", "stale routes (sum)", 0),
           ("failed_probes", "failed probes (sum)", 0),
           ("calib_us", "calib us", 2), ("cpu0_busy_pct", "CPU0 %", 0), ("cpu1_busy_pct", "CPU1 %", 0)]
START_ONLY = ("start_s",)


def columns(name, rows):
    """Those of COLUMNS that these entries fill."""
    return [c for c in COLUMNS if any(c[0] in e["median"] for e in rows.values())
            and not (c[0] in START_ONLY and not name.startswith(("reload", "routes")))]


def cell(entry, key):
    """A figure of one proxy: the median over its runs, or their sum."""
    if key in results.COUNTED and key in entry["median"]:
        return results.total(entry, key)
    return entry["median"].get(key)


def length(res):
    return f"{res['rounds']} rounds" + (f" of {res['seconds']} s" if res.get("seconds") else "")


def show(name, data, against=None):
    res = data["scenarios"][name]
    rows = results.entries(data, name)
    print(f"\n### {name}: {res['about']}")
    print(f"{length(res)}, {res.get('when', '')}")
    if rows:
        table(name, data, rows, against)
    for proxy, text in results.remarks(data, name, against):
        print(f"- {proxy}: {text}")


def table(name, data, rows, against):
    rank = results.rank_of(rows)
    best = results.best_peer(data, name, rank)
    base = against if against in rows else best and best[0]
    cols = columns(name, rows)
    print("| proxy | " + " | ".join(c[1] for c in cols) + " | ratio | limited by |")
    print("|---" * (len(cols) + 3) + "|")
    for proxy, entry in sorted(rows.items(), key=lambda x: x[1]["median"].get(rank, 9e99)):
        cells = [f"{cell(entry, k):.{d}f}" if cell(entry, k) is not None else "" for k, _, d in cols]
        ratio = ""
        if base and proxy != "direct" and rows[base]["median"].get(rank) and rank in entry["median"]:
            ratio = f"{entry['median'][rank] / rows[base]['median'][rank]:.2f}x"
        print(f"| {proxy} | " + " | ".join(cells) + f" | {ratio} | {entry.get('limit', '')} |")
    if base:
        print(f"Ratio: {dict((c[0], c[1]) for c in COLUMNS)[rank]} over {base}'s.")
