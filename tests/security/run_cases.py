#!/usr/bin/python3
"""Sends the hostile cases of cases.yaml to the proxy and judges what came of each.

usage: run_cases.py [GROUP ...] [--case ID] [--target sluice|nginx|haproxy]

Each case goes over clear text and TLS, whole and split at every byte. One line per case. With a
target other than sluice the exit code is 0: there it is a comparison.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness"))
import cases    # noqa: E402
import judge    # noqa: E402
import observe  # noqa: E402
import rig      # noqa: E402
import targets  # noqa: E402

WAYS = [("clear", False, False), ("clear/split", False, True), ("tls", True, False),
        ("tls/split", True, True)]
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


def one(target, case, way, tally):
    """None, or what went wrong."""
    _, secure, split = way
    before = target.rss_kib()
    sending = observe.run(target, case, secure, split)
    try:
        held, why = judge.verdict(target, case, sending)
        tally.add(sending)
    finally:
        sending.end()
    if not target.running():
        return "the process ended"
    problem = why or clean_request(target)
    if problem is None and target.rss_kib() - before > RSS_GROWTH_KIB_MAX:
        problem = f"memory grew by {target.rss_kib() - before} KiB"
    del held
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


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", nargs="*")
    parser.add_argument("--case", action="append")
    parser.add_argument("--target", choices=targets.ALL, default="sluice")
    options = parser.parse_args()
    unknown = set(options.group) - set(cases.GROUPS)
    if unknown:
        parser.error(f"no group {', '.join(unknown)}")
    chosen = cases.load(options.group or cases.GROUPS, options.case)
    if not chosen:
        parser.error("no such case")
    kit = rig.Rig()
    failed, tally = [], Tally()
    try:
        target = targets.ALL[options.target](kit)
        print(f"1..{len(chosen)} cases against {target.name}, {len(WAYS)} ways each")
        for case in chosen:
            problems = {}
            for way in WAYS:
                try:
                    problem = one(target, case, way, tally)
                except (OSError, AssertionError, rig.h1.Cut, rig.h1.Malformed, rig.h1.Gone) as error:
                    problem = f"{type(error).__name__}: {error}"
                if problem:
                    problems[way[0]] = problem
                if not target.running():
                    break
            if problems:
                failed.append(case.id)
                for way, problem in problems.items():
                    print(f"not ok {case.group} {case.id} [{way}] {problem}")
            else:
                print(f"ok {case.group} {case.id}: {'/'.join(case.classes)}")
            sys.stdout.flush()
            if not target.running():
                break
        problem = check_log(target, tally) if target.running() else "the proxy ended"
        if problem:
            failed.append("afterwards")
            print("not ok " + problem)
        if failed:
            kit.dump()
    finally:
        try:
            kit.close()
        except AssertionError as error:
            failed.append("at the end")
            print(f"not ok at the end: {error}")
    print(f"{len(chosen) - len([f for f in failed if f in {c.id for c in chosen}])} of {len(chosen)} "
          f"cases hold" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed and options.target == "sluice" else 0


if __name__ == "__main__":
    sys.exit(main())
