"""Group proxy-protocol: the catalogue has bytes for it, for a port that expects the header. Over TLS the
header, or what is sent in its place, goes ahead of the handshake, and the rest inside."""
import cases
import certs
import judge
import observe
from scenarios import scenario

GROUP = "proxy-protocol"
PIECE = 1  # Bytes in a write, where it is split.


class TlsSending(observe.Sending):
    """A case on a port where TLS begins behind the header."""

    def __init__(self, site, case, split):
        self._ahead, self._inside = ahead_and_inside(case.send)
        self._split = split
        super().__init__(site.seen_from("pp-tls"), False)
        self.methods = [case.method]

    def play(self):
        if self._ahead:
            self.send(self._ahead, PIECE if self._split else None)
        if not self._inside or self.closed:
            return
        sock = self.client.sock
        try:
            sock.settimeout(observe.PATIENCE)
            self.client.sock = certs.client_context().wrap_socket(sock, server_hostname="a.test")
        except OSError:  # Of TLS, too: it was refused.
            self.closed = True
            return
        self.client.sock.setblocking(False)
        self.send(self._inside, PIECE if self._split else None)


def ahead_and_inside(data):
    """The first header, if there is one, and what comes behind it."""
    if not data.startswith(b"PROXY ") or b"\r\n" not in data:
        return (b"", data) if data.startswith(b"GET ") else (data, b"")
    head, end, rest = data.partition(b"\r\n")
    return head + end, rest


def in_clear(site, case, split):
    target = site.seen_from("pp")
    sending = observe.run(target, case, False, split)
    try:
        return judge.verdict(target, case, sending)[1]
    finally:
        sending.end()


def over_tls(site, case, split):
    site.up.clear()
    sending = TlsSending(site, case, split)
    try:
        sending.play()
        return judge.verdict(sending.target, case, sending)[1]
    finally:
        sending.end()


def by_bytes(case):
    def run(site):
        for name, way in (("clear", in_clear), ("tls", over_tls)):
            for split in (False, True):
                problem = way(site, case, split)
                if problem:
                    return f"{name}, {'split' if split else 'whole'}: {problem}"
        return None
    return run


for _case in cases.load((GROUP,)):
    scenario(_case.id)(by_bytes(_case))
