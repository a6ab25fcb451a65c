"""HTTP/1.1 read by the letter of RFC 9112, for both ends of a test.

Anything a careless peer could read in two ways is Malformed: bare CR or LF, folded lines, a space
before the colon, two framings, chunk sizes that are not plain hexadecimal.
"""
import re
import socket
import ssl

TOKEN = re.compile(rb"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$")
VALUE = re.compile(rb"^[\t \x21-\x7e\x80-\xff]*$")
REQUEST_LINE = re.compile(rb"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])$")
STATUS_LINE = re.compile(rb"^HTTP/1\.([01]) ([1-9][0-9][0-9]) ([\t \x21-\x7e\x80-\xff]*)$")
LINE_MAX = 1 << 20
BODY_KEPT_MAX = 8 << 20  # Of longer bodies only the length is kept.


class Malformed(Exception):
    """The peer broke RFC 9112."""


class Gone(Exception):
    """The peer closed between two messages."""


class Cut(Exception):
    """The peer closed, or reset, inside a message; `.reset` says which."""

    def __init__(self, text, reset=False):
        super().__init__(text)
        self.reset = reset


class Wire:
    """Buffered reading from a socket; keeps what arrived in `raw` (up to a limit)."""

    def __init__(self, sock, raw_max=16 << 20):
        self.sock = sock
        self.buffer = bytearray()
        self.raw = bytearray()
        self.raw_max = raw_max
        self.eof = False
        self.reset = False

    def more(self):
        if self.eof:
            return False
        try:
            data = self.sock.recv(1 << 18)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as e:
            self.reset = isinstance(e, ConnectionResetError)
            data = b""
        if not data:
            self.eof = True
            return False
        self.buffer += data
        if len(self.raw) < self.raw_max:
            self.raw += data
        return True

    def line(self, first=False):
        while True:
            end = self.buffer.find(b"\n")
            if end >= 0:
                line = bytes(self.buffer[:end + 1])
                del self.buffer[:end + 1]
                if not line.endswith(b"\r\n"):
                    raise Malformed(f"bare LF after {line[-40:]!r}")
                if b"\r" in line[:-2]:
                    raise Malformed(f"bare CR in {line[:80]!r}")
                return line[:-2]
            if len(self.buffer) > LINE_MAX:
                raise Malformed("line without end")
            if not self.more():
                if first and not self.buffer:
                    raise Gone()
                raise Cut(f"closed inside a line: {bytes(self.buffer[:80])!r}", self.reset)

    def pieces(self, length):
        """Yields `length` bytes, or all until the close when it is None."""
        left = length
        while left is None or left > 0:
            if not self.buffer and not self.more():
                if left is None:
                    if self.reset:
                        raise Cut("reset inside a body", True)
                    return
                raise Cut(f"closed with {left} body bytes to come", self.reset)
            piece = bytes(self.buffer if left is None else self.buffer[:left])
            del self.buffer[:len(piece)]
            if left is not None:
                left -= len(piece)
            yield piece


class Message:
    def __init__(self):
        self.version = 1
        self.fields = []  # (name, value) as sent, bytes.
        self.trailers = []
        self.body = b""
        self.body_bytes = 0
        self.chunks = []  # Sizes, when chunked.
        self.complete = False

    def all(self, name):
        name = name.lower().encode()
        return [v.decode("latin-1") for n, v in self.fields if n.lower() == name]

    def get(self, name, default=None):
        values = self.all(name)
        return ", ".join(values) if values else default

    def has(self, name):
        return bool(self.all(name))


class Request(Message):
    method = target = ""


class Response(Message):
    status = 0
    reason = ""

    def __init__(self):
        super().__init__()
        self.interim = []


def read_fields(wire):
    fields = []
    while True:
        line = wire.line()
        if not line:
            return fields
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.match(name):
            raise Malformed(f"field line {line[:80]!r}")
        value = value.strip(b" \t")
        if not VALUE.match(value):
            raise Malformed(f"field value {value[:80]!r}")
        fields.append((name, value))


