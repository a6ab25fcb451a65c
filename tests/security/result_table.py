"""docs/hostile-inputs.md: every case against Sluice and its peers, as they answer today."""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import cases
import h2_cases
import scenarios
import targets

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = """# Hostile inputs

What Sluice, nginx and HAProxy make of the cases in `tests/security/cases.yaml`, all before the same
strict upstreams. Written by `tests/security/run_cases.py --write-table docs/hostile-inputs.md`; nothing
here is written by hand except the notes in `result_table.py`.

{versions}

Taken on {date}. A case given as bytes is sent over clear text and TLS, whole and in single bytes (floods
whole only), the HTTP/2 cases to Sluice also on the way to an upstream that speaks HTTP/2. A case told in
words is played once by `run_scenarios.py`, those of the PROXY protocol in clear text and ahead of TLS.
A case passes when it is answered as the catalogue demands in each of these ways, the process lives, a
clean request afterwards gets 200, and memory stays bounded; Sluice's access log must besides have a line
for every answer. nginx and HAProxy run with the configurations in `tests/security/targets.py` and
`peer_sites.py`: the same routes, certificates and limits, otherwise the strictness they have by default.
What the catalogue demands is in places stricter than the RFCs, so a failure in their columns is not by
itself a vulnerability. A failure tells what the client saw, which requests the upstream had complete, and
how many bytes had reached it (raw).

{total} rows: the catalogue's {catalogue} cases, one of them in two forms. "2 of 3" passed means that only
3 were played against that program; the others say why in their row.

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
  connection only when its own timeout comes passes as well, since the catalogue asks for an end.
- `reject_status` asks that the connection closes unless the message was fully framed: over HTTP/1.1 a
  strict reader must find its end in the bytes, over HTTP/2 the client must have ended the stream, or else
  the proxy ends it.
- `jwt-hs-rs-confusion`, `jwt-expired`, `jwt-wrong-aud`, `jwt-kid-injection`, `basic-bad-base64`: these
  cases are right, and Sluice does not have what they test. No filter of it looks at credentials or
  tokens; `Authorization` goes to the upstream as it came, and it is the upstream's to judge. They will be
  played when there is such a filter.
- `extauth-down`, `extauth-header-spoof`, `extauth-path-differential`: likewise, Sluice asks no external
  authorizer. What could be confused without one is covered by others: `forwarded-spoof` and the client
  certificate's fields (clients cannot set what the proxy adds), the group path (one normal form for
  matching and forwarding).
- `tls-no-sni-mtls`, `tls-fragmented-clienthello`, `tls-ticket-cross-vhost`: nginx completes the handshake
  without a certificate and refuses the request by a 400, which counts as a refusal here.
- `tls-early-data-post`, `-get`: the flight is recorded on its way and sent a second time.
- `res-conn-flood-50000`: 50,000 connections are made one after the other against a limit of 200; held at
  once, where no limit keeps them out, are as many as the machine's descriptors allow both ends, 20,000 at
  most, from four addresses (one has some 28,000 ports). Another client's p99 is judged in both parts. The
  limit per address that the case names does not exist in Sluice. Not compared: nginx's limit_conn counts
  requests and not connections, HAProxy's maxconn leaves those beyond it waiting instead of closing them.
- `body-limit-chunked`: HAProxy has no limit for a body that comes without a length.
- The group grpc is played by `tests/integration/grpc_calls_test.py` against upstreams by script and
  Sluice's access log, and is not compared.
- `chunk-one-byte-x10000` compares the CPU time of the process by the kernel's count, the least of eight
  times ten requests each; sanitizer builds leave that part out.
- `retry-stale-pool`: once the upstream closes in answer to the second request of a connection, which is
  the worst moment; then it closes idle connections after 50 ms, and the next request comes up to 4 ms
  before or after that.
- `metrics-cardinality` and the JSON of `log-json-escape` are Sluice's alone: nginx and HAProxy are
  judged by their answers there."""


def _versions():
    def first(*argv):
        run = subprocess.run(argv, capture_output=True, text=True)
        return (run.stdout + run.stderr).strip().splitlines()[0]
    root = os.path.dirname(os.path.dirname(HERE))
    # The last that changed the proxy.
    commit = subprocess.run(["git", "-C", root, "log", "-1", "--format=%h", "--", "dataplane", "common",
                             "proto"], capture_output=True, text=True).stdout.strip()
    nginx = first("nginx", "-v").split("/")[-1]
    haproxy = re.search(r"version (\S+)", first("haproxy", "-v")).group(1)
    return {"sluice": f"Sluice at commit {commit}", "nginx": f"nginx {nginx}",
            "haproxy": f"HAProxy {haproxy}"}


class Row:
    """A scenario in the shape of a case."""

    def __init__(self, data):
        self.id, self.group, self.why = data["id"], data["group"], data["why"]


def rows():
    """Every case there is, group by group."""
    return cases.load() + [Row(data) for data in scenarios.load()] + h2_cases.load()


def _results(target, folder):
    """What came of every case, from the files of `folder`; what is not there yet is played now."""
    def found():
        merged = {}
        for path in sorted(glob.glob(os.path.join(folder, target + ".*.json"))):
            with open(path, encoding="utf-8") as f:
                merged.update(json.load(f))
        return merged
    have = found()
    for group in dict.fromkeys(row.group for row in rows() if row.id not in have):
        runner = "run_scenarios.py" if group in scenarios.GROUPS else "run_cases.py"
        subprocess.run([sys.executable, "-B", os.path.join(HERE, runner), "--target", target, "--results",
                        os.path.join(folder, f"{target}.{group}.json"), group], stdout=sys.stderr)
    return found()


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


def _cell(came):
    if not came:
        return "pass"
    return "not played: " + came["skip"] if "skip" in came else "fail: " + _short(came)


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
        cells = [_cell(results[name][case.id]) for name in names]
        lines.append(f"| `{case.id}` | {why} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _counts(chosen, results):
    lines, groups = [], list(dict.fromkeys(case.group for case in chosen))
    for group in [*groups, None]:
        members = [case.id for case in chosen if group in (None, case.group)]
        cells = []
        for came in results.values():
            played = [case for case in members if "skip" not in came[case]]
            passed = sum(1 for case in played if not came[case])
            cells.append(f"{passed}" if len(played) == len(members) else f"{passed} of {len(played)}")
        lines.append(f"| {group or 'all'} | {len(members)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def render(chosen, results, versions, date):
    head = HEAD.format(
        versions="\n".join(f"- {versions[name]}" for name in results), date=date,
        total=len(chosen), catalogue=len({getattr(case, "base_id", case.id) for case in chosen}),
        columns=" | ".join(results), rule=" --- |" * len(results), counts=_counts(chosen, results),
        notes=NOTES)
    return head + _table(chosen, results) + "\n"


def write(path, folder=None):
    """Plays everything that `folder` has no results of; one after the other, since floods side by side
    would measure each other."""
    with tempfile.TemporaryDirectory() as scratch:
        results = {name: _results(name, folder or scratch) for name in targets.ALL}
    with open(path, "w", encoding="utf-8") as out:
        out.write(render(rows(), results, _versions(), time.strftime("%Y-%m-%d")))
    return 0
