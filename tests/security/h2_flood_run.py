"""Runs a flood beside an ordinary client, and judges what the catalogue calls limit_close."""
import select
import ssl
import threading
import time

import h2_floods
import h2_frames as h2
import observe
import rig

SECONDS_MAX = 40.0 * observe.waiting.SLOWDOWN
# A loaded machine stalls a client now and then without anybody's fault.
P99_FLOOR = 0.1 * observe.waiting.SLOWDOWN


class Bystander(threading.Thread):
    """An HTTP/1.1 client that asks all the time, for what needs no upstream: the recording one is slow
    with a hundred connections, which says nothing of the proxy."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.target = target
        self.client = rig.h1.Client(target.host, target.clear)
        self.done = threading.Event()
        self.seconds, self.problem = [], None

    def ask(self):
        begun = time.monotonic()
        try:
            status = self._status()
            if status != 403:
                self.problem = f"status {status}"
        except (OSError, rig.h1.Cut, rig.h1.Gone) as error:
            self.problem = repr(error)
        self.seconds.append(time.monotonic() - begun)

    def _status(self):
        try:
            return self.client.ask(rig.request("/admin")).status
        except rig.h1.Gone:  # nginx ends a connection after 1000 requests.
            self.client.close()
            self.client = rig.h1.Client(self.target.host, self.target.clear)
            return self.client.ask(rig.request("/admin")).status

    def run(self):
        while not self.done.is_set() and not self.problem:
            self.ask()
            time.sleep(0.002)

    def p99(self):
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)] if self.seconds else 0.0

    def end(self):
        self.done.set()
        self.join()
        self.client.close()


def _write_unread(sending, data, end):
    """Sends without reading. False when nothing more goes out: closed, or the peer reads no more."""
    sock = sending.client.sock
    while data:
        try:
            data = data[sock.send(data):]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            if time.monotonic() > end:
                return False
            select.select([], [sock], [], 0.1)
        except (OSError, ssl.SSLError):
            return False
    return True


def _flood(case, sending):
    """True when all of it was sent."""
    end = time.monotonic() + SECONDS_MAX
    unread = case.id in h2_floods.UNREAD
    for data in h2_floods.GENERATORS[case.id](case, sending):
        if time.monotonic() > end:
            break
        if unread:
            if not _write_unread(sending, data, end):
                return False
            continue
        sending.send(data)
        sending.pump()
        if sending.closed:
            return False
        if h2.ENHANCE_YOUR_CALM in [code for _, code in sending.goaways]:
            return False
    return True


def _judge(case, sending, sent_all):
    if case.id in h2_floods.INSTEAD:
        return None if h2_floods.INSTEAD[case.id](sending) else "other streams or limits suffer"
    # What was said before the close is read only now by those who did not read.
    over = sending.wait(lambda: sending.closed, 8.0 * observe.waiting.SLOWDOWN)
    if sent_all and not sending.goaways and not sending.reset:
        return "everything was taken" + ("" if over else " and the connection is open")
    return None if over else "the connection is open"


def one(target, case, secure):
    """(None or what went wrong, the sending)"""
    quiet = Bystander(target)
    for _ in range(200):
        quiet.ask()
    quiet.client.close()

    sending = h2_floods.begin(target, case, secure)
    bystander = Bystander(target)
    bystander.start()
    try:
        before = target.rss_kib()
        sent_all = _flood(case, sending)
        grown = target.rss_kib() - before
        problem = _judge(case, sending, sent_all)
    finally:
        bystander.end()
        sending.end()
    if problem:
        return f"{problem}; {sending.saw()}", sending, grown
    if bystander.problem:
        return f"another client: {bystander.problem}", sending, grown
    allowed = max(2 * quiet.p99(), P99_FLOOR)
    if bystander.p99() > allowed:
        return (f"another client's p99 was {bystander.p99() * 1e3:.0f} ms, "
                f"{quiet.p99() * 1e3:.1f} ms without"), sending, grown
    return None, sending, grown