def framing(message, length_default):
    """Body length, or "chunked"; Malformed on anything ambiguous (RFC 9112 section 6.3)."""
    codings = message.all("transfer-encoding")
    lengths = message.all("content-length")
    if codings:
        if lengths:
            raise Malformed("Content-Length and Transfer-Encoding")
        if len(codings) != 1 or codings[0].lower() != "chunked":
            raise Malformed(f"Transfer-Encoding {codings}")
        if message.version == 0:
            raise Malformed("Transfer-Encoding in HTTP/1.0")
        return "chunked"
    if lengths:
        if len(lengths) != 1 or not re.match(r"^(0|[1-9][0-9]*)$", lengths[0]):
            raise Malformed(f"Content-Length {lengths}")
        return int(lengths[0])
    return length_default


def take_body(wire, message, length):
    def keep(pieces):
        for piece in pieces:
            message.body_bytes += len(piece)
            if len(kept) < BODY_KEPT_MAX:
                kept.extend(piece)

    kept = bytearray()
    try:
        if length != "chunked":
            keep(wire.pieces(length))
        else:
            while True:
                size = wire.line()
                if not re.match(rb"^[0-9A-Fa-f]{1,15}$", size):
                    raise Malformed(f"chunk size {size[:40]!r}")
                size = int(size, 16)
                if size == 0:
                    message.trailers = read_fields(wire)
                    break
                message.chunks.append(size)
                keep(wire.pieces(size))
                if wire.line() != b"":
                    raise Malformed("no CRLF after chunk data")
    finally:
        message.body = bytes(kept)
    message.complete = True


def read_request_head(wire):
    request = Request()
    line = wire.line(first=True)
    match = REQUEST_LINE.match(line)
    if not match:
        raise Malformed(f"request line {line[:80]!r}")
    request.method, request.target = match[1].decode(), match[2].decode("latin-1")
    request.version = int(match[3])
    request.fields = read_fields(wire)
    if request.version == 1 and len(request.all("host")) != 1:
        raise Malformed(f"Host {request.all('host')}")
    request.framing = framing(request, 0)
    return request


def read_response(wire, method="GET", interim_max=1000):
    """The final response; interim ones are in its `.interim`."""
    interim = []
    while True:
        response = Response()
        line = wire.line(first=True)
        match = STATUS_LINE.match(line)
        if not match:
            raise Malformed(f"status line {line[:80]!r}")
        response.version, response.status = int(match[1]), int(match[2])
        response.reason = match[3].decode("latin-1")
        response.fields = read_fields(wire)
        if response.status >= 200 or response.status == 101:
            break
        interim.append(response)
        if len(interim) > interim_max:
            raise Malformed("endless interim responses")
    response.interim = interim
    length = framing(response, None)
    if method == "HEAD" or response.status in (101, 204, 304):
        response.complete = True
        return response
    try:
        take_body(wire, response, length)
    except Cut as cut:
        cut.response = response
        raise
    return response


class Client:
    """One client connection that sends exactly the bytes it is told."""

    def __init__(self, host, port, tls=None, server_name=None, source=None, timeout=None, session=None):
        from waiting import DEADLINE
        self.sock = socket.create_connection((host, port), timeout or DEADLINE,
                                             source_address=source)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=server_name, session=session)
        self.wire = Wire(self.sock)

    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def send_split(self, data, size=1):
        """One write for every `size` bytes; stops quietly when the peer has closed."""
        for at in range(0, len(data), size):
            try:
                self.sock.sendall(data[at:at + size])
            except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
                return self
        return self

    def response(self, method="GET"):
        return read_response(self.wire, method)

    def ask(self, data, method=None):
        if isinstance(data, str):
            data = data.encode("latin-1")
        self.send(data)
        return self.response(method or data.split(b" ", 1)[0].decode("latin-1"))

    def at_end(self):
        """Reads until the peer closes; the bytes that came, or a timeout error."""
        rest = bytes(self.wire.buffer)
        self.wire.buffer.clear()
        while self.wire.more():
            rest += bytes(self.wire.buffer)
            self.wire.buffer.clear()
        return rest

    def half_close(self):
        if isinstance(self.sock, ssl.SSLSocket):
            # TLS has no half-close at the socket's level; FIN after the last record is what
            # a client that stops sending looks like.
            socket.socket.shutdown(self.sock, socket.SHUT_WR)
        else:
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        import struct
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
