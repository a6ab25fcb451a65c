#!/usr/bin/python3
"""The page of results: who is the best peer, which targets are met, what is said of the others."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pb import page, scenarios, targets  # noqa: E402


def entry(**figures):
    return {"version": "1", "note": "as it comes", "runs": [figures, figures], "median": figures,
            "failed": [], "discarded": []}


def results(**by_scenario):
    return {"machine": {"cpu": "some", "cpus": 2, "kernel": "6", "tcp_congestion_control": "reno"},
            "scenarios": {name.replace("_", "-"): {
                "about": "about it", "rounds": 2, "seconds": 5, "when": "2026-01-01 00:00",
                "proxies": proxies} for name, proxies in by_scenario.items()}}


def outcome(what, data):
    return next(t for t in targets.TARGETS if t.what == what).judge(data)


class TargetsTest(unittest.TestCase):
    def test_the_best_peer_is_neither_ours_nor_the_floor(self):
        data = results(h1_small={"sluice": entry(cpu_us_per_req=1), "direct": entry(cpu_us_per_req=0.1),
                                 "sluice-apply": entry(cpu_us_per_req=2),
                                 "nginx": entry(cpu_us_per_req=9), "nginx-x": entry(cpu_us_per_req=7),
                                 "broken": {"runs": [], "failed": ["no"]}})
        self.assertEqual(targets.best_peer(data, "h1-small", "cpu_us_per_req"), ("nginx-x", 7))

    def test_a_ratio_is_met_or_missed(self):
        what = "CPU per request, HTTP/1.1 keep-alive, small"
        for ours, met in ((9.0, True), (9.1, False)):
            data = results(h1_small={"sluice": entry(cpu_us_per_req=ours),
                                     "nginx": entry(cpu_us_per_req=10)})
            self.assertEqual(outcome(what, data).met, met)

    def test_what_did_not_run_is_not_judged(self):
        for target in targets.TARGETS:
            self.assertIsNone(target.judge(results()), target.what)
            self.assertIsNone(target.judge(results(h1_small={"nginx": entry(cpu_us_per_req=1)})))

    def test_memory_per_route(self):
        data = results(routes_1={"sluice": entry(rss_kib=1000, cpu_us_per_req=10)},
                       routes_10000={"sluice": entry(rss_kib=1000 + 9999 * 2, cpu_us_per_req=11)})
        self.assertEqual(outcome("memory per route", data).value, 2048)
        self.assertTrue(outcome("memory per route", data).met)
        self.assertFalse(outcome("10,000 routes against 1", data).met)

    def test_lost_requests_are_summed_over_the_runs(self):
        data = results(reload_under_load={"sluice": entry(errors=0, non2xx=1)})
        self.assertEqual(outcome("requests lost while changes apply under load", data).value, 2)

    def test_each_target_names_a_scenario(self):
        for target in targets.TARGETS:
            self.assertIn(target.scenario, scenarios.table())


class PageTest(unittest.TestCase):
    def test_a_missed_target_has_its_note(self):
        data = results(idle_conns={"sluice": entry(bytes_per_conn=600), "nginx": entry(bytes_per_conn=500)})
        text = page.render(data)
        self.assertIn("| memory per idle connection | 600.00 B | nginx 500.00 B | ≤ 1.00 × best peer "
                      "| 1.20 × | missed |", text)
        self.assertIn("**idle-conns**: " + page.notes()["idle-conns"], text)
        self.assertIn("| CPU per request, HTTP/1.1 keep-alive, small | not measured | | | | |", text)

    def test_every_note_is_about_a_scenario(self):
        self.assertLessEqual(set(page.notes()), set(scenarios.table()))

    def test_a_table_counts_errors_of_all_runs_and_leaves_out_empty_columns(self):
        text = page.render(results(h1_small={"sluice": entry(cpu_us_per_req=9.5, errors=2)}))
        self.assertIn("| proxy | CPU us/req | errors (sum) | CPU us/req, least to most |", text)
        self.assertIn("| sluice | 9.50 | 4 |  |", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
