"""Group proxy-protocol: the catalogue has bytes for it, for a port that expects the header."""
import cases
import judge
import observe
from scenarios import scenario

GROUP = "proxy-protocol"


def by_bytes(case):
    def run(site):
        target = site.seen_from("pp")
        for split in (False, True):
            sending = observe.run(target, case, False, split)
            try:
                problem = judge.verdict(target, case, sending)[1]
            finally:
                sending.end()
            if problem:
                return f"{'split' if split else 'whole'}: {problem}"
        return None
    return run


for _case in cases.load((GROUP,)):
    scenario(_case.id)(by_bytes(_case))
