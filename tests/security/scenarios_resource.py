"""Groups resource and auth-limits: slow clients, many of them, and bodies without end."""
import contextlib
import resource
import socket
import threading
import time

import certs
import h2_client
import h2_flood_run
import rig
from scenario_site import BIG_BYTES, BODY_BYTES_MAX, CONNECTIONS_MAX, SECONDS
from scenarios import scenario
from scenarios_tls import ECDHE_ECDSA_AES128_GCM, client_hello

SLACK = 1.0 * rig.SLOWDOWN  # The catalogue: "within the configured deadline plus 1 s".
# Sanitizers keep freed memory.
CONNECTION_KIB_MAX = (1 << 10) * (1 if not rig.SANITIZER else 64)
PIPELINED = 10_000
FLOOD = 50_000
# Of them at once, where no limit keeps them out: as many as descriptors allow the proxy (it keeps an
# eighth for other things) and this process.
DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
HELD = min(20_000, DESCRIPTORS * 7 // 8 - 500)
HELD_SOURCES = 4     # Each address has ports for some 28,000.
HELD_KIB_MAX = HELD * 3 * (1 if not rig.SANITIZER else 6)


def one_byte_a_second(sock, data, limit):
    """(what came back until the end, seconds); None instead of bytes when there was no end."""
    begun = time.monotonic()
    said = b""
    sock.settimeout(1.0)
    for i in range(len(data)):
        try:
            sock.sendall(data[i:i + 1])
            piece = sock.recv(4096)
            while piece:
                said += piece
                piece = sock.recv(4096)
            return said, time.monotonic() - begun
        except TimeoutError:
            if time.monotonic() - begun > limit:
                return None, time.monotonic() - begun
        except OSError:
            return said, time.monotonic() - begun
    return None, time.monotonic() - begun


def in_time(said, seconds):
    if said is None:
        return "the connection goes on"
    # A second is the measure of the sender.
    return None if seconds < SECONDS + SLACK + 1 else f"ended after {seconds:.1f} s"


@scenario("res-slow-headers")
def slow_headers(site):
    with site.connect(site.clear) as sock:
        said, seconds = one_byte_a_second(sock, rig.request("/slow"), 4 * SECONDS)
    problem = in_time(said, seconds)
    if problem:
        return problem
    if said and not said.startswith(b"HTTP/1.1 408 "):
        return f"it said {said[:60]!r}"
    return site.untouched(site.up)


@scenario("res-slow-tls-hello")
def slow_tls_hello(site):
    with site.connect(site.tls) as sock:
        said, seconds = one_byte_a_second(sock, client_hello((ECDHE_ECDSA_AES128_GCM,)),
                                          4 * SECONDS)
    return in_time(said, seconds)


@scenario("res-slow-read")
def slow_read(site):
    before = site.rss_kib()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sock.connect((site.host, site.clear))
        sock.settimeout(1.0)
        sock.sendall(rig.request(site.big))
        begun, most = time.monotonic(), 0
        while time.monotonic() - begun < 4 * SECONDS + SLACK and site.holds(sock):
            most = max(most, site.rss_kib() - before)
            with contextlib.suppress(ConnectionResetError):
                sock.recv(1)
            time.sleep(1)
        if site.holds(sock):
            return "the connection goes on"
    if site.records() is not None:
        record = site.proxy.wait_record(lambda r: r["path"] == site.big)
        if record["response_bytes"] >= BIG_BYTES or record.get("failure") != "client_gone":
            return f"the log says {record}"
    return f"memory grew by {most} KiB" if most > CONNECTION_KIB_MAX else None


@scenario("res-half-open-keepalive")
def half_open_keep_alive(site):
    for port, context in ((site.clear, None), (site.tls, certs.client_context())):
        with site.client(port, context) as client:
            if client.ask(rig.request("/first")).status != 200:
                return "the first request failed"
            begun = time.monotonic()
            if client.at_end():
                return "more came than the answer"
            problem = in_time(b"", time.monotonic() - begun)
            if problem:
                return problem
    return None


@scenario("res-pipelining-10000")
def pipelining(site):
    before, most = site.rss_kib(), 0
    with site.client() as client:
        requests = b"".join(rig.request(f"/nginx/{i}") for i in range(PIPELINED))
        sender = threading.Thread(target=client.send, args=(requests,), daemon=True)
        sender.start()
        for i in range(PIPELINED):
            answer = client.response()
            uri = rig.told(answer.body).get("uri") if answer.status == 200 else None
            if uri != f"/nginx/{i}":
                return f"answer {i} is {answer.status} {answer.body[:60]!r}"
            if i % 100 == 0:
                most = max(most, site.rss_kib() - before)
        sender.join(rig.DEADLINE)
    return f"memory grew by {most} KiB" if most > 4 * CONNECTION_KIB_MAX else None


@scenario("res-conn-flood-50000")
def connection_flood(site):
    return flood_against_a_limit(site) or flood_without_a_limit(site)


def quiet_bystander(site):
    """What another client sees while nothing else happens."""
    quiet = h2_flood_run.Bystander(site)
    for _ in range(200):
        quiet.ask()
    quiet.client.close()
    return quiet


def slower(bystander, quiet):
    """None, or by how much a client's p99 is above what the catalogue allows."""
    if bystander.p99() <= max(2 * quiet.p99(), h2_flood_run.P99_FLOOR):
        return None
    return (f"another client's p99 was {bystander.p99() * 1e3:.0f} ms, "
            f"{quiet.p99() * 1e3:.1f} ms without")


def flood_without_a_limit(site):
    """They are all let in, and held; a client like any other is served besides."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    quiet = quiet_bystander(site)
    before, held = site.rss_kib(), []
    bystander = h2_flood_run.Bystander(site)
    bystander.start()
    try:
        for i in range(HELD):
            held.append(socket.create_connection(
                (site.host, site.ports["held"]), rig.DEADLINE,
                source_address=(f"127.0.0.{1 + i % HELD_SOURCES}", 0)))
        rig.wait_for(f"{HELD} connections at once", lambda: rig.metric(
            site.proxy.metrics(), "sluice_connections_active", service="held") == HELD)
        most = site.rss_kib() - before
        bystander.seconds.clear()  # From here on all of them are held.
        for _ in range(200):
            clean = site.clean()
            if clean or len(bystander.seconds) >= 200:
                break
        held[-1].sendall(rig.request("/admin"))
        answer = held[-1].recv(100)
    finally:
        bystander.end()
        for sock in held:
            sock.close()
    if bystander.problem:
        return f"another client: {bystander.problem}"
    if not answer.startswith(b"HTTP/1.1 403 "):
        return f"the last of them was answered {answer!r}"
    slow = slower(bystander, quiet)
    if slow:
        return f"with {HELD} held, {slow}"
    return clean or (f"memory grew by {most} KiB" if most > HELD_KIB_MAX else None)


def flood_against_a_limit(site):
    """Against the limit of a service; the bystander is on another one of the same worker."""
    quiet = quiet_bystander(site)
    before, most, held = site.rss_kib(), 0, []
    bystander = h2_flood_run.Bystander(site)
    bystander.start()
    try:
        for i in range(FLOOD):
            sock = site.connect(site.ports["limited"])
            if len(held) < 2 * CONNECTIONS_MAX:
                held.append(sock)
            else:
                sock.close()
            if i % 1000 == 0:
                most = max(most, site.rss_kib() - before)
        let_in = 0
        for sock in held:
            sock.setblocking(False)
            try:
                sock.recv(1)
            except BlockingIOError:
                let_in += 1
            except OSError:
                pass
    finally:
        bystander.end()
        for sock in held:
            sock.close()
    if let_in > CONNECTIONS_MAX:
        return f"{let_in} connections were let in"
    if bystander.problem:
        return f"another client: {bystander.problem}"
    slow = slower(bystander, quiet)
    if slow:
        return slow
    return f"memory grew by {most} KiB" if most > 16 * CONNECTION_KIB_MAX else None


@scenario("res-upstream-blackhole")
def upstream_black_hole(site):
    begun = time.monotonic()
    status = site.ask("/silent/1").status
    if status != 504 or time.monotonic() - begun > 1 + SLACK:
        return f"status {status} after {time.monotonic() - begun:.1f} s"
    site.silent.wait("the slot to be free", lambda: all(c.ended for c in site.silent.connections))
    return None


@scenario("body-limit-chunked")
def body_limit_chunked(site):
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    pieces = 11_000_000 // 0x10000 + 1
    sending = site.sending()
    try:
        sending.methods = ["POST"]
        sending.send(b"POST /body HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(pieces):
            sending.send(piece)
        sending.send(b"0\r\n\r\n")
        if not sending.wait(lambda: sending.answers()[0]):
            return "no answer"
        status = sending.answers()[0][0].status
    finally:
        sending.end()
    if status != 413:
        return f"status {status}"
    site.up.wait("the upstream to be told", lambda: all(c.ended for c in site.up.connections))
    sent = max((len(c.raw) for c in site.up.connections), default=0)
    if sent > BODY_BYTES_MAX + (BODY_BYTES_MAX >> 3):
        return f"{sent} bytes went upstream"
    return site.untouched(site.up)


@scenario("jwt-dup-authorization")
def two_authorizations(site):
    """Nobody here checks them: what does, behind, must not be shown one and believe the other."""
    fields = [("authorization", "Basic YTph"), ("authorization", "Basic Yjpi")]
    with site.client() as client:
        answer = client.ask(rig.request("/", headers=[f"{n}: {v}" for n, v in fields]))
        if answer.status != 400:
            return f"status {answer.status}"
        client.at_end()  # Or this runs out of time.
    over_h2 = h2_client.Client(site.host, site.clear_h2)
    try:
        stream = over_h2.start("/", fields, method="GET", end=True)
        answer = over_h2.finish(stream)
    finally:
        over_h2.close()
    if answer.reset is None and answer.status != 400:
        return f"over HTTP/2: {answer}"
    return site.untouched(site.up)
