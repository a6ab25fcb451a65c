"""Group tls: what a handshake decides, and which certificates of upstreams are believed."""
import os
import select
import socket
import ssl
import struct
import subprocess
import threading

import certs
import rig
from scenarios import scenario

ALERT, HANDSHAKE = 21, 22
HANDSHAKE_FAILURE, PROTOCOL_VERSION = 40, 70
ECDHE_ECDSA_AES128_GCM = 0xc02b
WEAK = {
    "NULL": (0x0001, 0x0002, 0x003b, 0xc006, 0xc010),
    "EXPORT": (0x0003, 0x0006, 0x0008, 0x000b, 0x000e, 0x0011, 0x0014, 0x0017, 0x0019),
    "RC4": (0x0004, 0x0005, 0x0018, 0xc007, 0xc011),
    "3DES and DES": (0x0009, 0x000a, 0x0015, 0x0016, 0x001b, 0xc008, 0xc012),
    "anonymous": (0x0034, 0x006c, 0xc018),
}
OLD_SUITES = (0xc009, 0xc00a, 0xc013, 0xc014, 0x002f, 0x0035)
# Certificates are asked per service, so a host never shares a port with one that has other rules:
# it is unknown there, and the connection was made for another.
MISDIRECTED = 421


def extension(number, data):
    return struct.pack(">HH", number, len(data)) + data


def client_hello(suites, version=0x0303, name=b"a.test"):
    """By hand: today's libraries do not offer what must be refused."""
    groups, signatures = (0x001d, 0x0017), (0x0403, 0x0804, 0x0401)

    def listed(values):
        return struct.pack(f">H{len(values)}H", 2 * len(values), *values)
    extensions = (extension(0, struct.pack(">HBH", len(name) + 3, 0, len(name)) + name) +
                  extension(10, listed(groups)) + extension(11, b"\1\0") +
                  extension(13, listed(signatures)))
    body = (struct.pack(">H", version) + os.urandom(32) + b"\0" + listed(suites) + b"\1\0" +
            struct.pack(">H", len(extensions)) + extensions)
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return struct.pack(">BHH", HANDSHAKE, 0x0301, len(message)) + message


def answered(site, hello, port=None):
    """The first record that comes back: its type, and an alert's description or None."""
    with site.connect(port or site.tls) as sock:
        sock.sendall(hello)
        head = sock.recv(7, 0x100)  # MSG_WAITALL
    if len(head) < 7:
        return None, None
    return head[0], head[6] if head[0] == ALERT else None


def refused_with(site, hello, alert):
    got = answered(site, hello)
    return None if got == (ALERT, alert) else f"record and alert {got}, not {(ALERT, alert)}"


@scenario("tls-sni-host-mismatch-mtls")
def sni_host_mismatch_mtls(site):
    answer = site.ask("/guarded", "mtls.test", port=site.tls, context=certs.client_context())
    if answer.status != MISDIRECTED:
        return f"status {answer.status}"
    return site.untouched(site.secret, site.up)


@scenario("tls-sni-host-mismatch-wildcard")
def sni_host_mismatch_wildcard(site):
    answer = site.ask("/guarded", "api.wild.test", port=site.tls, context=certs.client_context(),
                      name="open.test")
    if answer.status != MISDIRECTED:
        return f"status {answer.status}"
    return site.untouched(site.secret, site.up)


def refused_behind(site, said):
    """What was said where a handshake went through without a certificate. nginx refuses only then,
    by a 400; Sluice and HAProxy within the handshake."""
    if site.name == "nginx" and said.startswith(b"HTTP/1.1 400 "):
        return site.untouched(site.secret)
    return f"the handshake went through without a certificate, then came {said!r}"


