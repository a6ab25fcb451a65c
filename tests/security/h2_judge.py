"""The classes of the catalogue over HTTP/2: each function says what is wrong, or None.

A connection error is accepted for a stream error when the code is the right one: "an endpoint MAY
choose to treat a stream error as a connection error" (RFC 9113 section 5.4.1).
"""
import h2_frames as h2
from verdict import decide

PROBE = "/probe-after"


class H2Judge:
    def __init__(self, target, case, sending):
        self.target, self.case, self.s = target, case, sending
        self.up = target.up
        self._asked = 0  # The stream of the clean request behind the case.

    # ---- what is known ------------------------------------------------------------------

    def own(self):
        return self.s.stream(self.case.stream)

    def raw(self):
        return self.up.raw

    def requests(self):
        return [q for q in self.up.requests if q.target != PROBE]

    def connections(self):
        """Those that brought more than the clean request behind the case."""
        return [c for c in self.up.connections
                if c.raw and (not c.started or any(q.target != PROBE for q in c.started))]

    def nothing_upstream(self):
        started = [q for c in self.up.connections for q in c.started if q.target != PROBE]
        if started:
            return f"the upstream received {started[0].target!r}"
        if self.raw() and not any(c.started for c in self.up.connections):
            return f"the upstream received {self.raw()[:200]!r}"
        return self.forbidden()

    def forbidden(self):
        raw = self.raw().lower()
        for text in self.case.must_not:
            if text.lower().encode("latin-1") in raw:
                return f"upstream received {text!r}"
        return None

    def required(self):
        raw = self.raw().lower()
        for text in self.case.must:
            if text.lower().encode("latin-1") not in raw:
                return f"upstream did not receive {text!r} but {self.raw()[:300]!r}"
        return None

    def strict(self):
        for connection in self.up.connections:
            if connection.malformed:
                return f"the upstream could not read it: {connection.malformed}"
        return None

    def goes_on(self):
        """The connection serves a further stream."""
        if self.s.closed or self.s.goaways:
            return "the connection is over"
        if not self._asked:
            self._asked = self.case.streams_end
            self.s.send(h2.request(self._asked, PROBE))
        probe = self.s.stream(self._asked)
        if not probe.ended:
            return "another stream has no answer"
        return None if probe.status == 200 else f"another stream got {probe.status}"

    def saw(self):
        return (f"{self.s.saw()}; upstream complete {[q.target for q in self.up.requests]}, "
                f"raw {len(self.raw())} bytes")

    # ---- the classes ------------------------------------------------------------------------

    def h2_conn_error(self):
        code = self.s.goaway()
        if code not in self.case.codes:
            return ("no GOAWAY" if code is None else f"GOAWAY {h2.error_name(code)}") + \
                f", not {'/'.join(map(h2.error_name, self.case.codes))}"
        return self.forbidden() if self.s.closed else "connection still open"

    def h2_stream_error(self):
        if self.s.goaway():  # NO_ERROR ends an idle connection and judges nothing.
            return self.h2_conn_error() or self.nothing_upstream()
        code = self.own().reset
        if code not in self.case.codes:
            return ("no RST_STREAM" if code is None else f"RST_STREAM {h2.error_name(code)}") + \
                f", not {'/'.join(map(h2.error_name, self.case.codes))}"
        return self.nothing_upstream() or self.goes_on()

    def reject_400(self):
        if self.own().status != 400:
            return f"status {self.own().status}"
        return self.nothing_upstream() or self.goes_on()

    def reject_status(self):
        if self.own().status not in self.case.status:
            return f"status {self.own().status} not in {self.case.status}"
        if not (self.case.ended or self.own().reset is not None or self.s.goaways or self.s.closed):
            return "the client's half of the stream is open"
        return self.nothing_upstream()

    def forward_canonical(self):
        wanted = self.case.requests or 1
        if len(self.requests()) != wanted:
            return f"upstream has {len(self.requests())} complete requests, not {wanted}"
        # A stream the client has left open, or broken itself afterwards, need not have an answer.
        if self.own().status != 200 and self.own().reset is None and not self.s.goaways:
            return f"status {self.own().status}"
        return self.strict() or self.required() or self.forbidden()

    def abort_upstream(self):
        if self.requests():
            return "the upstream saw a complete request"
        if self.own().reset is None and not self.s.goaways and self.own().status is None:
            return "the client does not know that the stream is over"
        connections = self.connections()
        if not all(c.ended for c in connections):
            return "the upstream connection is open"
        if not connections:
            return "nothing reached the upstream"
        return self.strict() or self.forbidden()


def verdict(target, case, sending):
    """As verdict.decide."""
    return decide(H2Judge(target, case, sending), patience=1.5)
