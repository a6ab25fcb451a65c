#!/usr/bin/python3
"""Sends the hostile cases of cases.yaml to the proxy and judges what came of each.

usage: run_cases.py [GROUP ...] [--case ID] [--target sluice|nginx|haproxy] [--results FILE]
       run_cases.py --write-table docs/hostile-inputs.md [--from FOLDER]

Each case goes over clear text and TLS, whole and split at every byte; floods whole only; those of
HTTP/2 also towards an upstream that speaks it, where the target can. One line per case. With a target
other than sluice the exit code is 0: there it is a comparison. --results
leaves what came of each case as JSON; --write-table runs everything, the scenarios of run_scenarios.py
with it, against all three, but for what --from has results of in files TARGET.ANY.json.
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
CLEAN_SOURCE = "127.255.0.1"
RSS_GROWTH_KIB_MAX = 64 << 10 if not rig.SANITIZER else 512 << 10


def clean_request(target, tally):
    """A clean request on a new connection gets 200."""
    target.up.on_head = None
    target.up.on_request = lambda c, q: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean"
    for secure in (False, True):
        with rig.h1.Client(target.host, target.tls if secure else target.clear,
                           tls=target.context if secure else None,
                           server_name="a.test" if secure else None,
                           source=(CLEAN_SOURCE, 0)) as client:
            answer = client.ask(rig.request("/clean"))
        tally.note(CLEAN_SOURCE, "clean requests", [answer])
        if (answer.status, answer.body) != (200, b"clean"):
            return f"a clean request afterwards got {answer.status} {answer.body[:100]!r}"
    return None


class Tally:
    """How many messages were answered, by the address that asked, which is a sending's own; the access
    log is held against it at the end."""

    def __init__(self):
        self.answered, self.who = collections.Counter(), {}

    def add(self, sending, case, way):
        self.note(sending.source, f"{case.id} [{way.name}]", sending.answers()[0])

    def note(self, source, who, responses):
        self.answered[source] += len(responses)
        self.who[source] = who

    def missing(self, records):
        """[(who asked, how many answers have no record)]"""
        lines = collections.Counter(record["peer"] for record in records)
        return [(self.who[source], count - lines[source])
                for source, count in self.answered.items() if lines[source] < count]


def ways_of(case, target):
    if case.group == "h2-flood":
        return FLOOD_WAYS
    return H2_WAYS if case.group == "h2" and target.up_h2 else WAYS


def send_and_judge(target, case, way, tally):
    """(None or what went wrong, KiB the process grew by)"""
    before = target.rss_kib()
    if case.group == "h2-flood":
        problem, sending, grown = h2_flood_run.one(target, case, way.secure)
        tally.add(sending, case, way)
        return problem, grown
    observer, judged = (h2_observe, h2_judge) if case.group == "h2" else (observe, judge)
    seen = h2_recorder.beside(target) if way.to_h2 else target
    sending = observer.run(seen, case, way.secure, way.split)
    try:
        _, problem = judged.verdict(seen, case, sending)
        tally.add(sending, case, way)
    finally:
        sending.end()
    return problem, target.rss_kib() - before if target.running() else 0


def one(target, case, way, tally):
    """None, or what went wrong."""
    problem, grown = send_and_judge(target, case, way, tally)
    if not target.running():
        return "the process ended"
    problem = problem or clean_request(target, tally)
    if problem is None and case.group in h2_cases.GROUPS:
        problem = h2_observe.clean_request(target)
    if problem is None and grown > RSS_GROWTH_KIB_MAX:
        problem = f"memory grew by {grown} KiB"
    return problem


def check_log(target, tally):
    """One valid JSON line per answered message of each sending, with a reason where the proxy refused."""
    if target.records is None:
        return None

    def complete():
        # Raises ValueError on a line that is not JSON. What finds the queue full in a flood is dropped,
        # and counted.
        missing = tally.missing(target.records())
        if sum(count for _, count in missing) > target.dropped_records():
            raise AssertionError(f"no record of an answer: {missing[:5]}")
        return True
    try:
        rig.wait_for(f"{sum(tally.answered.values())} access records", complete)
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
    parser.add_argument("--from", dest="folder", metavar="FOLDER")
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
        return result_table.write(options.write_table, options.folder)
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
            json.dump({case.id: failed.get(case.id, {}) for case in chosen}, out)
    return 1 if names and options.target == "sluice" else 0


if __name__ == "__main__":
    sys.exit(main())