def guarded_without_certificate(site, name, session=None, context=None):
    """None when the handshake, or what TLS 1.3 says behind it, is an alert."""
    try:
        with rig.h1.Client(site.host, site.ports["mtls"], tls=context or certs.client_context(),
                           server_name=name, session=session) as client:
            client.sock.sendall(rig.request("/guarded", "mtls.test"))
            return refused_behind(site, client.sock.recv(100))
    except (ssl.SSLError, ConnectionResetError):
        return site.untouched(site.secret)


@scenario("tls-no-sni-mtls")
def no_sni_mtls(site):
    answer = site.ask("/guarded", "mtls.test", port=site.tls, context=certs.client_context(),
                      name=None)
    if answer.status != MISDIRECTED:
        return f"status {answer.status} where no certificate is asked for"
    return guarded_without_certificate(site, None) or site.untouched(site.up)


@scenario("tls-fragmented-clienthello")
def fragmented_client_hello(site):
    context = certs.client_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="mtls.test")
    with site.connect(site.ports["mtls"]) as sock:
        cut = asked = False
        while True:
            try:
                tls.do_handshake()
                if not asked:
                    asked = True
                    tls.write(rig.request("/guarded", "mtls.test"))
                sock.sendall(outgoing.read())
                return refused_behind(site, tls.read(100))  # TLS 1.3 tells behind its handshake.
            except ssl.SSLWantReadError:
                data = outgoing.read()
                if data and not cut:
                    cut, body = True, data[5:]
                    data = b"".join(data[:3] + struct.pack(">H", len(body[i:i + 10])) +
                                    body[i:i + 10] for i in range(0, len(body), 10))
                sock.sendall(data)
                received = sock.recv(1 << 16)
                if not received:
                    return "closed without an alert"
                incoming.write(received)
            except ssl.SSLError as error:
                wanted = error.reason in ("TLSV13_ALERT_CERTIFICATE_REQUIRED",
                                          "SSLV3_ALERT_HANDSHAKE_FAILURE")
                return site.untouched(site.secret) if wanted else f"alert {error.reason}"


@scenario("tls-ticket-cross-vhost")
def ticket_cross_vhost(site):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = certs.client_context(version=version)
        with site.client(site.tls, context) as client:
            client.ask(rig.request("/"))
            session = client.sock.session
        with rig.h1.Client(site.host, site.tls, tls=context, server_name="a.test",
                           session=session) as client:
            client.ask(rig.request("/"))
            if not client.sock.session_reused:
                return "the ticket is of no use even where it was given"
        problem = guarded_without_certificate(site, "mtls.test", session, context)
        if problem:
            return f"{version.name}: {problem}"
    return None


@scenario("tls-tls10-tls11")
def old_versions(site):
    for version in (0x0300, 0x0301, 0x0302):
        # OpenSSL without SSLv3 does not know it as a version.
        alert = HANDSHAKE_FAILURE if version == 0x0300 else PROTOCOL_VERSION
        problem = refused_with(site, client_hello(OLD_SUITES, version), alert)
        if problem:
            return f"version {version:04x}: {problem}"
    return None


@scenario("tls-weak-ciphers")
def weak_ciphers(site):
    if answered(site, client_hello((ECDHE_ECDSA_AES128_GCM,)))[0] != HANDSHAKE:
        return "a good suite is refused as well: nothing is shown"
    for kind, suites in WEAK.items():
        for offered in ((suite,) for suite in suites):
            problem = refused_with(site, client_hello(offered), HANDSHAKE_FAILURE)
            if problem:
                return f"{kind}, {offered[0]:04x}: {problem}"
    return None


