"""What the scenarios are played on: one proxy with a service for each thing they need. In its place
peer_sites.py has nginx's and HAProxy's."""
import re
import socket
import subprocess
import types

import certs
import observe
import rig
import targets

SECONDS = 2  # Each of the clients' timeouts.
CONNECTIONS_MAX = 200
BODY_BYTES_MAX = 10_000_000
BIG_BYTES = 100 << 20
ESTABLISHED = "01"  # In /proc/net/tcp.
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Site(targets.Target):
    """Before upstreams of all kinds; `serve` starts what is judged."""

    def __init__(self, kit):
        super().__init__(kit)
        self.ports = {name: kit.port() for name in ("mtls", "pp", "pp-tls", "limited", "held", "ocsp",
                                                    "ocsp-old")}
        self.up.on_request = lambda connection, request: OK
        self.secret = kit.upstream(on_request=self.up.on_request)  # Behind client certificates.
        self.silent = kit.upstream(on_request=lambda connection, request: None)
        self.nginx = kit.nginx("backend")
        self.big = self.nginx.file("big.bin", BIG_BYTES)
        self.authority, self.clients = kit.cert("ca"), kit.cert("clients-ca")
        self.faulty = self._faulty_upstreams()
        # (certificate, path of its OCSP response) by port.
        self.stapled = {"ocsp": self._stapled("fresh"), "ocsp-old": self._stapled("stale", expired=True)}
        self.serve()

    def serve(self):
        raise NotImplementedError

    def records(self):
        """Of the access log; None where that is not looked at."""
        return None

    def _faulty_upstreams(self):
        """TLS upstreams for inner.test by what is wrong with their certificates."""
        def upstream(certificate):
            return self.rig.upstream(on_request=self.up.on_request,
                                     tls=certificate.server_context())
        made = self.rig.cert
        return {"trusted": upstream(made("inner", ["inner.test"], issuer=self.authority)),
                "untrusted": upstream(made("stranger", ["inner.test"], issuer=made("other-ca"))),
                "expired": upstream(made("old", ["inner.test"], issuer=self.authority, days=-1)),
                "wrong-name": upstream(made("wrong", ["outer.test"], issuer=self.authority)),
                "name-nul": upstream(self._with_nul())}

    def _with_nul(self):
        """A certificate for inner.test, NUL, .evil.test."""
        name = b"inner.test\0.evil.test"
        general_name = bytes((0x82, len(name))) + name
        extensions = self.rig.path("nul.ext")
        with open(extensions, "w") as out:
            out.write("subjectAltName=DER:" + (bytes((0x30, len(general_name))) +
                                               general_name).hex(":") + "\n")
        made = self.rig.cert("nul", ["nul.test"], issuer=self.authority)
        subprocess.run(["openssl", "x509", "-req", "-in", self.rig.path("nul.csr"), "-CA",
                        self.authority.cert, "-CAkey", self.authority.key, "-CAcreateserial",
                        "-extfile", extensions, "-out", made.cert], check=True, capture_output=True)
        return made

    def _stapled(self, name, expired=False):
        """A certificate with an OCSP response; an expired one has its times in the past, and a
        signature that only clients look at."""
        certificate = self.rig.cert(name, ["a.test"], issuer=self.authority)
        path = self.rig.path(name + ".ocsp")
        certs.ocsp_response(certificate, self.authority, path)
        if expired:
            with open(path, "rb") as f:
                data = f.read()
            with open(path, "wb") as out:
                out.write(re.sub(rb"20\d\d(\d{10}Z)", rb"2020\1", data))
        return certificate, path

    # ---- for scenarios ------------------------------------------------------------------------

    def seen_from(self, service):
        """A target whose clear port is that of another service."""
        return types.SimpleNamespace(**{**vars(self), "clear": self.ports[service], "records": None})

    def sending(self, secure=False):
        return observe.Sending(self, secure)

    def client(self, port=None, context=None, name="a.test"):
        return rig.h1.Client(self.host, port or self.clear, tls=context,
                             server_name=name if context else None)

    def ask(self, path, host="a.test", **options):
        with self.client(**options) as client:
            return client.ask(rig.request(path, host))

    def connect(self, port):
        return socket.create_connection((self.host, port), rig.DEADLINE)

    def clean(self):
        """None, or why a clean request on a new connection is not served."""
        for port, context in ((self.clear, None), (self.tls, certs.client_context())):
            answer = self.ask("/clean", port=port, context=context)
            if answer.status != 200:
                return f"a clean request afterwards got {answer.status}"
        return None

    def untouched(self, *upstreams):
        """None, or what of a case has reached one of these upstreams."""
        for upstream in upstreams:
            if upstream.requests:
                return f"an upstream received {upstream.requests[-1].target!r}"
        return None

    def forget(self):
        for upstream in (self.up, self.secret, self.silent, *self.faulty.values()):
            upstream.clear()

    def holds(self, sock):
        """Whether the proxy still has its end of a connection to `clear`, by the kernel's table."""
        theirs, ours = f":{self.clear:04X}", f":{sock.getsockname()[1]:04X}"
        with open("/proc/net/tcp") as f:
            rows = [line.split() for line in f]
        return any(row[1].endswith(theirs) and row[2].endswith(ours) and row[3] == ESTABLISHED
                   for row in rows)


