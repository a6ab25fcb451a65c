#!/usr/bin/python3
"""The page of results: who is the best peer, which targets are met, what is said of the others."""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from pb import page, plan, results, scaling, scenarios, targets  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
SMALL = "CPU per request, HTTP/1.1 keep-alive, small"


def entry(*runs, **figures):
    """An entry of two like runs, or of those given, on top of `figures`."""
    runs = [{**figures, **run} for run in runs] or [figures, figures]
    return {"version": "1", "note": "as it comes", "runs": runs, "median": runs[0],
            "failed": [], "discarded": []}


def absent(why):
    return {"version": "", "note": "", "runs": [], "discarded": [], "failed": [why]}


def file_of(**by_scenario):
    return {"machine": {"cpu": "some", "cpus": 2, "kernel": "6", "tcp_congestion_control": "reno"},
            "scenarios": {name.replace("_", "-"): {
                "about": "about it", "rounds": 2, "seconds": 5, "when": "2026-01-01 00:00",
                "proxies": proxies} for name, proxies in by_scenario.items()}}


def outcome(what, data, scenario=None):
    return next(t for t in targets.TARGETS if t.what == what
                and scenario in (None, getattr(t, "scenario", None))).judge(data)


class BestPeerTest(unittest.TestCase):
    def best(self, **proxies):
        return results.best_peer(file_of(h1_small=proxies), "h1-small", "cpu_us_per_req")

    def test_it_is_neither_ours_nor_the_floor(self):
        got = self.best(sluice=entry(cpu_us_per_req=1), direct=entry(cpu_us_per_req=0.1),
                        nginx=entry(cpu_us_per_req=9), nginx_x=entry(cpu_us_per_req=7),
                        broken=absent("no"), **{"sluice-apply": entry(cpu_us_per_req=2)})
        self.assertEqual(got, ("nginx_x", 7))

    def test_one_that_failed_requests_is_passed_over(self):
        for lost in ({"errors": 1}, {"non2xx": 1}):
            got = self.best(nginx=entry(cpu_us_per_req=9),
                            haproxy=entry(lost, {}, cpu_us_per_req=7))
            self.assertEqual(got, ("nginx", 9))

    def test_one_that_does_unlike_work_is_passed_over(self):
        like = {"x_request_id": True, "x_forwarded_for": True, "upstream_protocol": "HTTP/1.1",
                "upstream_reused": True}
        for unlike in ({"x_request_id": False}, {"x_forwarded_for": False}, {"resumed": True},
                       {"upstream_protocol": "HTTP/1.0"}, {"upstream_reused": False}):
            got = self.best(nginx=entry(cpu_us_per_req=9, work=like),
                            haproxy=entry(cpu_us_per_req=7, work={**like, **unlike}))
            self.assertEqual(got, ("nginx", 9), unlike)
        self.assertEqual(self.best(nginx=entry(cpu_us_per_req=9), haproxy=entry(
            cpu_us_per_req=7, log_lines_per_req=0.5)), ("nginx", 9))
        self.assertEqual(self.best(haproxy=entry(cpu_us_per_req=7, work=like)), ("haproxy", 7))

    def test_requests_lost_by_changes_are_the_measure_and_no_fault(self):
        self.assertEqual(results.unfit("reload-under-load", entry(errors=30, reloads=10)), "")
        self.assertEqual(results.unfit("changes-under-load", entry(errors=30, changes=10)), "")

    def test_the_grpc_upstream_speaks_http2(self):
        self.assertEqual(results.unfit("grpc-ish", entry(work={"upstream_protocol": "HTTP/2.0"})), "")