def early_data(site, request):
    """Sends `request` as early data with a ticket that OpenSSL's client has got before; then the
    same flight again, as one who has listened."""
    session, early = site.rig.path("early.session"), site.rig.path("early.request")
    with open(early, "wb") as out:
        out.write(request)

    def s_client(port, *options):
        # Early data leaves with the first flight; what is asked behind it ends the connection.
        text = "GET /behind HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"{site.host}:{port}", "-servername", "a.test",
             "-tls1_3", "-ign_eof", *options], input=text, capture_output=True, text=True,
            timeout=rig.DEADLINE).stdout
    first = s_client(site.tls, "-sess_out", session)
    if "HTTP/1.1 200" not in first:
        return "the connection that is to give the ticket failed"
    ticket = subprocess.run(["openssl", "sess_id", "-in", session, "-noout", "-text"],
                            capture_output=True, text=True).stdout
    if "Max Early Data: 0" not in ticket:
        return "the ticket allows early data"
    flight = Listener(site)
    second = s_client(flight.port, "-sess_in", session, "-early_data", early)
    if "Early data was accepted" in second:
        return "early data was accepted"
    if "HTTP/1.1 200" not in second or "Reused, TLSv1.3" not in second:
        return "the ticket does not resume"
    asked = len(site.up.requests)
    with site.connect(site.tls) as sock:
        sock.sendall(flight.heard())
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1 << 16):
            pass
    taken = [q.target for q in site.up.requests if q.target != "/behind"]
    if taken:
        return f"the upstream received {taken}"
    return None if len(site.up.requests) == asked else "the flight that was sent again was served"


class Listener:
    """Passes one connection on to the TLS port, and remembers what the client said."""

    def __init__(self, site):
        self.port = site.rig.port()
        self._said, self._site = b"", site
        self._listener = socket.create_server((site.host, self.port))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def heard(self):
        self._thread.join(rig.DEADLINE)
        return self._said

    def _serve(self):
        client, _ = self._listener.accept()
        self._listener.close()
        with client, self._site.connect(self._site.tls) as server:
            while True:
                for sock in select.select([client, server], [], [], rig.DEADLINE)[0]:
                    data = sock.recv(1 << 16)
                    if not data:
                        return
                    if sock is client:
                        self._said += data
                    (server if sock is client else client).sendall(data)


@scenario("tls-early-data-post")
def early_data_post(site):
    return early_data(site, rig.request("/early", method="POST", body=b"again"))


@scenario("tls-early-data-get")
def early_data_get(site):
    return early_data(site, rig.request("/early"))


@scenario("tls-plain-on-tls-port")
def plain_on_tls_port(site):
    with site.client(site.tls) as client:
        client.send(rig.request("/plain"))
        if b" 200 " in client.at_end():
            return "plain text was served"
    return site.untouched(site.up)


@scenario("tls-tls-on-plain-port")
def tls_on_plain_port(site):
    with site.client() as client:
        client.send(client_hello((ECDHE_ECDSA_AES128_GCM,)))
        said = client.at_end()
    if said and not said.startswith(b"HTTP/1.1 400 "):
        return f"it said {said[:60]!r}"
    return site.untouched(site.up)


@scenario("tls-upstream-bad-cert")
def upstream_bad_certificate(site):
    if site.ask("/trusted").status != 200:
        return "a good certificate is refused as well: nothing is shown"
    for fault in ("untrusted", "expired", "wrong-name"):
        status = site.ask("/" + fault).status
        if status != 502:
            return f"{fault}: status {status}"
        problem = site.untouched(site.faulty[fault])
        if problem:
            return f"{fault}: {problem}"
    return None


@scenario("tls-upstream-name-nul")
def upstream_name_with_nul(site):
    status = site.ask("/name-nul").status
    return f"status {status}" if status != 502 else site.untouched(site.faulty["name-nul"])


@scenario("tls-ocsp-expired-staple")
def expired_staple(site):
    def shown(service):
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"{site.host}:{site.ports[service]}", "-servername",
             "a.test", "-status"], input="", capture_output=True, text=True,
            timeout=rig.DEADLINE).stdout
    if "OCSP Response Status: successful" not in shown("ocsp"):
        return "a good response is not stapled either: nothing is shown"
    return None if "no response sent" in shown("ocsp-old") else "the expired response was sent"