class SluiceSite(Site):
    name = "sluice"

    def serve(self):
        self.rig.start_controller()
        self.process = self.proxy = self.rig.start_proxy("node-1", self.host, workers=1)
        self.rig.wait_nodes("node-1")
        self.rig.apply(rig.document(*self._services()))

    def records(self):
        return self.proxy.access_records()

    def _services(self):
        def tls(certificate=self.site, **options):
            return {"enabled": True, "cert_path": certificate.cert, "key_path": certificate.key,
                    **options}
        timeouts = {name: f"{SECONDS}s" for name in ("handshake", "header", "idle", "keep_alive")}
        inner = {"enabled": True, "sni": "inner.test", "ca_path": self.authority.cert}
        rest = rig.route("rest", [self.up], "up")
        routes = [
            rig.route("admin", path_prefix="/admin", respond={"status": 403}),
            rig.route("body", [self.up], "up", path_prefix="/body", body_bytes=BODY_BYTES_MAX),
            rig.route("silent", [self.silent], path_prefix="/silent", timeouts={"first_byte": "1s"}),
            rig.route("nginx", [self.nginx], "nginx-up", path_prefix="/nginx"),
            rig.route("files", [self.nginx], "nginx-up", path_prefix="/files"),
            *(rig.route(name, [upstream], path_prefix="/" + name, upstream_options={"tls": inner})
              for name, upstream in self.faulty.items()),
            rest]
        open_hosts = [{**rest, "name": host, "host": host} for host in ("a.test", "open.test")]
        guarded = [rig.route(name, [self.secret], "secret-up", host=host)
                   for name, host in (("mtls", "mtls.test"), ("wild", "*.wild.test"))]

        def make(port, routes, name, **options):
            return rig.service(port, routes, name=name, timeouts=timeouts, **options)
        return [
            make(self.clear, routes, "clear"),
            make(self.tls, open_hosts, "tls", tls=tls()),
            make(self.ports["mtls"], guarded, "mtls",
                 tls=tls(client_auth={"ca_path": self.clients.cert})),
            make(self.ports["pp"], [rest], "pp", proxy_protocol={"trusted": ["127.0.0.0/8"]}),
            make(self.ports["pp-tls"], [rest], "pp-tls", tls=tls(),
                 proxy_protocol={"trusted": ["127.0.0.0/8"]}),
            make(self.ports["limited"], routes, "limited", limits={"connections": CONNECTIONS_MAX}),
            rig.service(self.ports["held"], routes, name="held"),  # Waits longer for a request.
            *(make(self.ports[name], [rest], name, tls=tls(certificate, ocsp_path=path))
              for name, (certificate, path) in self.stapled.items())]