class TargetsTest(unittest.TestCase):
    def test_a_ratio_is_met_or_missed_by_so_much(self):
        for ours, verdict in ((9.0, "met"), (9.9, "missed by 10.0 %")):
            data = file_of(h1_small={"sluice": entry(cpu_us_per_req=ours),
                                     "nginx": entry(cpu_us_per_req=10)})
            self.assertEqual(outcome(SMALL, data).verdict, verdict)

    def test_rounds_that_say_otherwise_are_told(self):
        nginx = entry(cpu_us_per_req=10)
        for runs, verdict in (((8.9, 9.5), "met, not in every round"),
                              ((9.5, 8.9), "missed by 5.6 %, met in some rounds")):
            ours = entry(*({"cpu_us_per_req": x} for x in runs))
            data = file_of(h1_small={"sluice": ours, "nginx": nginx})
            self.assertEqual(outcome(SMALL, data).verdict, verdict)

    def test_a_failed_run_does_not_shift_the_rounds(self):
        one = entry({"round": 0, "f": 10}, {"round": 2, "f": 30})
        other = entry({"round": 0, "f": 10}, {"round": 1, "f": 20}, {"round": 2, "f": 30})
        self.assertEqual(results.ratios(one, other, "f"), [1, 1])

    def test_our_own_errors_are_a_miss(self):
        data = file_of(h1_small={"sluice": entry(cpu_us_per_req=1, errors=2),
                                 "nginx": entry(cpu_us_per_req=10)})
        self.assertFalse(outcome(SMALL, data).met)
        self.assertEqual(outcome(SMALL, data).verdict, "missed: 4 failed")

    def test_what_did_not_run_is_not_judged(self):
        for target in targets.TARGETS:
            if isinstance(target, targets.Target):
                self.assertIsNone(target.judge(file_of()), target.what)
                self.assertIsNone(target.judge(file_of(h1_small={"nginx": entry(cpu_us_per_req=1)})))

    def test_routes_are_compared_round_by_round_where_they_took_turns(self):
        one = entry({"cpu_us_per_req": 10}, {"cpu_us_per_req": 20}, {"cpu_us_per_req": 10})
        many = entry({"cpu_us_per_req": 10.4}, {"cpu_us_per_req": 20.8}, {"cpu_us_per_req": 15})
        data = file_of(routes_1={"sluice": one}, routes_10000={"sluice": many})
        what = "10,000 routes against 1"
        for name in data["scenarios"]:
            data["scenarios"][name]["group"] = "routes at noon"
        self.assertAlmostEqual(outcome(what, data).value, 1.04)
        self.assertEqual(outcome(what, data).verdict, "met, not in every round")
        data["scenarios"]["routes-1"]["group"] = "routes in the morning"
        self.assertEqual(outcome(what, data).rounds, [])

    def test_memory_per_route(self):
        data = file_of(routes_1={"sluice": entry(rss_kib=1000, cpu_us_per_req=10)},
                       routes_10000={"sluice": entry(rss_kib=1000 + 9999 * 2, cpu_us_per_req=11)})
        self.assertEqual(outcome("memory per route", data).value, 2048)
        self.assertTrue(outcome("memory per route", data).met)
        self.assertFalse(outcome("10,000 routes against 1", data).met)

    def test_each_target_names_a_scenario(self):
        for target in targets.TARGETS:
            if isinstance(target, targets.Target):
                self.assertIn(target.scenario, scenarios.table())

    def test_each_proof_is_there(self):
        for proof in targets.TARGETS:
            if isinstance(proof, targets.Proof):
                with open(os.path.join(ROOT, proof.file), encoding="utf-8") as f:
                    body = f.read().partition(f"def {proof.case}(")[2].partition("\n    def ")[0]
                self.assertIn("snapshot_bytes_sent", body)
                self.assertIn("1024", body)


