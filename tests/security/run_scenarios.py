#!/usr/bin/python3
"""Plays the cases of cases.yaml that are told in words, one line each.

usage: run_scenarios.py [GROUP ...] [--case ID] [--target sluice|nginx|haproxy] [--results FILE]

A case that cannot apply says why; one that has a test elsewhere says where. After each of the others
the proxy must live and serve a clean request; at the end its access log must be readable. With a target
other than sluice the exit code is 0: there it is a comparison. --results leaves what came of each case
as JSON: nothing where it holds, "skip" and why, or what went wrong.
"""
import argparse
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness"))
import peer_sites                # noqa: E402
import rig                       # noqa: E402
import scenario_site             # noqa: E402
import scenarios                 # noqa: E402
import scenarios_proxy_protocol  # noqa: E402,F401
import scenarios_resource        # noqa: E402,F401
import scenarios_tls             # noqa: E402,F401

SITES = {site.name: site for site in (scenario_site.SluiceSite, peer_sites.NginxSite,
                                      peer_sites.HaproxySite)}


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
    if site.records() is None:
        return None
    try:
        silent = [r for r in site.records()
                  if r["status"] >= 400 and r["path"] != "/admin" and not r.get("failure")]
    except ValueError as error:
        return f"access log: {error}"
    return f"access log: refused without a reason: {silent[:2]}" if silent else None


def run(site, chosen):
    """Prints a line for each case; what came of each, in the form of --results."""
    results = {}
    for data in chosen:
        name = f"{data['group']} {data['id']}"
        skipped = scenarios.why_not(data["id"], site.name)
        if skipped:
            print(f"skip {name}: {skipped}")
            results[data["id"]] = {"skip": skipped}
            continue
        problem = one(site, scenarios.RUN[data["id"]])
        results[data["id"]] = {"as told": problem} if problem else {}
        print(f"not ok {name} {problem}" if problem else f"ok {name}: {data['expect']}")
        sys.stdout.flush()
        if not site.running():
            break
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", nargs="*", help=", ".join(scenarios.GROUPS))
    parser.add_argument("--case", action="append")
    parser.add_argument("--target", choices=SITES, default="sluice")
    parser.add_argument("--results", metavar="FILE")
    options = parser.parse_args()
    unknown = set(options.group) - set(scenarios.GROUPS)
    chosen = scenarios.load(options.group or scenarios.GROUPS, options.case)
    if unknown or not chosen:
        parser.error(f"no group {', '.join(unknown)}" if unknown else "no such case")
    kit, failed, results = rig.Rig(), [], {}
    try:
        site = SITES[options.target](kit)
        print(f"1..{len(chosen)} cases against {site.name}")
        results = run(site, chosen)
        failed = [name for name, came in results.items() if "as told" in came]
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
    if options.results:
        with open(options.results, "w", encoding="utf-8") as out:
            json.dump(results, out)
    return 1 if failed and options.target == "sluice" else 0


if __name__ == "__main__":
    sys.exit(main())
