"""One sending of one case: what the client saw, what the upstream saw."""
import base64
import hashlib
import itertools
import select
import ssl
import time

import cases
import h1
import waiting

PATIENCE = 10.0 * waiting.SLOWDOWN


_numbers = itertools.count()


def own_source():
    """A loopback address that no other sending has: the access log tells them apart by it."""
    number = next(_numbers)
    return f"127.{1 + number // 62500 % 250}.{number // 250 % 250}.{1 + number % 250}"


class Fixed:
    """Bytes already received, in the shape h1.Wire reads from."""

    def __init__(self, data):
        self.data = [data] if data else []

    def recv(self, _):
        return self.data.pop() if self.data else b""


class Sending:
    """Reads between its writes, so that an early answer is not lost to a later reset."""

    def __init__(self, target, secure):
        self.target = target
        self.source = own_source()
        self.port = target.tls if secure else target.clear
        self.client = h1.Client(target.host, self.port, tls=target.context if secure else None,
                                server_name="a.test" if secure else None, source=(self.source, 0))
        self.client.sock.setblocking(False)
        self.methods = []
        self.got = b""
        self.closed = self.reset = False
        self._parsed = (None, None)  # What answers() last made of what there was.

    def pump(self, seconds=0.0):
        """Takes what has arrived, waiting at most so long for the first of it."""
        if self.closed:
            return
        sock = self.client.sock
        if seconds and not (isinstance(sock, ssl.SSLSocket) and sock.pending()):
            select.select([sock], [], [], seconds)
        while not self.closed:
            try:
                data = sock.recv(1 << 16)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except (ConnectionResetError, BrokenPipeError):
                data, self.reset = b"", True
            except ssl.SSLError:
                data = b""
            if data:
                self.got += data
            else:
                self.closed = True

    def send(self, data, piece=None):
        """In one write, or in pieces; ends quietly when the peer has closed."""
        piece = piece or len(data)
        for at in range(0, len(data), piece):
            self._write(data[at:at + piece])
            self.pump()
            if self.closed:
                return

    def _write(self, data):
        sock = self.client.sock
        end = time.monotonic() + PATIENCE
        while data and not self.closed and time.monotonic() < end:
            try:
                data = data[sock.send(data):]
            except (BlockingIOError, ssl.SSLWantWriteError):
                select.select([sock], [sock], [], 0.05)
                self.pump()
            except ssl.SSLWantReadError:
                self.pump(0.05)
            except (OSError, ssl.SSLError):
                # The peer has closed; what it said before may still be there to read.
                self.pump(0.05)
                return

    def answers(self):
        """(complete responses, what is wrong with the rest or None)."""
        state = (len(self.got), self.closed, len(self.methods))
        if self._parsed[0] != state:
            self._parsed = (state, self._parse(self.got, self.closed))
        return self._parsed[1]

    def _parse(self, data, closed):
        wire = h1.Wire(Fixed(data))
        found = []
        while wire.buffer or wire.more():
            method = self.methods[len(found)] if len(found) < len(self.methods) else "GET"
            try:
                response = h1.read_response(wire, method, interim_max=1 << 20)
            except (h1.Cut, h1.Gone) as error:
                return found, f"cut: {error}"
            except h1.Malformed as error:
                return found, f"malformed: {error}"
            until_close = (method != "HEAD" and response.status not in (101, 204, 304)
                           and not response.has("content-length")
                           and not response.has("transfer-encoding"))
            if until_close and not closed:
                return found, "open: until close"
            found.append(response)
        return found, None

    def wait(self, condition, patience=None):
        """True as soon as condition() holds."""
        end = time.monotonic() + (patience or PATIENCE)
        while not condition():
            if time.monotonic() > end:
                return False
            # Once closed nothing more comes from here; the upstream's side may still change.
            if self.closed:
                time.sleep(0.002)
            else:
                self.pump(0.002)
        return True

    def end(self):
        self.client.close()


def switch_and_echo(connection, request):
    """A WebSocket server as far as the switch; afterwards every byte comes back."""
    key = request.get("sec-websocket-key").encode()
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    connection.before_switch = connection.raw
    connection.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    while connection.wire.buffer or connection.wire.more():
        connection.send(bytes(connection.wire.buffer))
        connection.wire.buffer.clear()
    return "close"


def run(target, case, secure, split):
    """Sends the case as it stands; returns the Sending, still open."""
    answer = cases.upstream_bytes(case)
    early = case.base_id in ("expect-early-final", "resp-early-before-body")
    target.up.clear()
    target.up.on_head = (lambda c, q: answer) if early else None
    if case.expect == "tunnel":
        target.up.on_request = switch_and_echo
    elif answer and not early:
        target.up.on_request = lambda c, q: answer
    else:
        target.up.on_request = lambda c, q: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    sending = Sending(target, secure)
    sending.methods = [case.method]
    sending.send(cases.prepared(case, sending.port), case.piece() if split else None)
    if case.half_close:
        sending.client.half_close()
    return sending
