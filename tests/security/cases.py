"""The catalogue cases.yaml, its generators applied."""
import os

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
GROUPS = ("h1-framing", "h1-chunked", "h1-syntax", "host-target", "path", "header-policy",
          "upstream-response", "upgrade-expect")
# Longer ones are split into this many writes instead of at every byte.
SPLIT_BYTES_MAX = 4096
SPLIT_PIECES = 1500


class Case:
    def __init__(self, data, text, name=None):
        self.id = name or data["id"]
        self.base_id = data["id"]
        self.group = data["group"]
        self.send = text.encode("latin-1")
        self.expect = data["expect"]
        self.classes = [data["expect"], *data.get("also", [])]
        self.status = data.get("status")
        self.must = data.get("must", [])
        self.must_not = data.get("must_not", [])
        self.requests = data.get("requests")
        self.upstream = data["upstream"].encode("latin-1") if "upstream" in data else None
        self.why = data["why"]
        self.half_close = self.base_id == "body-short-then-fin"
        self.method = self.send.split(b" ", 1)[0].strip().decode("latin-1")

    def piece(self):
        """Bytes in one write when it is split."""
        if len(self.send) <= SPLIT_BYTES_MAX:
            return 1
        return -(-len(self.send) // SPLIT_PIECES)


def _expand(data):
    """(name, text) pairs: most cases are one, generators make what the catalogue describes."""
    name, text = data["id"], data["send"]
    if name == "chunk-ext-64k":
        text = text.replace("a" * 16, "a" * 65536)
    elif name == "chunk-one-byte-x10000":
        text += "1\r\na\r\n" * 10000 + "0\r\n\r\n"
    elif name == "trailer-1mb":
        text += "X: y\r\n" * 100000 + "\r\n"
    elif name == "leading-crlf-1000":
        text = "\r\n" * 1000 + text.lstrip("\r\n")
    elif name == "long-target":
        text = text.replace("aaaaaaaa", "a" * 70000)
    elif name == "many-headers":
        text = text.replace("X: a\r\n", "X: a\r\n" * 5000)
    elif name == "reqid-injection":
        start, _, rest = text.partition("X-Request-Id: ")
        return [(name, text),
                (name + "-5000", start + "X-Request-Id: " + "a" * 5000 + rest[rest.index("\r\n"):])]
    elif name in ("metrics-cardinality", "resp-1xx-flood", "resp-huge-header", "retry-stale-pool",
                  "ws-survives-config-push"):
        pass  # Done by judge.py around the sending.
    elif "gen" in data:
        raise ValueError(f"{name}: no generator for {data['gen']!r}")
    return [(name, text)]


def load(groups=GROUPS, only=None):
    with open(os.path.join(HERE, "cases.yaml"), encoding="utf-8") as f:
        catalogue = yaml.safe_load(f)
    found = []
    for data in catalogue["cases"]:
        if "send" not in data or data["group"] not in groups or (only and data["id"] not in only):
            continue
        found += [Case(data, text, name) for name, text in _expand(data)]
    return found


def prepared(case, port):
    """A copy of the bytes with the listener's own port where a default port stands."""
    if case.base_id == "host-case-port-ok":
        return case.send.replace(b":80\r\n", b":%d\r\n" % port)
    return case.send


def upstream_bytes(case):
    if case.base_id == "resp-1xx-flood":
        return case.upstream * 100000
    if case.base_id == "resp-huge-header":
        return case.upstream.replace(b"X: a", b"X: " + b"a" * (1 << 20))
    return case.upstream
