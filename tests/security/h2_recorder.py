"""An HTTP/2 upstream as the judges know the HTTP/1 one: what a stream brought is a connection's."""
import types

import h2_judge


class _Stream:
    """One request of an H2Upstream in the shape of upstream.Connection and upstream.Request."""

    def __init__(self, request):
        self._request = request
        self.target = request.path
        self.raw = b"".join(f"{name}: {value}\r\n".encode("latin-1")
                            for name, value in request.fields) + request.body
        self.started = [self]
        self.malformed = request.connection.error
        self.ended = request.reset is not None or request.connection.ended

    @property
    def complete(self):
        return self._request.complete.is_set() and not self.ended


class Recorder:
    """In place of targets.Target.up."""
    on_head = on_request = None  # It answers every complete request by 200 in any case.

    def __init__(self, upstream):
        self._upstream = upstream

    @property
    def connections(self):
        return [_Stream(request) for request in list(self._upstream.requests)]

    @property
    def requests(self):
        return [stream for stream in self.connections if stream.complete]

    @property
    def raw(self):
        return b"".join(s.raw for s in self.connections if s.target != h2_judge.PROBE)

    def clear(self):
        self._upstream.clear()


def beside(target):
    """`target` with the service whose upstream speaks HTTP/2; None where it has none."""
    if target.up_h2 is None:
        return None
    return types.SimpleNamespace(host=target.host, tls=target.tls_to_h2, up=Recorder(target.up_h2))
