"""One request whose body and response are sent and read piece by piece, over either version."""
import contextlib

import h1
import h2_client


class H1Stream:
    """Takes a whole connection."""

    def __init__(self, host, port, tls=None, server_name=None):
        if tls:
            tls.set_alpn_protocols(["http/1.1"])
        self.client = h1.Client(host, port, tls=tls, server_name=server_name)
        self.response = h1.Response()
        self._body = bytearray()
        self._pieces = None

    def start(self, path, method="GET", has_body=False):
        coding = "Transfer-Encoding: chunked\r\n" if has_body else ""
        self.client.send(f"{method} {path} HTTP/1.1\r\nHost: a.test\r\n{coding}\r\n")

    def send(self, data):
        self.client.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.client.send(b"0\r\n\r\n")

    def status(self):
        """Waits for the head."""
        wire = self.client.wire
        match = h1.STATUS_LINE.match(wire.line(first=True))
        if not match:
            raise h1.Malformed("status line")
        self.response.version, self.response.status = int(match[1]), int(match[2])
        self.response.fields = h1.read_fields(wire)
        self._pieces = self._chunks(wire) if self.response.has("transfer-encoding") else \
            wire.pieces(h1.framing(self.response, None))
        return self.response.status

    def field(self, name):
        return self.response.get(name)

    def read(self, size):
        """Exactly so much of the body; waits for no more."""
        while len(self._body) < size:
            self._body += next(self._pieces)
        piece, self._body = bytes(self._body[:size]), self._body[size:]
        return piece

    def rest(self):
        """What is left of the body, to its end."""
        rest = bytes(self._body) + b"".join(self._pieces)
        self._body.clear()
        return rest

    def leave(self):
        """As a browser whose page was closed."""
        self.client.close()

    close = leave

    @staticmethod
    def _chunks(wire):
        while size := int(wire.line(), 16):
            yield from wire.pieces(size)
            if wire.line():
                raise h1.Malformed("no CRLF after chunk data")
        h1.read_fields(wire)


class H2Stream:
    """A stream of a connection of its own; leaving resets the stream and keeps the connection."""

    def __init__(self, host, port, tls=None, server_name=None):
        self.client = h2_client.Client(host, port, tls=tls, server_name=server_name)
        self._stream = None
        self._read = 0

    @property
    def response(self):
        return self.client.responses[self._stream]

    def start(self, path, method="GET", has_body=False):
        self._stream = self.client.start(path, method=method, end=not has_body)

    def send(self, data):
        self.client.send(self._stream, data)

    def end(self):
        self.client.send(self._stream, end=True)

    def status(self):
        self.client.wait(lambda: self.response.fields or self.response.ended)
        return self.response.status

    def field(self, name):
        return self.response.field(name)

    def read(self, size):
        start, self._read = self._read, self._read + size
        self.client.wait(lambda: len(self.response.body) >= self._read or self.response.ended)
        if len(self.response.body) < self._read:
            raise h1.Cut(f"stream ended: {self.response}")
        return self.response.body[start:self._read]

    def rest(self):
        response = self.client.finish(self._stream)
        if response.reset is not None:
            raise h1.Cut(f"stream reset: {response}", True)
        start, self._read = self._read, len(response.body)
        return response.body[start:]

    def leave(self):
        self.client.reset(self._stream)

    def close(self):
        with contextlib.suppress(OSError):
            self.client.close()


class H2Leaver(H2Stream):
    """Leaves by closing its connection."""

    def leave(self):
        self.close()


KINDS = {"HTTP/1.1": H1Stream, "HTTP/2": H2Stream}
LEAVERS = {**KINDS, "HTTP/2, closing": H2Leaver}
