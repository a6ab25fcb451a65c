"""BENCHMARKS.md: everything of a file of results, with the targets and why some are missed."""
import os
import re

from . import report, targets
from .adapter import HERE

HEAD = """# Benchmarks

Written by `tools/bench/peerbench report FILE --write BENCHMARKS.md`; what is said about missed targets
stands in `tools/bench/notes.md`. How each figure is taken, and what it cannot tell, is in
`tools/bench/README.md`.

Every proxy has one worker on a CPU of its own, load and backend on the other; all proxies of a table ran in
turn in the same rounds, and figures are medians over the rounds. The machine's speed wanders by 10 to 30 %
within hours: ratios within a table mean something, figures of different tables do not compare.
"""


def notes(folder=HERE):
    """{scenario: text} of notes.md."""
    with open(os.path.join(folder, "notes.md"), encoding="utf-8") as f:
        parts = re.split(r"^## (\S+)\n", f.read(), flags=re.M)
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2])}


def _machine(data):
    machine = data["machine"]
    whens = sorted(res["when"] for res in data["scenarios"].values() if res.get("when"))
    yield (f"Machine: {machine['cpus']} × {machine['cpu']}, Linux {machine['kernel']}, "
           f"TCP congestion control {machine['tcp_congestion_control']}.")
    if whens:
        yield f"Taken from {whens[0]} to {whens[-1]}."
    yield ""
    seen = {}
    for res in data["scenarios"].values():
        for name, entry in res["proxies"].items():
            if entry.get("runs"):
                seen[name] = (entry.get("version", ""), entry.get("note", ""))
    yield "| proxy | version | configuration |"
    yield "| --- | --- | --- |"
    for name, (version, note) in sorted(seen.items()):
        yield f"| {name} | {version} | {note} |"


def _targets(data, explained):
    yield "## Targets"
    yield ""
    yield "| what | Sluice | best peer | target | reached | |"
    yield "| --- | --- | --- | --- | --- | --- |"
    missed = []
    for target in targets.TARGETS:
        outcome = target.judge(data)
        if outcome is None:
            yield f"| {target.what} | not measured | | | | |"
            continue
        reached = f"{outcome.value:.2f} ×" if "×" in outcome.text else outcome.ours
        yield (f"| {target.what} | {outcome.ours} | {outcome.peer} | {outcome.text} | {reached} | "
               f"{'met' if outcome.met else 'missed'} |")
        if not outcome.met and target.scenario not in missed:
            missed.append(target.scenario)
    for scenario in missed:
        yield ""
        yield f"**{scenario}**: {explained.get(scenario, 'not explained yet.')}"


def _scenario(name, res):
    rows = {proxy: entry for proxy, entry in res["proxies"].items() if entry.get("median")}
    if not rows:
        return
    medians = {proxy: entry["median"] for proxy, entry in rows.items()}
    columns = [column for column in report.COLUMNS
               if any(column[0] in median for median in medians.values())
               and column[0] not in ("calib_us", "cpu0_busy_pct", "cpu1_busy_pct")]
    rank = next((k for k in report.RANK if any(k in m for m in medians.values())), None)
    yield ""
    yield f"### {name}"
    yield ""
    rate = f", {res['rate']} requests/s asked for" if res.get("rate") else ""
    yield f"{res['about']}. {res['rounds']} rounds of {res['seconds']} s{rate}, {res.get('when', '')}."
    yield ""
    yield "| proxy | " + " | ".join(c[1] for c in columns) + " | CPU us/req, least to most |"
    yield "| --- " * (len(columns) + 2) + "|"
    for proxy, median in sorted(medians.items(), key=lambda x: x[1].get(rank, 9e99)):
        cells = []
        for key, _, digits in columns:
            value = median.get(key)
            if key in report.COUNTED and key in median:
                value = sum(run.get(key, 0) for run in rows[proxy]["runs"])
            cells.append("" if value is None else f"{value:,.{digits}f}")
        wander = rows[proxy].get("range_cpu_us_per_req")
        cells.append(f"{wander[0]:.2f} to {wander[1]:.2f}" if wander else "")
        yield f"| {proxy} | " + " | ".join(cells) + " |"


def render(data):
    lines = [HEAD, *_machine(data), "", *_targets(data, notes()), "", "## Every scenario"]
    for name, res in data["scenarios"].items():
        lines += _scenario(name, res)
    return "\n".join(lines) + "\n"
