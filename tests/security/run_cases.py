#!/usr/bin/python3
"""Sends the hostile cases of cases.yaml to the proxy and judges what came of each.

usage: run_cases.py [GROUP ...] [--case ID] [--target sluice|nginx|haproxy] [--results FILE]
       run_cases.py --write-table docs/hostile-inputs.md

Each case goes over clear text and TLS, whole and split at every byte; floods whole only; those of
HTTP/2 also towards an upstream that speaks it, where the target can. One line per case. With a target other than sluice the exit code is 0: there it is a comparison. --results
leaves what came of each case as JSON; --write-table runs everything against all three.
"""
import argparse
import collections
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness"))
import cases         # noqa: E402
import h2_cases      # noqa: E402
import h2_flood_run  # noqa: E402
import h2_judge      # noqa: E402
import h2_observe    # noqa: E402
import h2_recorder   # noqa: E402
import judge         # noqa: E402
import observe       # noqa: E402
import result_table  # noqa: E402
import rig           # noqa: E402
import targets       # noqa: E402

Way = collections.namedtuple("Way", "name secure split to_h2", defaults=[False])
WAYS = [Way("clear", False, False), Way("clear/split", False, True), Way("tls", True, False),
        Way("tls/split", True, True)]
H2_WAYS = [*WAYS, Way("tls to h2", True, False, True), Way("tls/split to h2", True, True, True)]
FLOOD_WAYS = [way for way in WAYS if not way.split]
GROUPS = cases.GROUPS + h2_cases.GROUPS
RSS_GROWTH_KIB_MAX = 64 << 10 if not rig.SANITIZER else 512 << 10


def clean_request(target):
    """A clean request on a new connection gets 200."""
    target.up.on_head = None
    target.up.on_request = lambda c, q: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean"
    for secure in (False, True):
        with rig.h1.Client(target.host, target.tls if secure else target.clear,
                           tls=target.context if secure else None,
                           server_name="a.test" if secure else None) as client:
            answer = client.ask(rig.request("/clean"))
        if (answer.status, answer.body) != (200, b"clean"):
            return f"a clean request afterwards got {answer.status} {answer.body[:100]!r}"
    return None


class Tally:
    """How many messages were answered; the access log is held against it at the end."""

    def __init__(self):
        self.answered = self.own = 0

    def add(self, sending):
        for response in sending.answers()[0]:
            self.answered += 1
            self.own += response.status >= 400


def ways_of(case, target):
    if case.group == "h2-flood":
        return FLOOD_WAYS
    return H2_WAYS if case.group == "h2" and target.up_h2 else WAYS


def send_and_judge(target, case, way, tally):
    """(None or what went wrong, KiB the process grew by)"""
    before = target.rss_kib()
    if case.group == "h2-flood":
        problem, sending, grown = h2_flood_run.one(target, case, way.secure)
        tally.add(sending)
        return problem, grown
    observer, judged = (h2_observe, h2_judge) if case.group == "h2" else (observe, judge)
    seen = h2_recorder.beside(target) if way.to_h2 else target
    sending = observer.run(seen, case, way.secure, way.split)
    try:
        _, problem = judged.verdict(seen, case, sending)
        tally.add(sending)
    finally:
        sending.end()
    return problem, target.rss_kib() - before if target.running() else 0


def one(target, case, way, tally):
    """None, or what went wrong."""
    problem, grown = send_and_judge(target, case, way, tally)
    if not target.running():
        return "the process ended"
    problem = problem or clean_request(target)
    if problem is None and case.group in h2_cases.GROUPS:
        problem = h2_observe.clean_request(target)
    if problem is None and grown > RSS_GROWTH_KIB_MAX:
        problem = f"memory grew by {grown} KiB"
    return problem


def check_log(target, tally):
    """One valid JSON line per answered message, with a reason where the proxy refused."""
    if target.records is None:
        return None

    def enough():
        records = target.records()  # Raises ValueError on a line that is not JSON.
        refused = [r for r in records if r["status"] >= 400 and r.get("failure")]
        return len(records) >= tally.answered and bool(refused or not tally.own)
    try:
        rig.wait_for(f"{tally.answered} access records", enough)
    except (AssertionError, ValueError) as error:
        return f"access log: {error}"
    silent = [r for r in target.records() if r["status"] in (400, 408, 413, 414, 417, 431, 501, 502, 505)
              and r.get("upstream_ms") is None  # What an upstream answered is no refusal of ours.
              and not r.get("failure")]
    return f"access log: refused without a reason: {silent[:2]}" if silent else None


def run(target, chosen, first_only=False):
    """Prints a line for each case; (problems of each case that has some, by way; the tally)."""
    failed, tally = {}, Tally()
    for case in chosen:
        problems = {}
        for way in ways_of(case, target):
            try:
                problem = one(target, case, way, tally)
            except (OSError, AssertionError, rig.h1.Cut, rig.h1.Malformed, rig.h1.Gone) as error:
                problem = f"{type(error).__name__}: {error}"
            if problem:
                problems[way.name] = problem
            if not target.running() or (problem and first_only):
                break
        if problems:
            failed[case.id] = problems
            for way, problem in problems.items():
                print(f"not ok {case.group} {case.id} [{way}] {problem}")
        else:
            print(f"ok {case.group} {case.id}: {'/'.join(case.classes)}")
        sys.stdout.flush()
        if not target.running():
            break
    return failed, tally


def parsed():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", nargs="*")
    parser.add_argument("--case", action="append")
    parser.add_argument("--target", choices=targets.ALL, default="sluice")
    parser.add_argument("--results", metavar="FILE")
    parser.add_argument("--write-table", metavar="FILE")
    options = parser.parse_args()
    unknown = set(options.group) - set(GROUPS)
    if unknown:
        parser.error(f"no group {', '.join(unknown)}")
    groups = options.group or GROUPS
    chosen = cases.load(groups, options.case) + h2_cases.load(groups, options.case)
    if not chosen:
        parser.error("no such case")
    return options, chosen


def main():
    options, chosen = parsed()
    if options.write_table:
        return result_table.write(options.write_table, chosen)
    kit = rig.Rig()
    afterwards, failed = [], {}
    try:
        target = targets.ALL[options.target](kit)
        print(f"1..{len(chosen)} cases against {target.name}")
        failed, tally = run(target, chosen, first_only=bool(options.results))
        problem = check_log(target, tally) if target.running() else "the proxy ended"
        if problem:
            afterwards.append("afterwards")
            print("not ok " + problem)
        if failed or problem:
            kit.dump()
    finally:
        try:
            kit.close()
        except AssertionError as error:
            afterwards.append("at the end")
            print(f"not ok at the end: {error}")
    names = [*failed, *afterwards]
    print(f"{len(chosen) - len(failed)} of {len(chosen)} cases hold"
          + (f"; failed: {', '.join(names)}" if names else ""))
    if options.results:
        with open(options.results, "w", encoding="utf-8") as out:
            json.dump(failed, out)
    return 1 if names and options.target == "sluice" else 0


if __name__ == "__main__":
    sys.exit(main())
