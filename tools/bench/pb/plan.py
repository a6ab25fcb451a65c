"""Which runs there will be, and how long they take."""
from . import results, steady

# One run besides its load: a quiet moment, start, a look at the work, calibration, stop.
AROUND_S = 2.8
# Proxies that run in every round; others only while they could be the best peer.
ALWAYS = ("sluice", "sluice-apply", "direct", "nginx", "haproxy")
TRIED_ROUNDS, FAR_OFF = 2, 1.25


def run_seconds(sc, proxy, seconds):
    """About how long one run takes."""
    if sc.takes:
        return AROUND_S + sc.takes.get(proxy, sc.takes[""])
    extra = {"log": 2.4, "h2": 1.0, "grpc": 2.0}.get(sc.family, 0.0)
    extra += 1.5 if sc.spec.get("routes", 0) >= 10000 else 0.0
    if sc.load.get("tool") == "h2load":
        extra += 0.4 * seconds                  # reading its log
    return AROUND_S + steady.WARM + (sc.seconds or seconds) + extra


def rounds_of(sc, rounds):
    return min(rounds, sc.rounds_max)


def takes_part(sc, classes, rundir):
    """The classes of the proxies that this scenario wants and that are installed."""
    return [c for c in classes if sc.wants(c) and not c(rundir).available()]


def estimate(chosen, classes, rounds, seconds, rundir):
    """(least, most) seconds of all of it: least if no peer beside the two need run to the end."""
    least = most = 0.0
    for sc in chosen:
        n = rounds_of(sc, rounds)
        for cls in takes_part(sc, classes, rundir):
            one = run_seconds(sc, cls.name, seconds)
            most += n * one
            least += (n if cls.name in ALWAYS else min(n, TRIED_ROUNDS)) * one
    return least, most


def groups(chosen):
    """The scenarios in their order, those of one group together."""
    found = {}
    for sc in chosen:
        found.setdefault(sc.group, []).append(sc)
    return list(found.values())


def missing(chosen, data):
    """Those of which the file has not all rounds."""
    done = {name for name, res in data["scenarios"].items() if res.get("complete", True)}
    return [sc for sc in chosen if sc.name not in done]


def far_off(entry, others, rank):
    """True if in each round so far it took FAR_OFF times the least of the other peers."""
    own = results.by_round(entry, rank)
    rest = [results.by_round(other, rank) for other in others]
    return bool(own) and all(any(i in o and own[i] > FAR_OFF * o[i] for o in rest) for i in own)
