"""A gRPC-Web client over HTTP/1.1, binary or text, and as much of Protobuf as its messages need.

    call = grpc_web.ask(host, port, "/grpc.testing.TestService/EmptyCall", [b""], text=True)
    call.code, call.messages, call.trailers
"""
import base64
import re
import urllib.parse

import h1

BINARY, TEXT = "application/grpc-web", "application/grpc-web-text"
TRAILERS = 0x80


# --- Protobuf's encoding.

def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def message(fields):
    """From (number, value) pairs; a value is an int, bytes, text, or such pairs again."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
            continue
        if isinstance(value, (list, tuple)):
            value = message(value)
        data = value.encode() if isinstance(value, str) else value
        out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def fields_of(data):
    """{number: [values]} of a message of integers and bytes."""
    at, out = 0, {}

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(data):
        key = number()
        if key & 7 == 0:
            out.setdefault(key >> 3, []).append(number())
            continue
        if key & 7 != 2:
            raise ValueError(f"wire type {key & 7}")
        size = number()
        if at + size > len(data):
            raise ValueError("a field that is cut")
        out.setdefault(key >> 3, []).append(data[at:at + size])
        at += size
    return out


# --- Frames.

def frame(data, flags=0):
    return bytes([flags]) + len(data).to_bytes(4, "big") + data


def in_segments(data, size):
    """base64, a segment of its own for every `size` bytes."""
    return b"".join(base64.b64encode(data[at:at + size]) for at in range(0, len(data), size))


def from_segments(text):
    """Strictly: padded segments, one behind the other."""
    if len(text) % 4 or not re.fullmatch(rb"(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2,3}={1,2})*", text):
        raise h1.Malformed(f"no base64: {text[-60:]!r}")
    return b"".join(base64.b64decode(text[at:at + 4], validate=True)
                    for at in range(0, len(text), 4))


def take_frame(data):
    """(flags, content, rest), or None while it is not complete."""
    if len(data) < 5:
        return None
    size = int.from_bytes(data[1:5], "big")
    if len(data) < 5 + size:
        return None
    return data[0], data[5:5 + size], data[5 + size:]


def read_trailers(block):
    trailers = {}
    for line in block.decode("latin-1").split("\r\n")[:-1]:
        match = re.fullmatch(r"([!#$%&'*+.^_`|~0-9a-z-]+): ?(.*)", line)
        if not match or match[1] in trailers:
            raise h1.Malformed(f"trailer line {line!r}")
        trailers[match[1]] = match[2]
    if block and not block.endswith(b"\r\n"):
        raise h1.Malformed(f"trailers that are cut: {block!r}")
    return trailers


class Call:
    """How a call ended."""

    def __init__(self, response):
        self.response = response
        kind = (response.get("content-type") or "").split(";")[0].strip()
        self.text = kind.startswith(TEXT)
        self.messages, self.trailers = [], None
        rest = from_segments(response.body) if self.text else response.body
        while rest:
            taken = take_frame(rest)
            if taken is None or self.trailers is not None or taken[0] & 0x7e:
                raise h1.Malformed(f"no frame, or behind the trailers: {rest[:60]!r}")
            flags, content, rest = taken
            if flags & TRAILERS:
                self.trailers = read_trailers(content)
            else:
                self.messages.append(content)

    def field(self, name):
        """Where there are no messages, the response's own fields may stand for the trailers."""
        if self.trailers is not None and name in self.trailers:
            return self.trailers[name]
        return self.response.get(name)

    @property
    def code(self):
        value = self.field("grpc-status")
        return None if value is None else int(value)

    @property
    def message(self):
        return urllib.parse.unquote(self.field("grpc-message") or "")


def head(path, host, kind, length, headers=()):
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Type: {kind}", "X-Grpc-Web: 1",
             *([f"Accept: {kind}"] if not any(h.lower().startswith("accept:") for h in headers)
               else []), f"Content-Length: {length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def ask(host, port, path, messages, text=False, headers=(), segment=None, authority="a.test"):
    """`segment`: so many bytes in one segment of base64; all of them without."""
    body = b"".join(frame(one) for one in messages)
    if text:
        body = in_segments(body, segment or max(len(body), 1))
    kind = (TEXT if text else BINARY) + "+proto"
    with h1.Client(host, port) as client:
        return Call(client.ask(head(path, authority, kind, len(body), headers) + body, "POST"))


class Stream:
    """A call whose response is read frame by frame, as it comes."""

    def __init__(self, host, port, path, data, text=False, authority="a.test"):
        body = base64.b64encode(frame(data)) if text else frame(data)
        self.client = h1.Client(host, port)
        self.text, self.encoded, self.decoded = text, b"", b""
        kind = (TEXT if text else BINARY) + "+proto"
        self.client.send(head(path, authority, kind, len(body)) + body)
        self.pieces = None

    def _pieces(self):
        wire = self.client.wire
        status = wire.line(first=True)
        fields = {name.lower(): value for name, value in h1.read_fields(wire)}
        if b" 200 " not in status or fields.get(b"transfer-encoding") != b"chunked":
            raise h1.Malformed(f"{status!r} {fields}")
        while size := int(wire.line(), 16):
            yield from wire.pieces(size)
            wire.line()
        h1.read_fields(wire)

    def next(self):
        """(flags, content) of the next frame; None at the end."""
        self.pieces = self.pieces or self._pieces()
        while (taken := take_frame(self.decoded)) is None:
            piece = next(self.pieces, None)
            if piece is None:
                if self.decoded or self.encoded:
                    raise h1.Malformed("the body ends within a frame")
                return None
            if self.text:
                self.encoded += piece
                whole = len(self.encoded) // 4 * 4
                piece, self.encoded = from_segments(self.encoded[:whole]), self.encoded[whole:]
            self.decoded += piece
        flags, content, self.decoded = taken
        return flags, content

    def close(self):
        self.client.close()
