#!/usr/bin/python3
"""Clients' certificates: who is let in, what upstreams and the log are told, tickets."""
import hashlib
import socket
import ssl
import subprocess
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import h1
import rig

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
FORGED = "Hash=forged;Subject=\"CN=root\""


def digest(certificate):
    with open(certificate.cert) as f:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).hexdigest()


def records(hello, size):
    """A ClientHello of one record, cut into records of `size` bytes."""
    body = hello[5:]
    pieces = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(hello[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)


class ClientAuthTest(rig.FleetTest):
    workers = 2

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.authority, cls.clients_ca = r.cert("ca"), r.cert("clients-ca")
        cls.site = r.cert("site", ["a.test", "b.test"], issuer=cls.authority)
        cls.alice = r.cert("alice", ["alice.test", "spiffe://example/alice"], issuer=cls.clients_ca)
        cls.elsewhere = r.cert("elsewhere", ["alice.test"], issuer=cls.authority)
        cls.expired = r.cert("expired", ["alice.test"], issuer=cls.clients_ca, days=-1)
        cls.self_signed = r.cert("self-signed", ["alice.test"])
        cls.up = r.upstream()
        cls.ports = {name: r.port() for name in
                     ("required", "optional", "other", "none", "clear", "trusting")}
        cls.port = cls.ports["required"]
        r.apply(cls.documented())

    @classmethod
    def service(cls, name, tls=True, auth=None, **options):
        if tls:
            options["tls"] = {"cert_path": cls.site.cert, "key_path": cls.site.key}
            if auth:
                options["tls"]["client_auth"] = auth
        return rig.service(cls.ports[name], [rig.route("all", [cls.up], "up")], name=name, **options)

    @classmethod
    def documented(cls, required=None):
        asked = {"ca_path": cls.clients_ca.cert}
        return rig.document(
            cls.service("required", auth=required or asked),
            cls.service("optional", auth={**asked, "mode": "optional"}),
            cls.service("other", auth={**asked, "mode": "required"}),
            cls.service("none"),
            cls.service("clear", tls=False),
            cls.service("trusting", auth={**asked, "mode": "optional"},
                        trusted_proxies=["127.0.0.0/8"]))

    def context(self, certificate=None, version=None):
        context = certs.client_context(self.authority, version=version)
        if certificate:
            context.load_cert_chain(certificate.cert, certificate.key)
        return context

    def connect(self, service="required", certificate=None, version=None, context=None, **options):
        return self.client(self.ports[service], tls=context or self.context(certificate, version),
                           server_name="a.test", **options)

    def refusal(self, service, certificate, version=None):
        """The alert that ends the attempt."""
        with self.assertRaises(ssl.SSLError) as caught:
            client = self.connect(service, certificate, version)
            client.sock.sendall(rig.request("/refused"))
            # TLS 1.3 tells a client only after it believes to be done.
            while client.sock.recv(1000):
                pass
        self.assertIn("ALERT", caught.exception.reason)
        return caught.exception.reason

    def seen(self, service, certificate=None, headers=(), **options):
        """The request as the upstream sees it."""
        count = len(self.up.requests)
        if service == "clear":
            answer = self.get(headers=headers, port=self.ports["clear"])
        else:
            answer = self.connect(service, certificate, **options).ask(
                rig.request("/", headers=headers))
        self.assertEqual(answer.status, 200)
        self.up.wait("the request", lambda: len(self.up.requests) > count)
        return self.up.requests[-1]

    def told(self, service, certificate=None, headers=(), **options):
        fields = self.seen(service, certificate, headers, **options).all("x-forwarded-client-cert")
        self.assertLessEqual(len(fields), 1)
        return fields[0] if fields else None

    def alice_is_told(self):
        return (f'Hash={digest(self.alice)};Subject="CN=alice";URI=spiffe://example/alice;'
                "DNS=alice.test")

    def test_required_lets_in_only_who_is_verified(self):
        for version in (V12, V13):
            with self.subTest(version=version):
                self.assertEqual(self.told("required", self.alice, version=version),
                                 self.alice_is_told())
                count = len(self.up.requests)
                self.assertIn("UNKNOWN_CA", self.refusal("required", self.elsewhere, version))
                self.assertIn("EXPIRED", self.refusal("required", self.expired, version))
                self.refusal("required", self.self_signed, version)
                self.refusal("required", None, version)
                self.assertEqual(len(self.up.requests), count)
        self.assertIn("CERTIFICATE_REQUIRED", self.refusal("required", None, V13))

    def test_optional_lets_in_who_has_none_but_nobody_with_a_bad_one(self):
        for version in (V12, V13):
            with self.subTest(version=version):
                self.assertIsNone(self.told("optional", version=version))
                self.assertEqual(self.told("optional", self.alice, version=version),
                                 self.alice_is_told())
                for bad in (self.elsewhere, self.expired, self.self_signed):
                    self.refusal("optional", bad, version)

    def test_refusals_count_as_failed_handshakes(self):
        def failed():
            return rig.metric(self.proxy.metrics(), "sluice_tls_handshakes_failed_total",
                              service="required") or 0
        before = failed()
        self.refusal("required", None)
        rig.wait_for("the count", lambda: failed() > before)

    def test_http2_tells_the_same(self):
        for service, certificate, expected in (("required", self.alice, self.alice_is_told()),
                                               ("optional", None, None)):
            count = len(self.up.requests)
            keys = ["--cert", certificate.cert, "--key", certificate.key] if certificate else []
            port = self.ports[service]
            run = subprocess.run(
                ["curl", "-sS", "--max-time", "60", "--http2", "--cacert", self.authority.cert,
                 "--resolve", f"a.test:{port}:{self.proxy.host}", *keys,
                 "-H", "X-Forwarded-Client-Cert: " + FORGED, "-w", "%{http_version} %{http_code}\n",
                 f"https://a.test:{port}/one", f"https://a.test:{port}/two"], capture_output=True)
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual(run.stdout.decode().split(), ["2", "200"] * 2)
            self.up.wait("both", lambda: len(self.up.requests) >= count + 2)
            for request in self.up.requests[count:]:
                self.assertEqual(request.get("x-forwarded-client-cert"), expected)

    def test_curl_without_a_certificate_is_refused(self):
        run = subprocess.run(
            ["curl", "-sS", "--max-time", "60", "--cacert", self.authority.cert, "--resolve",
             f"a.test:{self.port}:{self.proxy.host}", f"https://a.test:{self.port}/"],
            capture_output=True)
        self.assertNotEqual(run.returncode, 0)
        self.assertIn(b"alert", run.stderr)

    def test_forged_headers_are_stripped(self):
        forged = ["X-Forwarded-Client-Cert: " + FORGED, "x-forwarded-client-cert: " + FORGED,
                  "X_Forwarded_Client_Cert: " + FORGED]
        for service in ("clear", "none", "optional"):
            with self.subTest(service=service):
                seen = self.seen(service, headers=forged)
                self.assertFalse([f for f in seen.fields if b"forged" in f[1]])
        seen = self.seen("required", self.alice, headers=forged)
        self.assertEqual(seen.all("x-forwarded-client-cert"), [self.alice_is_told()])
        self.assertFalse([f for f in seen.fields if b"forged" in f[1]])

    def test_trusted_peers_are_believed(self):
        headers = ["X-Forwarded-Client-Cert: Hash=outer"]
        self.assertEqual(self.told("trusting", None, headers), "Hash=outer")
        self.assertEqual(self.told("trusting", self.alice, headers),
                         "Hash=outer," + self.alice_is_told())
        self.assertIsNone(self.told("trusting"))

    def test_the_log_tells_the_subject(self):
        seen = self.seen("required", self.alice)
        record = self.proxy.wait_record(lambda r: r.get("request_id") == seen.get("x-request-id"))
        self.assertEqual(record["client_cert_subject"], "CN=alice")
        seen = self.seen("optional")
        record = self.proxy.wait_record(lambda r: r.get("request_id") == seen.get("x-request-id"))
        self.assertEqual(record["client_cert_subject"], "")

    def ticket(self, service, certificate, version):
        context = self.context(certificate, version)
        client = self.connect(service, context=context)
        self.assertEqual(client.ask(rig.request("/ticket")).status, 200)
        return context, client.sock.session

    def test_a_resumed_session_keeps_the_identity(self):
        for version in (V12, V13):
            with self.subTest(version=version):
                context, session = self.ticket("required", self.alice, version)
                client = self.connect(context=context, session=session)
                count = len(self.up.requests)
                self.assertEqual(client.ask(rig.request("/resumed")).status, 200)
                self.assertTrue(client.sock.session_reused)
                self.assertEqual(self.up.requests[count].get("x-forwarded-client-cert"),
                                 self.alice_is_told())

    def test_tls_ticket_cross_vhost(self):
        for version in (V12, V13):
            for issuer in ("optional", "none", "other"):
                with self.subTest(version=version, issuer=issuer):
                    context, session = self.ticket(issuer, self.alice, version)
                    client = self.connect(context=context, session=session)
                    self.assertEqual(client.ask(rig.request("/crossed")).status, 200)
                    self.assertFalse(client.sock.session_reused)
            # Without a certificate the ticket opens nothing.
            context, session = self.ticket("optional", None, version)
            with self.assertRaises(ssl.SSLError):
                client = self.connect(context=context, session=session)
                client.sock.sendall(rig.request("/crossed"))
                client.sock.recv(1000)

    def test_tls_no_sni_mtls(self):
        context = certs.client_context()
        with self.assertRaises(ssl.SSLError):
            client = self.client(tls=context, server_name=None)
            client.sock.sendall(rig.request("/", "mtls.test"))
            client.sock.recv(1000)

    def test_tls_fragmented_clienthello(self):
        for certificate, passes in ((self.alice, True), (None, False)):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = self.context(certificate, V12).wrap_bio(incoming, outgoing,
                                                          server_hostname="a.test")
            with socket.create_connection((self.proxy.host, self.port), rig.DEADLINE) as sock:
                first, failure = True, None
                for _ in range(20):
                    try:
                        tls.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        data = outgoing.read()
                        sock.sendall(records(data, 10) if first else data)
                        first = False
                        incoming.write(sock.recv(1 << 16))
                    except ssl.SSLError as error:
                        failure = error
                        break
                self.assertEqual(failure is None, passes, failure)

    def test_tls_tls10_tls11_and_weak_ciphers(self):
        for version, ciphers in ((ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"),
                                 (V12, "eNULL:AES128-SHA:AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA:"
                                       "@SECLEVEL=0")):
            context = self.context(self.alice)
            context.set_ciphers(ciphers)
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.connect(context=context)

    def test_other_authorities_end_what_the_old_ones_vouched_for(self):
        sessions = [self.ticket("required", self.alice, version) for version in (V12, V13)]
        held = self.connect("required", self.alice)
        self.assertEqual(held.ask(rig.request("/held")).status, 200)
        untouched = self.connect("other", self.alice)
        self.assertEqual(untouched.ask(rig.request("/held")).status, 200)
        replacement = self.rig.cert("replacement-ca")
        bob = self.rig.cert("bob", ["bob.test"], issuer=replacement)
        self.rig.apply(self.documented(required={"ca_path": replacement.cert}))
        try:
            for context, session in sessions:
                with self.assertRaises(ssl.SSLError):
                    client = self.connect(context=context, session=session)
                    client.sock.sendall(rig.request("/old"))
                    client.sock.recv(1000)
            self.assertIn('Subject="CN=bob"', self.told("required", bob))
            # Connections end too, but not those of other services.
            self.assertEqual(held.at_end(), b"")
            self.assertEqual(untouched.ask(rig.request("/held")).status, 200)
        finally:
            self.rig.apply(self.documented())

    def test_mistakes_are_told(self):
        def complaint(document):
            done = self.rig.ctl("validate", "-f", self.rig.write(document), code=1)
            return done.stdout + done.stderr
        self.assertIn("ca_path", complaint(rig.document(self.service("required", auth={
            "mode": "optional"}))))
        self.assertIn("client_auth.ca_path", complaint(rig.document(self.service(
            "required", auth={"ca_path": self.rig.path("nowhere.pem")}))))
        self.assertIn("use required or optional".split()[1], complaint(rig.document(self.service(
            "required", auth={"ca_path": self.clients_ca.cert, "mode": "always"}))))
        clear = self.service("required", auth={"ca_path": self.clients_ca.cert})
        clear["tls"]["enabled"] = False
        self.assertIn("enable TLS", complaint(rig.document(clear)))

    def test_openssl_client_is_asked_for_these_authorities(self):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"{self.proxy.host}:{self.port}", "-servername",
             "a.test", "-CAfile", self.authority.cert, "-cert", self.alice.cert, "-key",
             self.alice.key], input="", capture_output=True, text=True, timeout=rig.DEADLINE)
        names = done.stdout.partition("Acceptable client certificate CA names")[2]
        self.assertIn("clients-ca", names.split("---")[0])
        self.assertIn("Verify return code: 0", done.stdout)


if __name__ == "__main__":
    rig.main()
