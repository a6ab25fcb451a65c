"""The classes of the catalogue: each function says what is wrong, or None.

`self.s` is the Sending, `self.up` the recording upstream. A class is tried until it holds or the
patience ends, since answers, closes and aborts travel on their own.
"""
import observe
import rig


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
        if not getattr(self, "_said_more", False):
            self._said_more = True
            if self.case.base_id == "ws-survives-config-push":
                self.target.push_changes()
            self.s.send(b"later bytes")
        if rest() != early + b"later bytes":
            return f"through the tunnel came {rest()!r}"
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
        return None if self.status() in (200, 400) else f"status {self.status()}"

    def policy_metrics_cardinality(self):
        if not self.finals():
            return "no answer"
        if self.target.series is None or getattr(self, "_counted", False):
            return None
        self._counted = True
        with rig.h1.Client(self.target.host, self.target.clear) as client:
            def ask(i):
                client.ask(f"Z{i:05d} / HTTP/1.1\r\nHost: r{i}.test\r\n\r\n")
            ask(0)
            before = self.target.series()
            for i in range(1, 2000):
                ask(i)
        after = self.target.series()
        return None if before == after else f"{before} series became {after}"

    def policy_retry_stale_pool(self):
        """The upstream closes the pooled connection in answer to its second request."""
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
        return self._retried_result

    def policy_chunk_one_byte_x10000(self):
        if self.status() != 200:
            return f"status {self.status()}"
        request = self.up.requests[0]
        if request.body != b"a" * 10000:
            return f"{len(request.body)} bytes arrived"
        return self.strict()

    def policy_resp_1xx_flood(self):
        if not self.s.closed and self.status() is None:
            return "neither a final answer nor a close"
        if self.status() not in (None, 502):
            return f"status {self.status()}"
        return None if all(c.ended for c in self.up.connections) else "the upstream connection is held"


def verdict(target, case, sending):
    """(class that held, None) or (None, why none did)."""
    judge = Judge(target, case, sending)
    reasons = {}
    held = []

    def decided():
        for name in case.classes:
            reasons[name] = getattr(judge, name)()
            if reasons[name] is None:
                held.append(name)
                return True
        return False
    # A wrong answer already given cannot become right, but the close or abort may still travel.
    patience = 3.0 * observe.waiting.SLOWDOWN + 4.0
    if sending.wait(decided, patience):
        return held[0], None
    return None, "; ".join(f"{k}: {v}" for k, v in reasons.items()) + "; " + judge.saw()
