"""The classes of the catalogue: each function says what is wrong, or None.

`self.s` is the Sending, `self.up` the recording upstream. A class is tried until it holds or the
patience ends, since answers, closes and aborts travel on their own.
"""
import threading
import time

import h1
import observe
import rig
from verdict import decide

HOSTS_AND_METHODS = 10_000
HOSTS_AT_A_TIME = 100
ONE_BYTE_CHUNKS = 10_000
CPU_TIMES_MAX = 3  # Of what one chunk costs.
# Where an upstream ends connections at its keep-alive time: so long, and by how much a client is early
# or late.
KEEP_ALIVE, ASIDE = 0.05, 0.004
REUSES = 40


class Judge:
    def __init__(self, target, case, sending):
        self.target, self.case, self.s = target, case, sending
        self.up = target.up

    # ---- what is known ------------------------------------------------------------------

    def finals(self):
        return self.s.answers()[0]

    def status(self):
        finals = self.finals()
        return finals[0].status if finals else None

    def nothing_upstream(self):
        return None if not self.up.raw else f"the upstream received {self.up.raw[:200]!r}"

    def forbidden(self):
        """must_not of the case, in what the upstream received."""
        raw = self.up.raw.lower()
        for text in self.case.must_not:
            if text.lower().encode("latin-1") in raw:
                return f"upstream received {text!r}"
        return None

    def required(self):
        # Chunked bodies may be cut anywhere on the way; decoded they must be the same.
        raw = self.up.raw.lower() + b"".join(request.body.lower() for request in self.up.requests)
        for text in self.case.must:
            if text.lower().encode("latin-1") not in raw:
                return f"upstream did not receive {text!r} but {self.up.raw[:300]!r}"
        return None

    def strict(self):
        for connection in self.up.connections:
            if connection.malformed:
                return f"the upstream could not read it: {connection.malformed}"
        return None

    def fully_framed(self):
        """Whether the case is one message that a strict reader finds the end of."""
        wire = h1.Wire(observe.Fixed(self.case.send))
        try:
            request = h1.read_request_head(wire)
            h1.take_body(wire, request, request.framing)
        except (h1.Malformed, h1.Cut, h1.Gone):
            return False
        return not wire.buffer

    def saw(self):
        finals, rest = self.s.answers()
        return (f"client saw {[f.status for f in finals]} {rest or ''}"
                f"{' closed' if self.s.closed else ' open'}; upstream complete "
                f"{[r.target for r in self.up.requests]}, raw {len(self.up.raw)} bytes")

    # ---- the classes ------------------------------------------------------------------------

    def reject_400_close(self):
        if len(self.finals()) != 1 or self.status() not in (self.case.status or [400]):
            return "no rejection alone"
        if not self.s.closed:
            return "connection still open"
        return self.nothing_upstream()

    def reject_status(self):
        if self.status() not in (self.case.status or [400]):
            return f"status not in {self.case.status}"
        if not self.s.closed and not self.fully_framed():
            return "the message has no certain end, and the connection is open"
        return self.nothing_upstream()

    def close_no_forward(self):
        return self.nothing_upstream() if self.s.closed else "connection still open"

    def forward_canonical(self):
        wanted = self.case.requests or 1
        if len(self.up.requests) != wanted:
            return f"upstream has {len(self.up.requests)} complete requests, not {wanted}"
        if not self.finals():
            return "no answer"
        upstream = self.case.upstream or b"HTTP/1.1 200"
        if self.status() != int(upstream.split(b" ")[1]):
            return f"status {self.status()}"
        return self.strict() or self.required() or self.forbidden()

    def split_requests(self):
        wanted = self.case.requests or 2
        seen = len(self.up.requests)
        if not 1 <= seen <= wanted:
            return f"upstream has {seen} requests, not {wanted}"
        finals = self.finals()
        if seen < wanted and not self.s.closed:
            return f"upstream has {seen} of {wanted} requests and the connection is open"
        # What follows the framed messages has its own answer, or the connection ended.
        if len(finals) < seen:
            return "answers are missing"
        if len(finals) == seen == wanted and wanted == 1 and not self.s.closed:
            return "the rest of the bytes has no answer"
        if self.case.must and seen == wanted and self.required():
            return self.required()
        return self.strict() or self.forbidden()

    def abort_upstream(self):
        if self.up.requests:
            return "the upstream saw a complete request"
        if not self.up.connections:
            return "nothing reached the upstream"
        if not all(c.ended for c in self.up.connections):
            return "the upstream connection is open"
        return self.strict_or_cut()

    def strict_or_cut(self):
        """What was passed on before the abort must itself be well-formed as far as it goes."""
        return self.strict()

    def bad_gateway(self):
        if self.status() not in (502,):
            return f"status {self.status()}"
        if not all(c.ended for c in self.up.connections):
            return "the upstream connection is still held"
        return None

    def not_reused(self):
        if not self.finals():
            return "no answer"
        if b"evil" in self.s.got:
            return "the client saw the surplus"
        if not all(c.ended for c in self.up.connections):
            return "the upstream connection is still held"
        return None

    def close_after_response(self):
        wanted = int(self.case.upstream.split(b" ")[1])
        if self.status() != wanted:
            return f"status {self.status()}, not {wanted}"
        if self.up.requests:
            return "the upstream saw a complete request"
        if not all(c.ended for c in self.up.connections):
            return "the upstream connection is still held"
        return None

    def denied_403(self):
        return self.nothing_upstream() if self.status() == 403 else f"status {self.status()}"

    def no_tunnel(self):
        if any(f.status == 101 for f in self.finals()):
            return "101 reached the client"
        if not self.finals() and not self.s.closed:
            return "no answer"
        if not self.s.closed and not getattr(self, "_asked", False):
            self._asked = True
            self.s.methods.append("GET")
            self.s.send(b"GET /after HTTP/1.1\r\nHost: a.test\r\n\r\n")
        if not self.s.closed and len(self.finals()) < 2:
            return "the next request has no answer"
        if b"upgrade" in self.up.raw.lower():
            return "the upstream was asked to upgrade"
        return self.strict()

    def tunnel(self):
        def rest():
            head, _, behind = self.s.got.partition(b"\r\n\r\n")
            return behind if head.startswith(b"HTTP/1.1 101 ") else None
        if rest() is None:
            return f"no 101: {self.s.got[:200]!r}"
        early = self.case.send.partition(b"\r\n\r\n")[2]
        if getattr(self, "_said_more", None) is None:
            self._said_more = b""
            if self.case.base_id == "ws-survives-config-push":
                for number in self.target.push_changes():
                    piece = b"behind %d," % number
                    self._said_more += piece
                    self.s.send(piece)
            self._said_more += b"later bytes"
            self.s.send(b"later bytes")
            self.s.wait(lambda: len(rest()) >= len(early + self._said_more))
        if rest() != early + self._said_more:
            return f"through the tunnel came {rest()[-200:]!r}"
        connection = next(c for c in self.up.connections if hasattr(c, "before_switch"))
        if not connection.before_switch.endswith(b"\r\n\r\n"):
            return "bytes reached the upstream before the switch"
        return None

    # ---- policy and bounded: one by one -------------------------------------------------------

    def policy(self):
        return getattr(self, "policy_" + self.case.base_id.replace("-", "_"))()

    bounded = policy

    def either_refused_or(self, check):
        if self.status() in (400, 403, 404):
            return self.nothing_upstream()
        return check()

    def as_written(self):
        wanted = self.case.send.split(b" ")[1].decode("latin-1")
        if [r.target for r in self.up.requests] != [wanted]:
            return f"upstream has {[r.target for r in self.up.requests]}, not {wanted}"
        return None if self.finals() else "no answer"

    def policy_path_pct_space(self):
        return self.either_refused_or(self.as_written)

    policy_path_case = policy_path_dot_suffix = policy_path_pct_space

    def policy_http10_no_host(self):
        if self.status() == 400:
            return self.nothing_upstream()
        return None if self.status() == 200 else f"status {self.status()}"

    def policy_redirect_scheme_relative(self):
        if self.status() == 400:
            return self.nothing_upstream()
        if not self.finals():
            return "no answer"
        location = self.finals()[0].get("location") or ""
        if not location.startswith("https://a.test/") or location.startswith("https://a.test//"):
            return f"Location {location!r}"
        return self.nothing_upstream()

    def policy_redirect_crlf(self):
        if not self.finals():
            return "no answer"
        return "Set-Cookie in the answer" if self.finals()[0].has("set-cookie") else None

    def policy_early_data_spoof(self):
        return self.nothing_upstream() if self.status() in (400, 425) else f"status {self.status()}"

    def policy_log_json_escape(self):
        if self.status() not in (200, 400):  # %5c may be refused.
            return f"status {self.status()}"
        if self.target.records is None:
            return None
        record = next((r for r in self.target.records() if r["peer"] == self.s.source), None)
        if record is None:
            return "no record"
        # JSON has turned every escape back: the client's bytes are there, and no field more.
        sent = self.case.send.split(b"User-Agent: ")[1].split(b"\r\n")[0].decode("latin-1")
        if record["user_agent"] != sent:
            return f"user_agent is {record['user_agent']!r}"
        if record["path"] not in ('/"\\', "/%22%5C", "/%22%5c"):
            return f"path is {record['path']!r}"
        others = [set(r) for r in self.target.records() if r["peer"] != self.s.source]
        return None if set(record) in others or not others else f"fields {sorted(record)}"

    def policy_metrics_cardinality(self):
        if not self.finals():
            return "no answer"
        if self.target.series is None or getattr(self, "_counted", False):
            return None
        self._counted = True
        with rig.h1.Client(self.target.host, self.target.clear) as client:
            def ask(numbers):
                client.send("".join(f"Z{i:05d} / HTTP/1.1\r\nHost: r{i}.test\r\n\r\n"
                                    for i in numbers))
                for _ in numbers:
                    client.response()
            ask([0])
            before = self.target.series()
            for i in range(1, HOSTS_AND_METHODS, HOSTS_AT_A_TIME):
                ask(range(i, i + HOSTS_AT_A_TIME))
        after = self.target.series()
        return None if before == after else f"{before} series became {after}"

    def policy_retry_stale_pool(self):
        """The upstream closes the pooled connection in answer to its second request; then, idle ones
        at its keep-alive time, which is when the next request comes."""
        if getattr(self, "_retried", False):
            return self._retried_result
        if self.status() != 200:
            return f"status {self.status()}"
        self._retried = True
        ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        self.up.on_request = lambda c, q: "close" if len(c.requests) > 1 else ok
        self._retried_result = None
        for i in range(10):
            with rig.h1.Client(self.target.host, self.target.clear) as client:
                status = client.ask(rig.request(f"/again-{i}")).status
            if status != 200:
                self._retried_result = f"request {i} after a stale connection got {status}"
        self._retried_result = self._retried_result or self._at_keep_alive_time(ok)
        return self._retried_result

    def _at_keep_alive_time(self, ok):
        def answer(connection, request):
            count = len(connection.started)

            def close():
                if len(connection.started) == count:
                    self.up.drop(connection)
            timer = threading.Timer(KEEP_ALIVE, close)
            timer.daemon = True
            timer.start()
            return ok
        self.up.on_request = answer
        for i in range(REUSES):
            with rig.h1.Client(self.target.host, self.target.clear) as client:
                status = client.ask(rig.request(f"/at-{i}")).status
            if status != 200:
                return f"request {i} at the upstream's keep-alive time got {status}"
            # Sweeps from before the close to behind it.
            time.sleep(KEEP_ALIVE - ASIDE + 2 * ASIDE * i / REUSES)
        return None

    def policy_chunk_one_byte_x10000(self):
        if self.status() != 200:
            return f"status {self.status()}"
        request = self.up.requests[0]
        if request.body != b"a" * ONE_BYTE_CHUNKS:
            return f"{len(request.body)} bytes arrived"
        if len(request.chunks) > ONE_BYTE_CHUNKS / 2:
            return f"they went upstream in {len(request.chunks)} chunks"
        return self.strict() or self._cost_of_chunks()

    def _cost_of_chunks(self):
        """CPU for the same bytes in so many chunks, held against one chunk. Sanitizers make the parser
        dear, and the kernel, which is most of the one chunk, not."""
        if hasattr(self, "_cost"):
            return self._cost
        self._cost = None
        if rig.SANITIZER or not hasattr(self.target, "cpu_seconds"):
            return None
        body = self.case.send
        one = body[:body.index(b"\r\n\r\n") + 4] + b"%x\r\n%s\r\n0\r\n\r\n" % (
            ONE_BYTE_CHUNKS, b"a" * ONE_BYTE_CHUNKS)
        seconds = {one: [], body: []}
        for _ in range(8):
            for data, spent in seconds.items():
                with rig.h1.Client(self.target.host, self.target.clear) as client:
                    before = self.target.cpu_seconds()
                    for _ in range(10):
                        client.ask(data, "POST")
                    spent.append(self.target.cpu_seconds() - before)
        times = min(seconds[body]) / min(seconds[one])
        if times > CPU_TIMES_MAX:
            self._cost = f"they cost {times:.1f} times the CPU of one chunk"
        return self._cost

    def policy_resp_1xx_flood(self):
        if not self.s.closed and self.status() is None:
            return "neither a final answer nor a close"
        if self.status() not in (None, 502):
            return f"status {self.status()}"
        return None if all(c.ended for c in self.up.connections) else "the upstream connection is held"


def verdict(target, case, sending):
    """As verdict.decide."""
    # A wrong answer already given cannot become right, but the close or abort may still travel.
    return decide(Judge(target, case, sending), patience=4.0)
