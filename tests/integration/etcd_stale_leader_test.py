#!/usr/bin/python3
"""A leader that stood still while another took over writes nothing when it goes on."""
import unittest  # noqa: F401

import h2.exceptions

import _path  # noqa: F401
import grpc_call
import grpc_web
import load
import rig
import trio
import yamlish

APPLY = "/sluice.v1.AdminService/Apply"


class StaleLeaderTest(trio.TrioTest):
    def apply_request(self, text):
        """An ApplyRequest as bytes."""
        file = [(1, "late.yaml"), (2, yamlish.dump(self.version(text)))]
        return grpc_web.message([(1, [(1, file)]), (2, text), (3, "test")])

    def test_it_writes_nothing_and_follows(self):
        self.apply("before")
        self.wait_served("before")
        old = self.trio.leader()
        with load.Steady(self.rig.proxies[0].host, self.port, threads=2) as clients, \
                grpc_call.connect(old.grpc, timeout=trio.PATIENCE) as late:
            # A connection that it knows, and calls that it finds when it wakes up.
            self.assertEqual(late.call("/sluice.v1.AdminService/GetStatus").code, grpc_call.OK)
            self.trio.pause(old)
            new = self.trio.wait_leader()
            self.trio.wait_synced()  # Also those that were connected to the one that stands still.
            self.apply("meanwhile", new)
            self.wait_served("meanwhile")
            expected = self.history()
            term = self.etcd.get("/sluice/leader")
            streams = [late.begin(APPLY, self.apply_request(f"late {i}")) for i in range(3)]
            old.resume()
            rig.wait_for("it to follow", lambda: not trio.leads(old) and trio.ready(old),
                         trio.PATIENCE)
            answers = [self.answer(late, stream) for stream in streams]
        self.assertEqual(clients.failures, [])
        self.assertTrue(trio.leads(new))
        self.assertEqual(self.etcd.get("/sluice/leader"), term)
        told = self.assert_all_tell()
        # It may have passed some on once it followed, never have kept them by itself.
        kept = [message for _, _, message in told if message.startswith("late")]
        self.assertLessEqual({f"late {i}" for i, code in enumerate(answers)
                              if code == grpc_call.OK}, set(kept))
        self.assertEqual([one for one in told if one[2] not in kept], expected)
        # Its own copy is no other: it leads with it.
        others = self.trio.others(old)
        self.trio.kill(*others)
        self.assertIs(self.trio.wait_leader(), old)
        self.assertEqual(self.history(old), told)
        self.trio.restart(*others)
        self.apply("after")
        self.wait_served("after")

    @staticmethod
    def answer(client, stream):
        """The call's status; None: the connection ended."""
        try:
            return client.end(stream).code
        except (OSError, h2.exceptions.ProtocolError):
            return None

    def test_a_follower_that_stood_still_catches_up(self):
        leader = self.trio.leader()
        still = self.trio.others(leader)[0]
        self.trio.pause(still)
        for i in range(5):
            self.apply(f"unseen {i}", leader)
        self.trio.wait_synced()
        still.resume()
        self.trio.wait_ready()
        told = self.assert_all_tell()
        self.trio.kill(*self.trio.others(still))
        self.trio.wait_leader()
        self.assertEqual(self.history(still), told)

    def test_all_stand_still_and_go_on(self):
        self.apply("kept")
        self.wait_served("kept")
        for controller in self.trio.controllers:
            controller.pause()
        rig.wait_for("the lease to end", lambda: not self.etcd.get("/sluice/leader"), trio.PATIENCE)
        self.assertEqual(self.served(), ["kept"] * 3)
        for controller in self.trio.controllers:
            controller.resume()
        rig.wait_for("one to lead again", lambda: self.etcd.get("/sluice/leader"), trio.PATIENCE)
        self.trio.wait_leader()
        self.trio.wait_ready()
        self.trio.wait_synced()
        self.assertEqual(self.assert_all_tell()[0][2], "kept")
        self.apply("gone on")
        self.wait_served("gone on")


if __name__ == "__main__":
    rig.main()
