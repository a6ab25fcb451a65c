#!/usr/bin/python3
"""gRPC calls are balanced each on its own, although a client has one connection only; and a server
is in use as its own health service says."""
import signal
import unittest  # noqa: F401

import _path  # noqa: F401
import interop
import rig

HTTP2 = {"protocol": "http2"}


class GrpcBalancingTest(rig.FleetTest):
    workers = 1  # The order of one worker's choices is what is looked at.

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.servers = [interop.Server(r, f"server-{i}") for i in range(2)]
        cls.checked = [interop.Server(r, f"checked-{i}") for i in range(2)]
        cls.turns, cls.least, cls.healthy = (r.port() for _ in range(3))
        check = {"schema": "grpc", "frequency_secs": 1, "timeout": "500ms", "healthy_after": 1,
                 "unhealthy_after": 1}

        def service(name, port, servers, **options):
            return rig.service(port, [rig.route(name, servers, upstream_options={**HTTP2, **options})],
                               name=name)
        r.apply(rig.document(
            service("turns", cls.turns, cls.servers, lb_strategy="round_robin"),
            service("least", cls.least, cls.servers, lb_strategy="least_request"),
            service("healthy", cls.healthy, cls.checked, lb_strategy="round_robin",
                    panic_threshold_percent=0, health_check=check)))

    def counts(self, port, case, method, servers=None, **options):
        """How many of the calls each server got."""
        servers = servers or self.servers
        before = [server.calls(method) for server in servers]
        code, said = interop.run_client("cpp", f"{self.proxy.host}:{port}", case, **options)
        self.assertEqual(code, 0, said)
        return [server.calls(method) - had for server, had in zip(servers, before)]

    def test_unary_calls_of_one_connection_take_turns(self):
        self.assertEqual(self.counts(self.turns, "empty_unary", "EmptyCall", calls=40), [20, 20])

    def test_streams_of_one_connection_take_turns(self):
        self.assertEqual(self.counts(self.turns, "ping_pong", "FullDuplexCall", calls=40), [20, 20])
        self.assertEqual(self.counts(self.turns, "client_streaming", "StreamingInputCall", calls=10),
                         [5, 5])

    def test_streams_at_a_time_are_spread(self):
        self.assertEqual(self.counts(self.turns, "ping_pong", "FullDuplexCall", calls=5,
                                     parallel=16), [40, 40])
        count = self.counts(self.least, "ping_pong", "FullDuplexCall", calls=5, parallel=16)
        self.assertEqual(sum(count), 80)
        self.assertGreater(min(count), 0, count)

    def test_a_server_that_stops_answering_its_health_check_gets_no_calls(self):
        first, second = self.checked
        rig.wait_for("both to be in use", lambda: min(self.counts(
            self.healthy, "empty_unary", "EmptyCall", servers=self.checked, calls=4)) > 0)
        first.signal(signal.SIGSTOP)
        self.addCleanup(first.signal, signal.SIGCONT)
        rig.wait_for("the first to be out of use", lambda: rig.metric(
            self.proxy.metrics(), "sluice_endpoint_healthy", endpoint=first.address) == 0)
        self.assertEqual(self.counts(self.healthy, "ping_pong", "FullDuplexCall",
                                     servers=self.checked, calls=10), [0, 10])
        first.signal(signal.SIGCONT)
        rig.wait_for("the first to be back", lambda: min(self.counts(
            self.healthy, "empty_unary", "EmptyCall", servers=self.checked, calls=4)) > 0)


if __name__ == "__main__":
    rig.main()