class ChangesTest(unittest.TestCase):
    LOST = "lost while route, endpoint and certificate changes apply under load"
    GOOD = dict(changes=1000, errors=0, non2xx=0, reload_failed=0, unseen=0, last_config_served=True)

    def lost(self, apply=None, watched=None, **more):
        proxies = {"sluice-apply": entry(**{**self.GOOD, **(apply or {})}),
                   "sluice": entry(**{**self.GOOD, "changes": 100, **(watched or {})}), **more}
        return outcome(self.LOST, file_of(changes_under_load=proxies))

    def test_nothing_lost(self):
        self.assertEqual(self.lost().verdict, "met")
        nginx = entry(changes=50, errors=100, non2xx=0)
        self.assertEqual(self.lost(nginx=nginx).peer, "nginx 2.00 a reload")

    def test_whatever_went_wrong_counts_of_both_ways_to_change(self):
        for bad in ({"errors": 1}, {"non2xx": 1}, {"reload_failed": 1}, {"unseen": 1},
                    {"last_config_served": False}):
            for way in ("apply", "watched"):
                got = self.lost(**{way: bad})
                self.assertEqual((got.value, got.verdict), (2, "missed"), bad)
        self.assertEqual(self.lost({"errors": 1, "changes": 9}).verdict,
                         "missed; fewer than 1,000 changes")

    def test_fewer_changes_than_asked_for_prove_nothing(self):
        self.assertEqual(self.lost(apply={"changes": 999}).verdict, "missed: fewer than 1,000 changes")

    def test_one_way_alone_proves_nothing(self):
        data = file_of(changes_under_load={"sluice-apply": entry(**self.GOOD)})
        self.assertEqual(outcome(self.LOST, data).verdict, "missed: sluice did not run")

    def test_time_and_memory_of_a_whole_table(self):
        data = file_of(reload_time_10000={
            "sluice-apply": entry(reload_to_new_ms=94, rss_before_kib=100, rss_kib=150),
            "sluice": entry({"rss_kib": 140}, {"rss_kib": 160}, reload_to_new_ms=40, rss_before_kib=100),
            "haproxy": entry(reload_to_new_ms=50, pss_before_kib=100, peak_pss_kib=210)})
        applied = outcome("10,000 changed routes, `sluicectl apply` to served", data)
        self.assertEqual((applied.verdict, applied.peer), ("missed by 100.0 %", "haproxy 50.0 ms"))
        self.assertTrue(outcome("the same, from the watched file's change to served", data).met)
        memory = outcome("peak memory of the proxy meanwhile (`sluicectl apply`)", data)
        self.assertEqual((memory.verdict, memory.peer), ("met", "haproxy 2.10 × (PSS)"))
        self.assertEqual(outcome("the same (watched file)", data).value, 1.6)

    def test_p99_is_that_of_all_changes_together(self):
        quick, slow = [10.0] * 200, [10.0] * 190 + [40.0] * 10
        ours = entry({"each_ms": quick}, {"each_ms": slow}, {"each_ms": quick}, told_ms=[5] * 200)
        data = file_of(one_of_3000={"sluice-apply": ours})
        what = "one of 3,000 routes changed, start to end of `sluicectl apply --wait`"
        self.assertEqual(outcome(what, data).value, 40)
        own = outcome("the same, by the controller's own clock", data, "one-of-3000")
        self.assertEqual((own.value, own.met), (5, True))
        ours["runs"][0]["unseen"] = 1
        self.assertFalse(outcome("the same, by the controller's own clock", data, "one-of-3000").met)


