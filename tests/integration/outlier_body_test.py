#!/usr/bin/python3
"""Nodes whose heads look well and whose bodies or trailers do not are taken out, too."""
import unittest  # noqa: F401

import _path  # noqa: F401
import h1
import h2_client
import rig
from upstream import OK, reply

GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
UNAVAILABLE, NOT_FOUND = "14", "5"


class OutlierBodyTest(rig.FleetTest):
    workers = 2

    @classmethod
    def prepare(cls):
        r = cls.rig
        cls.port = r.port()
        cls.ups = [r.upstream() for _ in range(2)]
        cls.calls = [r.h2_upstream(on_request=cls.answer) for _ in range(2)]
        cls.status = {up.address: "0" for up in cls.calls}
        options = {"lb_strategy": "round_robin",
                   "outlier_detection": {"consecutive_failures": 3, "base_ejection": "60s"}}
        r.apply(rig.document(rig.service(cls.port, [
            rig.route(name, cls.ups, name, options, path_prefix="/" + name)
            for name in ("length", "chunks", "partly", "refusals")] + [
            rig.route(name, cls.calls, name, {**options, "protocol": "http2"},
                      path_prefix=f"/{name}.S")
            for name in ("late", "early", "honest")])))

    @classmethod
    def answer(cls, request):
        request.complete.wait(20)
        connection, stream = request.connection, request.stream
        status = [("grpc-status", cls.status[connection.owner.address])]
        head = [("content-type", "application/grpc")]
        if request.path.startswith("/early."):
            return connection.head(stream, 200, head + status, end=True)
        connection.head(stream, 200, head)
        return connection.trailers(stream, status)

    def setUp(self):
        super().setUp()
        for up in self.ups:
            up.on_request = lambda c, q: OK

    def ejected(self, upstream, up=None):
        labels = {"endpoint": up.address} if up else {}
        return rig.metric(self.proxy.metrics(), "sluice_endpoint_ejected", upstream=upstream,
                          **labels)

    def ask(self, name, count):
        """How many of `count` requests were answered whole."""
        whole = 0
        for _ in range(count):
            try:
                whole += self.get(f"/{name}/x").status == 200
            except (h1.Cut, h1.Gone, ConnectionError):
                pass
        return whole

    def assert_ejected(self, name, bad):
        self.ask(name, 12)
        self.assertEqual(self.ejected(name, bad), 1)
        self.assertEqual(self.ask(name, 10), 10)

    def cut(self, answer):
        def send(connection, _):
            connection.send(answer)
            return "close"
        return send

    def test_a_length_that_is_a_lie(self):
        self.ups[0].on_request = self.cut(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nnot so many")
        self.assert_ejected("length", self.ups[0])

    def test_chunks_without_an_end(self):
        self.ups[1].on_request = self.cut(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        self.assert_ejected("chunks", self.ups[1])

    def test_whole_bodies_in_between(self):
        turns = []

        def by_turns(connection, request):
            turns.append(1)
            if len(turns) % 2:
                return self.cut(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")(
                    connection, request)
            return reply("whole")
        self.ups[0].on_request = by_turns
        self.ask("partly", 20)
        self.assertGreaterEqual(len(turns), 8)
        self.assertEqual(self.ejected("partly"), 0)

    def test_what_clients_are_refused_is_no_failure(self):
        for up in self.ups:
            up.on_request = lambda c, q: reply("no", "404 Not Found")
        self.ask("refusals", 20)
        self.assertEqual(self.ejected("refusals"), 0)

    def call(self, name, count):
        """The statuses of `count` calls."""
        client = h2_client.Client(self.proxy.host, self.port)
        self.addCleanup(client.close)
        answers = [client.ask(f"/{name}.S/M", GRPC, b"\0\0\0\0\0") for _ in range(count)]
        return {answer.trailer("grpc-status") or answer.field("grpc-status")
                for answer in answers}

    def set_status(self, up, status):
        self.status[up.address] = status
        self.addCleanup(self.status.update, {up.address: "0"})

    def test_calls_that_fail_in_their_trailers(self):
        self.set_status(self.calls[0], UNAVAILABLE)
        self.call("late", 12)
        self.assertEqual(self.ejected("late", self.calls[0]), 1)
        self.assertEqual(self.call("late", 10), {"0"})

    def test_calls_that_are_trailers_only(self):
        self.set_status(self.calls[1], UNAVAILABLE)
        self.call("early", 12)
        self.assertEqual(self.ejected("early", self.calls[1]), 1)
        self.assertEqual(self.call("early", 10), {"0"})

    def test_statuses_that_are_answers(self):
        for up in self.calls:
            self.set_status(up, NOT_FOUND)
        self.assertEqual(self.call("honest", 12), {NOT_FOUND})
        self.assertEqual(self.ejected("honest"), 0)


if __name__ == "__main__":
    rig.main()
