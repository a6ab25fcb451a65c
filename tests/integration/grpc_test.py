#!/usr/bin/python3
"""The gRPC interoperability cases, every client with every server: first without a proxy, so that
the peers are known to agree, then through it in clear text and over TLS."""
import concurrent.futures
import unittest

import _path  # noqa: F401
import interop
import rig

KINDS = ("cpp", "go")
HTTP2 = {"protocol": "http2"}


# AddressSanitizer keeps 256 MiB of what was freed, and the red zones around it.
GROWTH_KIB = 32 << 10 if not rig.SANITIZER else 512 << 10


class Pairs:
    """`address(server)`: where clients of that kind of server connect to."""

    ca = authority = None

    def address(self, server):
        raise NotImplementedError

    def check(self, client, server):
        if "go" in (client, server):
            interop.go_folder()  # Skips where there is none.
        address = self.address(server)
        # They mostly wait; the cases do not know of each other.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            runs = {case: pool.submit(interop.run_client, client, address, case, ca=self.ca,
                                      authority=self.authority) for case in interop.CASES}
        for case, run in runs.items():
            with self.subTest(case=case):
                code, said = run.result()
                self.assertEqual(code, 0, said)

    def test_cpp_to_cpp(self):
        self.check("cpp", "cpp")

    def test_go_to_cpp(self):
        self.check("go", "cpp")

    def test_cpp_to_go(self):
        self.check("cpp", "go")

    def test_go_to_go(self):
        self.check("go", "go")


class HugeMessages:
    def test_messages_of_many_megabytes_in_bounded_memory(self):
        for case in interop.HUGE_CASES:
            with self.subTest(case=case):
                self.proxy.forget_peak()
                before = self.proxy.rss_kib()
                code, said = interop.run_client("cpp", self.address("cpp"), case, ca=self.ca,
                                                authority=self.authority)
                self.assertEqual(code, 0, said)
                self.assertLess(self.proxy.rss_kib("VmHWM") - before, GROWTH_KIB)


def start_servers(r, **options):
    servers = {}
    for kind in KINDS:
        try:
            servers[kind] = interop.Server(r, f"server-{kind}", kind, **options)
        except unittest.SkipTest:
            pass  # The tests that need it say so, and peers.py keeps what is missing.
    return servers


class DirectTest(Pairs, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = rig.Rig()
        cls.addClassCleanup(cls.rig.close)
        cls.servers = start_servers(cls.rig)

    def address(self, server):
        return self.servers[server].address

    def test_no_case_passes_against_a_web_server(self):
        server = self.rig.h2_upstream()
        for client in KINDS:
            for case in ("empty_unary", "client_streaming", "status_code_and_message"):
                with self.subTest(client=client, case=case):
                    code, said = interop.run_client(client, server.address, case)
                    self.assertEqual(code, 1, said)
                    self.assertTrue(said)


class ProxyTest(Pairs, HugeMessages, rig.FleetTest):
    """Clear text on both sides; the address is all that differs from DirectTest."""

    @classmethod
    def prepare(cls):
        cls.servers = start_servers(cls.rig)
        cls.ports = {kind: cls.rig.port() for kind in cls.servers}
        cls.nowhere = cls.rig.port()
        cls.rig.apply(rig.document(
            rig.service(cls.nowhere, [rig.route("cpp", path_prefix="/other",
                                                upstreams=[{"name": "cpp-up"}])], name="nowhere"),
            *(rig.service(cls.ports[kind], [rig.route(kind, [server], upstream_options=HTTP2)],
                          name=f"to-{kind}", limits={"body_bytes": 0})
              for kind, server in cls.servers.items())))

    def address(self, server):
        return f"{self.proxy.host}:{self.ports[server]}"

    def test_cancelling_reaches_the_server(self):
        server = self.servers["cpp"]
        before = server.cancelled("FullDuplexCall")
        code, said = interop.run_client("cpp", self.address("cpp"), "cancel_after_first_response")
        self.assertEqual(code, 0, said)
        rig.wait_for("the server to hear of it",
                     lambda: server.cancelled("FullDuplexCall") == before + 1)

    def test_clients_understand_that_there_is_no_route(self):
        address = f"{self.proxy.host}:{self.nowhere}"
        for client in KINDS:  # One that cannot be had is a subtest skipped.
            many = {"calls": 50, "parallel": 4} if client == "cpp" else {}
            for case in ("unimplemented_method", "unimplemented_service"):
                with self.subTest(client=client, case=case):
                    code, said = interop.run_client(client, address, case, **many)
                    self.assertEqual(code, 0, said)
        record = self.proxy.wait_record(lambda r: r.get("failure") == "no_route")
        self.assertEqual((record["status"], record["protocol"]), (200, "HTTP/2"))

    def test_many_calls_at_a_time_on_one_connection(self):
        for case in ("large_unary", "client_streaming", "server_streaming", "ping_pong"):
            with self.subTest(case=case):
                code, said = interop.run_client("cpp", self.address("cpp"), case, calls=20,
                                                parallel=16)
                self.assertEqual(code, 0, said)


class TlsTest(Pairs, HugeMessages, rig.FleetTest):
    """TLS on both sides, HTTP/2 by ALPN."""

    authority = "a.test"

    @classmethod
    def prepare(cls):
        r = cls.rig
        certificate = r.cert("a", ["a.test"])
        cls.ca = certificate.cert
        cls.servers = start_servers(r, tls=certificate)
        cls.ports = {kind: r.port() for kind in cls.servers}
        options = {**HTTP2, "tls": {"sni": "a.test", "ca_path": cls.ca}}
        r.apply(rig.document(*(
            rig.service(cls.ports[kind], [rig.route(kind, [server], upstream_options=options)],
                        name=f"to-{kind}", limits={"body_bytes": 0},
                        tls={"enabled": True, "cert_path": certificate.cert,
                             "key_path": certificate.key})
            for kind, server in cls.servers.items())))

    def address(self, server):
        return f"{self.proxy.host}:{self.ports[server]}"


if __name__ == "__main__":
    rig.main()
