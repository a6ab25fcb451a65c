"""How the CPU per request grows with connections, routes and workers: each axis over its own base."""
from . import results, targets

KEY = "cpu_us_per_req"
AXES = [("connections", [("h1-small", "64"), ("conns-512", "512"), ("conns-4096", "4,096")]),
        ("routes", [("routes-1", "1"), ("routes-1000", "1,000"), ("routes-10000", "10,000")]),
        ("workers", [("h1-small", "1"), ("workers-2", "2")])]


def _base(data, base, proxy):
    entry = results.entries(data, base)[proxy]
    first = entry["median"].get(KEY)
    return "failed" if first is None or results.unfit(base, entry) else f"{first:.2f} us"


def _cell(data, base, scenario, proxy):
    entry = results.entries(data, scenario).get(proxy)
    if not entry:
        return ""
    if results.unfit(scenario, entry) or _base(data, base, proxy) == "failed":
        return "failed"
    value, each = targets.paired(data, base, scenario, proxy, KEY)
    if value is None:
        return ""
    return f"{value:.2f} ×" + (f" ({min(each):.2f} to {max(each):.2f})" if each else " *")


def _axis(data, axis, steps):
    base = steps[0][0]
    proxies = [p for p in results.entries(data, base) if p != "direct"
               and any(results.entries(data, s).get(p) for s, _ in steps[1:])]
    if not proxies:
        return
    yield ""
    yield f"| {axis} | " + " | ".join(word for _, word in steps) + " |"
    yield "| --- " * (len(steps) + 1) + "|"
    for proxy in sorted(proxies, key=lambda p: (p not in results.OURS, p)):
        cells = [_base(data, base, proxy)] + [_cell(data, base, s, proxy) for s, _ in steps[1:]]
        yield f"| {proxy} | " + " | ".join(cells) + " |"


def section(data):
    lines = [line for axis, steps in AXES for line in _axis(data, axis, steps)]
    if not lines:
        return []
    return ["## Scaling", "",
            "CPU per request: the base in us, then the ratio to it (least to most over the rounds; median of "
            "the rounds' own ratios). The scenarios of an axis took turns in the same rounds; where they did "
            "not, a star says so, and a difference under 30 % means nothing. With two workers the proxy shares "
            "CPU 1 with load and backend: the figure is the cost of a request, not the throughput.", *lines]