class PageTest(unittest.TestCase):
    def test_a_missed_target_has_its_note(self):
        data = file_of(idle_conns={"sluice": entry(bytes_per_conn=600), "nginx": entry(bytes_per_conn=500),
                                       "haproxy": entry(bytes_per_conn=900)})
        text = page.render(data)
        self.assertIn("| memory per idle connection | 600.00 B | nginx 500.00 B | ≤ 1.00 × best peer "
                      "| 1.20 × | 1.20 to 1.20 | missed by 20.0 % |", text)
        self.assertIn("**idle-conns**: " + page.notes()["idle-conns"], text)
        self.assertIn(f"| {SMALL} | not measured | | | | | |", text)

    def test_every_note_is_about_a_scenario(self):
        self.assertLessEqual(set(page.notes()), set(scenarios.table()))

    def test_a_table_counts_errors_of_all_runs_and_leaves_out_empty_columns(self):
        text = page.render(file_of(h1_small={"sluice": entry(cpu_us_per_req=9.5, errors=2)}))
        self.assertIn("| proxy | runs | CPU us/req | errors (sum) |", text)
        self.assertIn("| sluice | 2 | 9.50 | 4 |", text)

    def test_who_has_no_figure_is_named_with_the_reason(self):
        text = page.render(file_of(h1_small={
            "nginx": entry(cpu_us_per_req=9), "envoy": absent("not installed: setup-peers"),
            "caddy": absent("caddy is not installed")}))
        self.assertIn("Without a figure anywhere: caddy is not installed; envoy: not installed: setup-peers.",
                      text)
        self.assertIn("- envoy: NOT MEASURED: not installed: setup-peers", text)

    def test_who_is_passed_over_is_named(self):
        text = page.render(file_of(h1_small={
            "sluice": entry(cpu_us_per_req=9), "nginx": entry(cpu_us_per_req=10),
            "haproxy": entry(cpu_us_per_req=7, non2xx=3, work={"upstream_reused": False})}))
        self.assertIn("| nginx 10.00 us (without haproxy) |", text)
        self.assertIn("- haproxy: NOT HELD AGAINST: 6 answered other than 2xx; upstream connections not reused",
                      text)

    def test_remarks_are_kept(self):
        noisy = {"foreign_pct": 50.0, "foreign0_pct": 1.0, "cpu0_busy_pct": 99.0, "requests": 9}
        ours = entry({"cpu_us_per_req": 9}, {"cpu_us_per_req": 11, **noisy})
        ours.update(discarded=[noisy], stopped="only 2 rounds", failed=["fell over"])
        text = page.render(file_of(h1_small={"sluice": ours, "nginx": entry(cpu_us_per_req=10)}))
        self.assertIn("- sluice: ratio by round over nginx 0.90 to 1.10, NO CLEAR DIFFERENCE; only 2 rounds; "
                      "1 noisy runs repeated; 1 kept runs still noisy; FAILED 1x: fell over", text)

    def test_a_proof_stands_in_for_a_figure(self):
        self.assertIn("| snapshot bytes sent to a node that reconnects unchanged | not measured here | | ≤ 1 KB "
                      "| | | proven by ctest `integration/cache` (`test_start_without_a_controller`: ",
                      page.render(file_of()))

    def test_haste_and_interruption_are_told(self):
        data = file_of(h1_small={"nginx": entry(cpu_us_per_req=9)})
        self.assertNotIn("haste", page.render(data))
        data["scenarios"]["h1-small"].update(hasty=True, complete=False)
        self.assertIn("**Taken in haste", page.render(data))
        self.assertIn("INTERRUPTED", page.render(data))

    def test_scaling_is_over_each_axis_own_base(self):
        text = page.render(file_of(
            h1_small={"sluice": entry(cpu_us_per_req=10), "nginx": entry(cpu_us_per_req=20)},
            conns_512={"sluice": entry(cpu_us_per_req=11), "nginx": entry(cpu_us_per_req=30, errors=1)},
            workers_2={"sluice": entry(cpu_us_per_req=12)},
            routes_1={"sluice": entry(requests=0)}, routes_1000={"sluice": entry(cpu_us_per_req=12)}))
        self.assertIn("| sluice | failed | failed |  |", text)
        self.assertIn("| connections | 64 | 512 | 4,096 |", text)
        self.assertIn("| sluice | 10.00 us | 1.10 × * |  |", text)
        self.assertIn("| nginx | 20.00 us | failed |  |", text)
        self.assertIn("| workers | 1 | 2 |\n| --- | --- | --- |\n| sluice | 10.00 us | 1.20 × * |\n", text)


class PlanTest(unittest.TestCase):
    def test_only_what_is_missing_or_was_interrupted_runs(self):
        table = scenarios.table()
        chosen = [table[n] for n in ("h1-small", "h1-log", "h1-16k")]
        data = {"scenarios": {"h1-small": {"complete": True}, "h1-log": {"complete": False}}}
        self.assertEqual([sc.name for sc in plan.missing(chosen, data)], ["h1-log", "h1-16k"])

    def test_scenarios_of_a_group_run_together_in_their_order(self):
        table = scenarios.table()
        chosen = [table[n] for n in ("h1-small", "tls-keepalive", "workers-2")]
        self.assertEqual([[sc.name for sc in g] for g in plan.groups(chosen)],
                         [["h1-small", "workers-2"], ["tls-keepalive"]])

    def test_who_is_far_off_in_each_round_is_known(self):
        def of(*figures):
            return entry(*({"f": x} for x in figures))
        self.assertTrue(plan.far_off(of(20, 20), [of(10, 30), of(30, 10)], "f"))
        self.assertFalse(plan.far_off(of(20, 11), [of(10, 10)], "f"))
        self.assertFalse(plan.far_off(of(20, 20), [], "f"))

    def test_scaling_scenarios_share_a_group(self):
        table = scenarios.table()
        for _, steps in scaling.AXES:
            self.assertEqual(len({table[name].group for name, _ in steps}), 1)

    def test_an_estimate_counts_scenarios_proxies_and_rounds(self):
        class Stub:
            families = {"h1"}

            def __init__(self, _):
                pass

            def available(self):
                return None
        two = [type("Nginx", (Stub,), {"name": "nginx"}), type("Other", (Stub,), {"name": "other"})]
        small = scenarios.table()["h1-small"]
        one = plan.run_seconds(small, "nginx", 3)
        least, most = plan.estimate([small], two, 5, 3, "")
        self.assertAlmostEqual(most, 10 * one)
        self.assertAlmostEqual(least, 7 * one)


if __name__ == "__main__":
    unittest.main(verbosity=2)
