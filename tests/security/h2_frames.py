"""HTTP/2 frames (RFC 9113 section 4.1), read and written without any judgement."""
import collections
import struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED,
 FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR,
 ENHANCE_YOUR_CALM) = range(12)
ERRORS = ("NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED "
          "FRAME_SIZE_ERROR REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR "
          "ENHANCE_YOUR_CALM").split()

MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 3, 4, 5
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES = 9

Frame = collections.namedtuple("Frame", "type flags stream payload")


def error_name(code):
    return ERRORS[code] if code is not None and code < len(ERRORS) else str(code)


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*pairs):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in pairs))


def literal(name, value, indexed=False):
    """A field as HPACK writes it without any table (RFC 7541 section 6.2); short ones only."""
    out = b"\x40" if indexed else b"\x00"
    for text in (name, value):
        text = text.encode("latin-1")
        assert len(text) < 127
        out += bytes((len(text),)) + text
    return out


def head_block(method="GET", path="/", scheme="https", authority="a.test"):
    return (literal(":method", method) + literal(":scheme", scheme) +
            literal(":authority", authority) + literal(":path", path))


def request(stream, path="/", method="GET", end=True, more=b""):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream,
                 head_block(method, path) + more)


class Reader:
    """Bytes in, complete frames out."""

    def __init__(self):
        self.rest = bytearray()

    def feed(self, data):
        self.rest += data
        found, at = [], 0
        while len(self.rest) - at >= HEAD_BYTES:
            size = int.from_bytes(self.rest[at:at + 3], "big")
            if len(self.rest) - at < HEAD_BYTES + size:
                break
            kind, flags, stream = struct.unpack_from(">BBI", self.rest, at + 3)
            found.append(Frame(kind, flags, stream & 0x7fffffff,
                               bytes(self.rest[at + HEAD_BYTES:at + HEAD_BYTES + size])))
            at += HEAD_BYTES + size
        del self.rest[:at]
        return found


def field_bytes(read):
    """The part of a HEADERS frame that is HPACK."""
    payload = read.payload
    if read.flags & PADDED:
        payload = payload[1:len(payload) - payload[0]]
    return payload[5:] if read.flags & WITH_PRIORITY else payload


def with_stream(unit, shift):
    """Frames of `unit`, their streams (not stream 0) moved up by `shift`."""
    return b"".join(frame(f.type, f.flags, f.stream + shift if f.stream else 0, f.payload)
                    for f in Reader().feed(unit))
