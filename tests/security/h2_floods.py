"""What the flood cases send: per case a generator of writes, made from the case's unit.

A generator gets the case and the sending, may look at what came back to keep to a limit the
attack does not mean to break, and stops being asked once the connection is over.
"""
import time

import h2_frames as h2
import h2_observe

BATCH = 16384  # Bytes of small units in one write.
SIZE_0, SIZE_4096 = b"\x20", b"\x3f\xe1\x1f"  # HPACK table size updates (RFC 7541 section 6.3).
BIG = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (10 << 20) + bytes(10 << 20)
FLOW_WAIT = 20.0


def _batched(units):
    batch = b""
    for unit in units:
        batch += unit
        if len(batch) >= BATCH:
            yield batch
            batch = b""
    yield batch


def _streams(case, count=10000):
    """The unit again and again, each time on the next stream."""
    yield from _batched(h2.with_stream(case.hex, 2 * i) for i in range(count))


def _repeated(case, count=100000):
    yield from _batched(case.hex for _ in range(count))


def _streams_on(case, sending):
    return _streams(case)


def _repeated_on(case, sending):
    return _repeated(case)


def continuation(case, sending):
    yield h2.frame(h2.HEADERS, 0, 1, h2.head_block())
    yield from _repeated(case, 10000)


def slow_continuation(case, sending):
    yield h2.frame(h2.HEADERS, 0, 1, h2.head_block())
    # Well past the deadline of 3 s; never the end of the section.
    for _ in range(8):
        yield case.hex
        sending.wait(lambda: sending.closed or sending.goaways, 1.0)


def _in_turn(sending, stream, open_max=50):
    """Waits until so few requests are open that one more is no offence."""
    asked = (stream - 1) // 2
    sending.wait(lambda: sending.closed or sending.goaways or sending.open_streams(asked) < open_max,
                 FLOW_WAIT)


def table_thrash(case, sending):
    for i in range(10000):
        stream = 1 + 2 * i
        _in_turn(sending, stream)
        # Fills the table, throws it away with the next block, and so on.
        block = (SIZE_0 if i % 2 else SIZE_4096) + h2.head_block()
        block += b"".join(h2.literal(f"x-{n}-{i}", "y" * 100, indexed=True) for n in range(8))
        yield h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream, block)


def empty_data(case, sending):
    yield h2.request(1, method="POST", end=False)
    yield from _repeated(case)


def empty_names(case, sending):
    # 100 in a section, so that neither its size nor its frames are what is limited.
    for i in range(100):
        yield h2.request(1 + 2 * i, more=case.block * 100)


def zero_window_stall(case, sending):
    yield b"".join(h2.request(1 + 2 * i, "/big") for i in range(100))
    sending.wait(lambda: sending.closed or sending.goaways, FLOW_WAIT)


def unread_socket(case, sending):
    for i in range(200000):
        yield h2.request(1 + 2 * i, "/big")


def goaway_then_new(case, sending):
    yield h2.frame(h2.DATA, 0, 0, b"x")  # A connection error: GOAWAY.
    sending.wait(lambda: sending.goaways or sending.closed)
    for i in range(10000):
        yield h2.with_stream(case.hex, 2 * i)


def max_streams(case, sending):
    yield b"".join(h2.with_stream(case.hex, 2 * i) for i in range(200))
    sending.wait(lambda: refused_or_over(sending), 5.0)


def refused_or_over(sending):
    limit = sending.settings.get(h2.MAX_CONCURRENT_STREAMS, 1 << 31)
    refused = sum(1 for s in sending.streams.values() if s.reset == h2.REFUSED_STREAM)
    return sending.closed or sending.goaways or refused >= 200 - limit


def upload_window_hog(case, sending):
    """All the window there is goes to streams whose upstream does not read; see `served_beside`."""
    window = sending.settings.get(h2.INITIAL_WINDOW_SIZE, 65535)
    yield h2.request(1, "/stale", "POST", end=False)
    for _ in range(min(window, 65535) // BATCH):
        yield h2.frame(h2.DATA, 0, 1, b"x" * BATCH)
    yield h2.frame(h2.DATA, 0, 1, b"x" * (min(window, 65535) % BATCH))
    for stream in range(3, 23, 2):
        yield h2.request(stream, "/beside")
    sending.wait(lambda: all(sending.stream(n).ended for n in range(3, 23, 2)), 5.0)


def served_beside(sending):
    return all(sending.stream(n).status == 200 for n in range(3, 23, 2))


GENERATORS = {
    "h2-flood-rapid-reset": _streams_on,
    "h2-flood-mur-wu-zero": _streams_on,
    "h2-flood-mur-wu-overflow": _streams_on,
    "h2-flood-mur-priority-len": _streams_on,
    "h2-flood-mur-headers-after-end": _streams_on,
    "h2-flood-malformed-headers": _streams_on,
    "h2-flood-continuation": continuation,
    "h2-flood-slow-continuation": slow_continuation,
    "h2-flood-hpack-table-thrash": table_thrash,
    "h2-flood-empty-data": empty_data,
    "h2-flood-empty-headers-name": empty_names,
    "h2-flood-ping": _repeated_on,
    "h2-flood-settings": _repeated_on,
    "h2-flood-priority": _repeated_on,
    "h2-flood-zero-window-stall": zero_window_stall,
    "h2-flood-unread-socket": unread_socket,
    "h2-flood-goaway-then-new": goaway_then_new,
    "h2-flood-max-streams": max_streams,
    "h2-flood-upload-window-hog": upload_window_hog,
}
# The client takes nothing while it sends.
UNREAD = ("h2-flood-ping", "h2-flood-settings", "h2-flood-unread-socket")
# The catalogue's note, not the class, says what must hold.
INSTEAD = {"h2-flood-max-streams": refused_or_over, "h2-flood-upload-window-hog": served_beside}


def answer(connection, request):
    if request.target == "/big":
        return BIG
    return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def stale(connection, request):
    """Asked between head and body: until it returns, the body is not read."""
    if request.target == "/stale":
        end = time.monotonic() + 8.0
        while time.monotonic() < end and not connection.ended:
            time.sleep(0.05)


def begin(target, case, secure):
    """The connection the flood goes over."""
    target.up.clear()
    target.up.on_request = answer
    target.up.on_head = stale
    if case.id == "h2-flood-zero-window-stall":
        return h2_observe.H2Sending(target, secure, (h2.INITIAL_WINDOW_SIZE, 0))
    if case.id == "h2-flood-unread-socket":
        return h2_observe.H2Sending(target, secure, (h2.INITIAL_WINDOW_SIZE, 0x7fffffff))
    return h2_observe.H2Sending(target, secure)
