"""docs/hostile-inputs.md: every case against Sluice and its peers, as they answer today."""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import targets

HEAD = """# Hostile inputs

What Sluice, nginx and HAProxy make of the cases in `tests/security/cases.yaml`, all before the same
strict HTTP/1.1 upstream. Written by `tests/security/run_cases.py --write-table
docs/hostile-inputs.md`; nothing here is written by hand except the notes in `result_table.py`.

{versions}

Taken on {date}. A case passes when it is answered as the catalogue demands over clear text and TLS,
whole and in single bytes (floods whole only; HTTP/2 in Sluice's column also towards an upstream that
speaks it), the process lives, a clean request afterwards gets
200, and memory stays bounded. nginx and HAProxy run with the configurations in
`tests/security/targets.py`: the same routes, the strictness they have by default. What the catalogue
demands is in places stricter than the RFCs, so a failure in their columns is not by itself a
vulnerability. A failure tells what the client saw, which requests the upstream had complete, and how
many bytes had reached it (raw).

| group | cases | {columns} |
| --- | --- |{rule}
{counts}

## Notes on the catalogue

{notes}
"""
NOTES = """- A connection error counts as a stream error where its code is the right one: "an endpoint MAY
  choose to treat a stream error as a connection error" (RFC 9113 section 5.4.1). nghttp2 does so for
  a WINDOW_UPDATE of 0 on a stream (`h2-wu-zero-stream`) and for frames behind END_STREAM.
- `h2-headers-lower-id` may end with PROTOCOL_ERROR (section 5.1.1) or STREAM_CLOSED (section 5.1):
  the lower stream is closed by the higher one, and both rules then apply.
- `h2-flood-max-streams` and `h2-flood-upload-window-hog` are judged by their notes, not by their
  class: RFC 9113 section 5.1.2 makes a stream too many an error of that stream, and a slow upload is
  no abuse as long as others proceed. Ending the connection passes the first one, too.
- The other client of a flood asks for what the proxy answers by itself; its p99 may reach 100 ms or
  twice what it was without the flood, whichever is more, since all of it shares one machine.
- `h2-flood-slow-continuation`, `-ping`, `-settings`, `-unread-socket`: a peer that ends such a
  connection only when its own timeout comes passes as well, since the catalogue asks for an end."""


def _versions():
    def first(*argv):
        run = subprocess.run(argv, capture_output=True, text=True)
        return (run.stdout + run.stderr).strip().splitlines()[0]
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(os.path.dirname(here))
    # The last that changed the proxy.
    commit = subprocess.run(["git", "-C", root, "log", "-1", "--format=%h", "--", "dataplane", "common",
                             "proto"], capture_output=True, text=True).stdout.strip()
    nginx = first("nginx", "-v").split("/")[-1]
    haproxy = re.search(r"version (\S+)", first("haproxy", "-v")).group(1)
    return {"sluice": f"Sluice at commit {commit}", "nginx": f"nginx {nginx}",
            "haproxy": f"HAProxy {haproxy}"}


def _run(target, results, chosen):
    """What the runner says of one target, by case."""
    argv = [sys.executable, "-B", os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                               "run_cases.py"),
            "--target", target, "--results", results, *sorted({case.group for case in chosen})]
    for case in chosen:
        argv += ["--case", case.base_id]
    subprocess.run(argv, stdout=sys.stderr)
    with open(results, encoding="utf-8") as f:
        return json.load(f)


def _short(problems):
    """One line, without what is a matter of chance, for people."""
    way, problem = next(iter(problems.items()))
    text = re.sub(r"\s+", " ", problem)
    # What was seen says more than which demands it misses.
    text = re.sub(r"^.*client saw", "client saw", text)
    text = f"{text} ({way})"
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    if len(text) > 170:
        text = text[:160].rstrip() + f"... ({way})"
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("`", "'").replace("<", "&lt;")


def _table(chosen, results):
    names = list(results)
    lines = []
    group = None
    for case in chosen:
        if case.group != group:
            group = case.group
            lines += ["", f"## {group}", "", "| case | why | " + " | ".join(names) + " |",
                      "| --- | --- |" + " --- |" * len(names)]
        why = re.sub(r"\s+", " ", case.why).replace("|", "\\|")
        cells = ["pass" if case.id not in results[name] else "fail: " + _short(results[name][case.id])
                 for name in names]
        lines.append(f"| `{case.id}` | {why} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _counts(chosen, results):
    lines, groups = [], list(dict.fromkeys(case.group for case in chosen))
    for group in [*groups, None]:
        members = [case.id for case in chosen if group in (None, case.group)]
        passed = [str(sum(1 for case in members if case not in failed))
                  for failed in results.values()]
        lines.append(f"| {group or 'all'} | {len(members)} | " + " | ".join(passed) + " |")
    return "\n".join(lines)


def render(chosen, results, versions, date):
    head = HEAD.format(
        versions="\n".join(f"- {versions[name]}" for name in results), date=date,
        columns=" | ".join(results), rule=" --- |" * len(results), counts=_counts(chosen, results),
        notes=NOTES)
    return head + _table(chosen, results) + "\n"


def write(path, chosen):
    # One after the other: floods side by side would measure each other.
    with tempfile.TemporaryDirectory() as folder:
        results = {name: _run(name, os.path.join(folder, name), chosen) for name in targets.ALL}
    with open(path, "w", encoding="utf-8") as out:
        out.write(render(chosen, results, _versions(), time.strftime("%Y-%m-%d")))
    return 0
