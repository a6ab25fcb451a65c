#!/usr/bin/python3
"""Random request streams through the proxy to an upstream with a parser of its own (node's): what
the proxy says it forwarded must be what arrived, request for request, or the stream must be
refused.

usage: differential_run.py [--seed N] [--count N | --seconds S] [--http2] [--self-test]
A failure prints the seed, the batch and the smallest stream that still shows it.
"""
import argparse
import asyncio
import json
import os
import random as random_module
import socket
import subprocess
import sys
import time
import unittest

HARNESS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness")
sys.path.insert(0, HARNESS)
import differential_grammar as grammar  # noqa: E402
import differential_judge as judge      # noqa: E402
import h2_frames as h2                  # noqa: E402
import naive_forwarder                  # noqa: E402
import peers                            # noqa: E402
import rig                              # noqa: E402
import waiting                          # noqa: E402

BATCH = 200
AT_A_TIME = 20
SECONDS = "2s"


class Site:
    """The proxy, or with `naive` a forwarder that believes the first length it meets."""

    def __init__(self, kit, node, naive):
        self.port, node_port = kit.port(), kit.port()
        self.node = kit.program("node", node, os.path.join(HARNESS, "node_upstream.js"), node_port)
        if naive:
            self.host = "127.0.0.1"
            self.log = kit.path("naive.log")
            naive_forwarder.start(self.port, node_port, self.log)
        else:
            kit.start_controller()
            proxy = kit.start_proxy("node-1", "127.0.0.1", workers=1)
            self.host, self.log = proxy.host, proxy.access_log
            kit.wait_nodes("node-1")
            timeouts = dict.fromkeys(("header", "idle", "keep_alive", "half_close"), SECONDS)
            route = rig.route("all", [f"127.0.0.1:{node_port}"], upgrades=[], retry={"on": []})
            kit.apply(rig.document(rig.service(self.port, [route], timeouts=timeouts)))
        self.read = {self.log: 0, self.node.log: 0}
        waiting.wait_for("node to listen", lambda: socket.create_connection(
            ("127.0.0.1", node_port)).close() or True)

    def news(self, path):
        if not os.path.exists(path):
            return []
        with open(path, "rb") as f:
            f.seek(self.read[path])
            data = f.read()
        whole = data[:data.rfind(b"\n") + 1]
        self.read[path] += len(whole)
        return [json.loads(line) for line in whole.decode("utf-8").splitlines()]

    def play(self, streams, http2):
        """What is wrong when these were sent, and how many requests were forwarded and refused."""
        asyncio.run(send_all(self.host, self.port, streams, http2))
        records, lines, quiet = [], [], 0
        # Both write behind the last answer; what a cut leaves behind comes last.
        while quiet < 4:
            time.sleep(0.05)
            more, more_lines = self.news(self.log), self.news(self.node.log)
            records += more
            lines += more_lines
            quiet = 0 if more or more_lines else quiet + 1
        passed = sum(not r["failure"] for r in records)
        return judge.problems(records, lines, streams), passed, len(records) - passed


async def send_all(host, port, streams, http2):
    gate = asyncio.Semaphore(AT_A_TIME)

    async def one(data):
        async with gate:
            await (send_h2 if http2 else send_h1)(host, port, data)
    await asyncio.gather(*(one(data) for data in streams))


async def send_h1(host, port, data):
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(data)
        writer.write_eof()
        await asyncio.wait_for(reader.read(-1), 10 * waiting.SLOWDOWN)
    except (OSError, TimeoutError, asyncio.TimeoutError):
        pass
    finally:
        writer.close()


async def send_h2(host, port, data):
    asked = {f.stream for f in h2.Reader().feed(data[len(h2.PREFACE):]) if f.type == h2.HEADERS}
    reader, writer = await asyncio.open_connection(host, port)
    frames = h2.Reader()
    try:
        writer.write(data)
        while asked:
            got = await asyncio.wait_for(reader.read(1 << 16), 3 * waiting.SLOWDOWN)
            if not got:
                break
            for f in frames.feed(got):
                ends = f.type in (h2.DATA, h2.HEADERS) and f.flags & h2.END_STREAM
                if ends or f.type == h2.RST_STREAM:
                    asked.discard(f.stream)
    except (OSError, TimeoutError, asyncio.TimeoutError):
        pass
    finally:
        writer.close()


def smallest(site, data, http2):
    """Cuts out what is not needed to show the problem."""
    size = len(data) // 2
    while size:
        at = 0
        while at < len(data):
            shorter = data[:at] + data[at + size:]
            if shorter and site.play([shorter], http2)[0]:
                data = shorter
            else:
                at += size
        size //= 2
    return data


def explain(site, streams, http2, found):
    print(f"not ok {found[0]}")
    for data in streams:
        alone = site.play([data], http2)[0]
        if alone:
            data = smallest(site, data, http2)
            print(f"shown by {data!r}: {site.play([data], http2)[0][:1]}")
            return
    print("no stream shows it alone")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--count", type=int, default=4000, help="streams")
    parser.add_argument("--seconds", type=float, help="instead of a count")
    parser.add_argument("--http2", action="store_true", help="clients speak HTTP/2")
    parser.add_argument("--self-test", action="store_true",
                        help="with a naive forwarder in the proxy's place, which must be found out")
    options = parser.parse_args()
    try:
        node = peers.need("node")  # Its parser is the judge.
    except unittest.SkipTest:
        return peers.exit_code(True)
    seed = options.seed
    if seed is None:
        seed = random_module.SystemRandom().randrange(1 << 32)
    kit, failed = rig.Rig(), False
    try:
        site = Site(kit, node, options.self_test)
        begun, played, passed, refused = time.monotonic(), 0, 0, 0
        while not failed and (time.monotonic() - begun < options.seconds if options.seconds
                              else played < options.count):
            random = random_module.Random(f"{seed}/{played}")
            make = grammar.h2_stream if options.http2 else grammar.stream
            streams = [make(random) for _ in range(BATCH)]
            found, more_passed, more_refused = site.play(streams, options.http2)
            played, passed, refused = played + BATCH, passed + more_passed, refused + more_refused
            failed = bool(found)
            if found and not options.self_test:
                print(f"--seed {seed}, at stream {played - BATCH}")
                explain(site, streams, options.http2, found)
        version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip()
        print(f"seed {seed}: {played} streams; {passed} requests passed, {refused} refused; "
              f"judged by node {version}")
        if options.self_test:
            print("ok the naive forwarder was found out" if failed else
                  "not ok a naive forwarder went unnoticed")
            failed = not failed
        elif passed < played / 10 or refused < played / 10:
            print("not ok too few of one kind: nothing is shown")
            failed = True
    finally:
        kit.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
