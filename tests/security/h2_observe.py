"""One HTTP/2 connection: what the client sent, and what it saw of every stream."""
import struct
import time

import hpack

import certs
import h1
import h2_frames as h2
import observe

PREFACE_PATIENCE = 5.0


class Stream:
    def __init__(self):
        self.status = None   # Of the final response.
        self.heads = []
        self.body_bytes = 0
        self.ended = False
        self.reset = None    # The code of RST_STREAM.


class H2Sending(observe.Sending):
    """Behind the preface, with the server's SETTINGS acknowledged, as the catalogue wants it."""

    def __init__(self, target, secure, *settings):
        self.target = target
        self.source = observe.own_source()
        self.port = target.tls if secure else target.clear_h2
        self.client = h1.Client(target.host, self.port,
                                tls=certs.client_context(alpn=["h2"]) if secure else None,
                                server_name="a.test" if secure else None, source=(self.source, 0))
        self.client.sock.setblocking(False)
        self.got, self.closed, self.reset = b"", False, False
        self.reader, self.decoder = h2.Reader(), hpack.Decoder()
        self.streams = {}
        self.frames = []       # Of the connection: kind and flags.
        self.settings = None   # The server's.
        self.goaways = []      # (last stream, code)
        self.unreadable = None
        self._head = None      # The stream and bytes of a header section under way.
        self.send(h2.PREFACE + h2.settings(*settings))
        if not self.wait(lambda: self.settings is not None or self.closed, PREFACE_PATIENCE):
            raise AssertionError("no SETTINGS from the server")
        self.send(h2.frame(h2.SETTINGS, h2.ACK))

    # ---- what came ----------------------------------------------------------------------------

    def pump(self, seconds=0.0):
        super().pump(seconds)
        if self.got:
            data, self.got = self.got, b""
            for read in self.reader.feed(data):
                self._take(read)

    def stream(self, number):
        return self.streams.setdefault(number, Stream())

    def _take(self, read):
        if read.stream == 0:
            self.frames.append((read.type, read.flags))
        if read.type == h2.SETTINGS and not read.flags & h2.ACK:
            pairs = struct.iter_unpack(">HI", read.payload)
            self.settings = dict(pairs)
        elif read.type == h2.GOAWAY:
            last, code = struct.unpack_from(">II", read.payload)
            self.goaways.append((last & 0x7fffffff, code))
        elif read.type == h2.RST_STREAM:
            self.stream(read.stream).reset = struct.unpack(">I", read.payload)[0]
        elif read.type == h2.DATA:
            self.stream(read.stream).body_bytes += len(read.payload)
        elif read.type == h2.HEADERS:
            self._head = (read.stream, h2.field_bytes(read))
        elif read.type == h2.CONTINUATION and self._head:
            self._head = (read.stream, self._head[1] + read.payload)
        if read.type in (h2.HEADERS, h2.CONTINUATION) and read.flags & h2.END_HEADERS:
            self._head_done()
        if read.type in (h2.DATA, h2.HEADERS) and read.flags & h2.END_STREAM:
            self.stream(read.stream).ended = True

    def _head_done(self):
        number, block = self._head
        self._head = None
        try:
            fields = dict(self.decoder.decode(block, raw=True))
        except hpack.HPACKError as error:
            self.unreadable = repr(error)
            return
        stream = self.stream(number)
        stream.heads.append(fields)
        status = int(fields.get(b":status", b"0"))
        if status >= 200:
            stream.status = status

    # ---- in short -----------------------------------------------------------------------------

    def goaway(self):
        """The code of the last GOAWAY, or None."""
        return self.goaways[-1][1] if self.goaways else None

    def answers(self):
        """In the shape of observe.Sending: what has a status."""
        return [s for s in self.streams.values() if s.status], None

    def open_streams(self, asked):
        """How many of the first `asked` (odd) streams are neither answered nor reset."""
        done = sum(1 for s in self.streams.values() if s.ended or s.reset is not None)
        return asked - done

    def saw(self):
        heard = "; ".join(
            f"stream {number}: {s.status or 'no status'}{' ended' if s.ended else ''}"
            + (f" RST {h2.error_name(s.reset)}" if s.reset is not None else "")
            for number, s in list(self.streams.items())[:6])
        goaway = f"GOAWAY {h2.error_name(self.goaway())}" if self.goaways else "no GOAWAY"
        return f"client saw {heard or 'no stream'}; {goaway}; {'closed' if self.closed else 'open'}"


def run(target, case, secure, split):
    """Sends the case as it stands; returns the H2Sending, still open."""
    target.up.clear()
    target.up.on_head = None
    target.up.on_request = lambda c, q: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    sending = H2Sending(target, secure)
    sending.send(case.send, case.piece if split else None)
    return sending


def clean_request(target):
    """A clean request on a new connection gets 200."""
    target.up.on_head = None
    target.up.on_request = lambda c, q: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean"
    for secure in (False, True):
        sending = H2Sending(target, secure)
        try:
            sending.send(h2.request(1, "/clean"))
            stream = sending.stream(1)
            end = time.monotonic() + observe.PATIENCE
            while not (stream.ended or sending.closed) and time.monotonic() < end:
                sending.pump(0.01)
            if (stream.status, stream.body_bytes) != (200, 5):
                return "a clean request afterwards: " + sending.saw()
        finally:
            sending.end()
    return None
