#!/usr/bin/python3
"""Plays the cases of cases.yaml that are told in words, one line each.

usage: run_scenarios.py [GROUP ...] [--case ID]

A case that cannot apply says why; one that has a test elsewhere says where. After each of the others
the proxy must live and serve a clean request; at the end its access log must be readable.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness"))
import rig                       # noqa: E402
import scenario_site             # noqa: E402
import scenarios                 # noqa: E402
import scenarios_proxy_protocol  # noqa: E402,F401
import scenarios_resource        # noqa: E402,F401
import scenarios_tls             # noqa: E402,F401


def one(site, play):
    """None, or what went wrong."""
    site.forget()
    try:
        problem = play(site)
        if not site.running():
            return "the process ended"
        return problem or site.clean()
    except (OSError, AssertionError, rig.h1.Cut, rig.h1.Malformed, rig.h1.Gone) as error:
        return f"{type(error).__name__}: {error}"


def check_log(site):
    try:
        silent = [r for r in site.proxy.access_records()
                  if r["status"] >= 400 and r["path"] != "/admin" and not r.get("failure")]
    except ValueError as error:
        return f"access log: {error}"
    return f"access log: refused without a reason: {silent[:2]}" if silent else None


def run(site, chosen):
    """Prints a line for each case; the ids of those that do not hold."""
    failed = []
    for data in chosen:
        name = f"{data['group']} {data['id']}"
        if data["id"] in scenarios.NOT_TODAY:
            print(f"skip {name}: {scenarios.NOT_TODAY[data['id']]}")
            continue
        if data["id"] in scenarios.ELSEWHERE:
            print(f"skip {name}: see {scenarios.ELSEWHERE[data['id']]}")
            continue
        problem = one(site, scenarios.RUN[data["id"]])
        if problem:
            failed.append(data["id"])
        print(f"not ok {name} {problem}" if problem else f"ok {name}: {data['expect']}")
        sys.stdout.flush()
        if not site.running():
            break
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", nargs="*", help=", ".join(scenarios.GROUPS))
    parser.add_argument("--case", action="append")
    options = parser.parse_args()
    unknown = set(options.group) - set(scenarios.GROUPS)
    chosen = scenarios.load(options.group or scenarios.GROUPS, options.case)
    if unknown or not chosen:
        parser.error(f"no group {', '.join(unknown)}" if unknown else "no such case")
    kit, failed = rig.Rig(), []
    try:
        site = scenario_site.Site(kit)
        print(f"1..{len(chosen)} cases")
        failed = run(site, chosen)
        problem = check_log(site) if site.running() else "the proxy ended"
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
    print(f"failed: {', '.join(failed)}" if failed else "every case that applies holds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
