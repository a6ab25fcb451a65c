#!/usr/bin/python3
"""TLS on both sides: versions, SNI, resumption, replaced certificates, verified upstreams."""
import hashlib
import os
import shutil
import ssl
import unittest  # noqa: F401

import _path  # noqa: F401
import certs
import h1
import h2_client
import rig


def fingerprint(certificate):
    with open(certificate.cert) as f:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).hexdigest()


def served(client):
    return hashlib.sha256(client.sock.getpeercert(binary_form=True)).hexdigest()


class TlsTest(rig.FleetTest):
    workers = 4

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.authority = r.cert("ca")
        cls.first = r.cert("first", ["first.test"], issuer=cls.authority)
        cls.second = r.cert("second", ["second.test", "*.wild.test"], issuer=cls.authority,
                            key_type="rsa")
        cls.port, cls.modern_port = r.port(), r.port()
        cls.backend = r.nginx("plain")
        cls.inner = r.cert("inner", ["inner.test"], issuer=cls.authority)
        cls.secure = r.nginx("secure", certificate=cls.inner)
        cls.client_cert = r.cert("client", ["client.test"], issuer=cls.authority)
        cls.mutual = r.upstream(tls=cls.inner.server_context(client_ca=cls.authority))
        other = r.cert("other-ca")
        tls = {"enabled": True, "sni": "inner.test", "ca_path": cls.authority.cert}

        def to(name, backend, **options):
            return rig.route(name, [backend], path_prefix="/" + name, upstream_options=options)
        cls.document = rig.document(
            rig.service(cls.port, [
                to("good", cls.secure, tls=tls),
                to("wrong-name", cls.secure, tls={**tls, "sni": "wrong.test"}),
                to("wrong-ca", cls.secure, tls={**tls, "ca_path": other.cert}),
                to("system-ca", cls.secure, tls={"enabled": True, "sni": "inner.test"}),
                to("unverified", cls.secure, tls={"enabled": True, "sni": "x.test", "verify": False}),
                to("mutual", cls.mutual, tls={**tls, "cert_path": cls.client_cert.cert,
                                              "key_path": cls.client_cert.key}),
                to("no-client-cert", cls.mutual, tls=tls),
                to("not-tls", cls.backend, tls=tls),
                rig.route("all", [cls.backend]),
            ], tls={"enabled": True, "certificates": [
                {"cert_path": cls.first.cert, "key_path": cls.first.key},
                {"cert_path": cls.second.cert, "key_path": cls.second.key}]}),
            rig.service(cls.modern_port, [rig.route("all", [cls.backend])], name="modern",
                        tls={"enabled": True, "cert_path": cls.first.cert, "key_path": cls.first.key,
                             "min_version": "1.3"}))
        r.apply(cls.document)

    def secure_client(self, name="first.test", port=None, session=None, context=None, **options):
        context = context or certs.client_context(self.authority, **options)
        return self.client(port, tls=context, server_name=name, session=session)

    def test_both_versions(self):
        for version, text in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            client = self.secure_client(version=version)
            self.assertEqual(client.sock.version(), text)
            self.assertEqual(client.ask(rig.request("/v", "first.test")).status, 200)

    def test_min_version(self):
        self.assertEqual(self.secure_client(port=self.modern_port).sock.version(), "TLSv1.3")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.secure_client(port=self.modern_port, version=ssl.TLSVersion.TLSv1_2)

    def test_old_versions_are_refused(self):
        context = certs.client_context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.secure_client(context=context)

    def test_name_chooses_the_certificate(self):
        for name, certificate in (("first.test", self.first), ("second.test", self.second),
                                  ("a.wild.test", self.second)):
            with self.subTest(name=name):
                client = self.secure_client(name)
                self.assertEqual(served(client), fingerprint(certificate))
                self.assertEqual(client.ask(rig.request("/", name)).status, 200)
        # Without a name, or with a strange one: the first.
        for name in (None, "strange.test"):
            client = self.client(tls=certs.client_context(), server_name=name)
            self.assertEqual(served(client), fingerprint(self.first))

    def test_a_host_unknown_to_a_connection_made_for_another_is_misdirected(self):
        """RFC 9110 section 15.5.20: on a connection of its own it may be served."""
        port = self.rig.port()
        self.rig.apply(rig.document(*self.document["services"], rig.service(
            port, [rig.route("one", [self.backend], "one-up", host="first.test")],
            name="one",
            tls={"enabled": True, "cert_path": self.first.cert, "key_path": self.first.key})))
        self.addCleanup(self.rig.apply, self.document)
        address = self.proxy.host
        for name, host, status in (
                ("first.test", "first.test", 200), ("first.test", "FIRST.test:443", 200),
                ("first.test", "other.test", 421), (None, "other.test", 421),
                ("other.test", "first.test", 200), ("other.test", "other.test", 404),
                ("OTHER.test", "other.test", 404), ("other.test", "other.test.", 404),
                (None, address, 404), ("first.test", f"{address}:{port}", 404),
                (None, "[::1]", 404)):
            with self.subTest(name=name, host=host):
                context = certs.client_context()
                answer = self.secure_client(name, port, context=context).ask(rig.request("/", host))
                self.assertEqual(answer.status, status)
                over_h2 = h2_client.Client(address, port, tls=certs.client_context(),
                                           server_name=name)
                self.addCleanup(over_h2.close)
                stream = over_h2.start("/", method="GET", end=True, authority=host)
                self.assertEqual(over_h2.finish(stream).status, status)

    def test_ecdsa_and_rsa_side_by_side(self):
        """For one name: RSA for those who cannot verify ECDSA, whichever is written first."""
        pairs = [self.rig.cert(f"both-{kind}", ["both.test"], issuer=self.authority, key_type=kind)
                 for kind in ("ec", "rsa")]
        ports = [self.rig.port(), self.rig.port()]
        self.rig.apply(rig.document(*self.document["services"], *(
            rig.service(port, [rig.route("all", [self.backend], "both-up")], name=f"both-{port}",
                        tls={"enabled": True, "certificates": [
                            {"cert_path": pair.cert, "key_path": pair.key} for pair in order]})
            for port, order in zip(ports, (pairs, pairs[::-1])))))
        self.addCleanup(self.rig.apply, self.document)
        for port in ports:
            for pair, ciphers in zip(pairs, ("ECDHE-ECDSA-AES128-GCM-SHA256",
                                             "ECDHE-RSA-AES128-GCM-SHA256")):
                context = certs.client_context(self.authority, version=ssl.TLSVersion.TLSv1_2)
                context.set_ciphers(ciphers)
                client = self.secure_client("both.test", port, context=context)
                self.assertEqual(served(client), fingerprint(pair), ciphers)
            client = self.secure_client("both.test", port, version=ssl.TLSVersion.TLSv1_3)
            self.assertEqual(served(client), fingerprint(pairs[0]), "who can do both gets ECDSA")

    def test_alpn_offers_http11(self):
        client = self.secure_client(alpn=["http/1.1"])
        self.assertEqual(client.sock.selected_alpn_protocol(), "http/1.1")

    def test_sessions_resume_on_every_worker(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = certs.client_context(self.authority, version=version)
            first = self.secure_client(context=context)
            first.ask(rig.request("/", "first.test"))
            session = first.sock.session
            reused = []
            for _ in range(16):  # The kernel spreads these over the workers' sockets.
                with h1.Client(self.proxy.host, self.port, tls=context, server_name="first.test",
                               session=session) as client:
                    self.assertEqual(client.ask(rig.request("/", "first.test")).status, 200)
                    reused.append(client.sock.session_reused)
            self.assertEqual(reused, [True] * 16)

    def test_certificate_is_replaced_without_touching_connections(self):
        moving = self.rig.cert("moving", ["moving.test"], issuer=self.authority)
        port = self.rig.port()
        document = rig.document(*self.document["services"], rig.service(
            port, [rig.route("all", [self.backend], "moving-up")], name="moving",
            tls={"enabled": True, "cert_path": moving.cert, "key_path": moving.key}))
        self.rig.apply(document)
        old = fingerprint(moving)
        held = self.secure_client("moving.test", port)
        self.assertEqual(served(held), old)
        connection = rig.told(held.ask(rig.request("/", "moving.test")).body)
        fresh = self.rig.cert("moving-new", ["moving.test"], issuer=self.authority)
        shutil.copy(fresh.key, moving.key)
        shutil.copy(fresh.cert, moving.cert)
        self.rig.apply(document)
        self.assertNotEqual(fingerprint(moving), old)
        self.assertEqual(served(self.secure_client("moving.test", port)), fingerprint(moving))
        again = rig.told(held.ask(rig.request("/", "moving.test")).body)
        self.assertEqual(again["node"], connection["node"])

    def test_mismatched_pair_is_refused_and_the_old_one_stays(self):
        bad = self.rig.path("mismatch.key")
        shutil.copy(self.second.key, bad)
        document = rig.document(rig.service(
            self.port, [rig.route("all", [self.backend])],
            tls={"enabled": True, "cert_path": self.first.cert, "key_path": bad}))
        done = self.rig.ctl("validate", "-f", self.rig.write(document), code=1)
        self.assertIn("key_path", done.stdout + done.stderr)
        self.rig.apply(document, code=1)
        self.assertEqual(served(self.secure_client()), fingerprint(self.first))

    def test_plain_text_on_a_tls_port_gets_no_answer_from_upstream(self):
        client = self.client()
        client.send(rig.request("/plain"))
        rest = client.at_end()
        self.assertNotIn(b"200 OK", rest)

    def test_slow_handshake_blocks_nobody(self):
        stuck = [self.client() for _ in range(20)]
        for client in stuck:
            client.send(b"\x16\x03\x01")
        self.assertEqual(self.secure_client().ask(rig.request("/", "first.test")).status, 200)

    def test_upstream_is_verified(self):
        def status(path):
            return self.secure_client().ask(rig.request(path, "first.test"))
        answer = status("/good/x")
        self.assertEqual(answer.status, 200)
        self.assertEqual(rig.told(answer.body)["sni"], "inner.test")
        self.assertEqual(rig.told(status("/unverified").body)["sni"], "x.test")
        for path in ("/wrong-name", "/wrong-ca", "/system-ca", "/not-tls"):
            with self.subTest(path=path):
                self.assertEqual(status(path).status, 502)

    def test_client_certificate_goes_upstream(self):
        self.assertEqual(self.secure_client().ask(rig.request("/mutual", "first.test")).status, 200)
        subject = self.mutual.connections[-1].client_certificate["subject"]
        self.assertIn((("commonName", "client"),), subject)
        answer = self.secure_client().ask(rig.request("/no-client-cert", "first.test"))
        self.assertEqual(answer.status, 502)

    def test_private_keys_stay_secret(self):
        with open(self.first.key) as f:
            secret = f.read().splitlines()[1]
        shown = self.rig.ctl("-o", "yaml", "get", "certificates").stdout
        shown += str(self.proxy.get("/config"))
        shown += self.proxy.output() + self.rig.controller.output()
        self.assertNotIn(secret, shown)
        self.assertIn("first", shown)

    def test_openssl_client_agrees(self):
        import subprocess
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"{self.proxy.host}:{self.port}", "-servername",
             "second.test", "-CAfile", self.authority.cert, "-verify_return_error", "-brief"],
            input="", capture_output=True, text=True, env={**os.environ}, timeout=rig.DEADLINE)
        self.assertIn("Verification: OK", done.stdout + done.stderr)


if __name__ == "__main__":
    rig.main()
