"""BENCHMARKS.md: everything of a file of results, with the targets and why some are missed."""
import os
import re

from . import report, results, scaling, targets
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
    if any(res.get("hasty") for res in data["scenarios"].values()):
        yield "**Taken in haste, on a machine that was not quiet: the figures mean nothing.**"
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
    yield ""
    absent = _absent(data, seen)
    if absent:
        yield "Without a figure anywhere: " + "; ".join(absent) + "."


def _absent(data, seen):
    """[peer: why it has no median in any scenario]"""
    why = {}
    for res in data["scenarios"].values():
        for name, entry in res["proxies"].items():
            if name not in seen:
                reason = (entry.get("failed") or ["did not run"])[0].split("\n")[0]
                why.setdefault(name, reason if reason.startswith(name) else f"{name}: {reason}")
    return [why[name] for name in sorted(why)]


def _by_round(outcome):
    if len(outcome.rounds) < 2:
        return ""
    digits = 2 if max(outcome.rounds) < 10 else 1
    return f"{min(outcome.rounds):.{digits}f} to {max(outcome.rounds):.{digits}f}"


def _targets(data, explained):
    yield "## Targets"
    yield ""
    yield ("A peer is the best one only if it did like work there and no request of it failed; whoever was "
           "left out for that is named under the scenario. What Sluice itself lost or left undone counts as a "
           "miss, whatever its figure.")
    yield ""
    yield "| what | Sluice | best peer | target | reached | by round | |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    missed = []
    for target in targets.TARGETS:
        if isinstance(target, targets.Proof):
            yield (f"| {target.what} | not measured here | | {target.target} | | | proven by ctest "
                   f"`{target.test}` (`{target.case}`: {target.says}) |")
            continue
        outcome = target.judge(data)
        if outcome is None:
            yield f"| {target.what} | not measured | | | | | |"
            continue
        yield (f"| {target.what} | {outcome.ours} | {outcome.peer} | {outcome.text} | {outcome.reached} | "
               f"{_by_round(outcome)} | {outcome.verdict} |")
        if not outcome.met and target.scenario not in missed:
            missed.append(target.scenario)
    for scenario in missed:
        yield ""
        yield f"**{scenario}**: {explained.get(scenario, 'not explained yet.')}"


def _scenario(name, data):
    res = data["scenarios"][name]
    rows = results.entries(data, name)
    remarks = results.remarks(data, name)
    if not rows and not remarks:
        return
    yield ""
    yield f"### {name}"
    yield ""
    part = "" if res.get("complete", True) else " INTERRUPTED: these are the rounds it came to."
    yield f"{res['about']}. {report.length(res)}, {res.get('when', '')}.{part}"
    if rows:
        yield ""
        yield from _table(name, rows)
    if remarks:
        yield ""
    for proxy, text in remarks:
        yield f"- {proxy}: {text}"


def _table(name, rows):
    columns = [c for c in report.columns(name, rows)
               if c[0] not in ("calib_us", "cpu0_busy_pct", "cpu1_busy_pct")]
    rank = results.rank_of(rows)
    limits = any(entry.get("limit") for entry in rows.values())
    wander = any(entry.get("range_cpu_us_per_req") for entry in rows.values())
    yield ("| proxy | runs | " + " | ".join(c[1] for c in columns)
           + (" | CPU us/req, least to most" if wander else "") + (" | limited by" if limits else "") + " |")
    yield "| --- " * (len(columns) + 2 + wander + limits) + "|"
    for proxy, entry in sorted(rows.items(), key=lambda x: x[1]["median"].get(rank, 9e99)):
        cells = [str(len(entry["runs"]))]
        for key, _, digits in columns:
            value = report.cell(entry, key)
            cells.append("" if value is None else f"{value:,.{digits}f}")
        if wander:
            span = entry.get("range_cpu_us_per_req")
            cells.append(f"{span[0]:.2f} to {span[1]:.2f}" if span else "")
        if limits:
            cells.append(entry.get("limit", ""))
        yield f"| {proxy} | " + " | ".join(cells) + " |"


def render(data):
    lines = [HEAD, *_machine(data), "", *_targets(data, notes()), ""]
    lines += [*scaling.section(data), "", "## Every scenario"]
    for name in data["scenarios"]:
        lines += _scenario(name, data)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines) + "\n")
