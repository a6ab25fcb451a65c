"""Machines of their own for programs under test: network namespaces whose links can be cut.

    net = netns.Net(rig, 3)
    process.Process([*net.sites[0].before, "sleep", "60"], ...)
    net.sites[0].cut()

Each site has two links: one to a backbone that joins all of them, one to the test and what runs
beside it. A link that is cut loses every packet without a word, as a cable does. Needs root;
without the right to make namespaces the tests are skipped by name.
"""
import contextlib
import ctypes
import ipaddress
import os
import shutil
import subprocess
import unittest

import peers
import ports

# Of addresses that nobody has (RFC 2544), a block for each port: who holds the port has the block.
BLOCK_BITS = 4
FIRST_ADDRESS = int(ipaddress.IPv4Address("198.18.0.0"))
SITES_MAX = 4  # Four addresses of the block for each.
_CLONE_NEWNET = 0x40000000


def _ip(*argv, check=True):
    done = subprocess.run(["ip", *map(str, argv)], capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(map(str, argv))}: {done.stderr.strip()}")
    return done


def _need(name):
    """Skips where namespaces cannot be made: no package brings the right to, so it is no failure
    even where programs are required."""
    why = "ip: not installed"
    if shutil.which("ip"):
        done = _ip("netns", "add", name, check=False)
        if done.returncode == 0:
            return
        why = f"network namespaces: {done.stderr.strip()}"
    if why not in peers.missing:
        peers.missing.append(why)
    raise unittest.SkipTest(why)


class Site:
    """A namespace: `address` on the backbone, `front` for the test."""

    def __init__(self, name, number, backbone, front_device, block):
        self.name, self._number, self._backbone = name, number, backbone
        self.address = f"10.0.0.{number}"
        base = block + 4 * (number - 1)
        test, self.front = (str(ipaddress.IPv4Address(base + i)) for i in (1, 2))
        self.before = ["ip", "netns", "exec", name]
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", backbone, "link", "add", f"site{number}", "type", "veth", "peer", "name",
            "backbone", "netns", name)
        _ip("-n", backbone, "link", "set", f"site{number}", "master", "bridge", "up")
        _ip("-n", name, "address", "add", self.address + "/24", "dev", "backbone")
        _ip("-n", name, "link", "set", "backbone", "up")
        _ip("link", "add", front_device, "type", "veth", "peer", "name", "front", "netns", name)
        _ip("address", "add", test + "/30", "dev", front_device)
        _ip("link", "set", front_device, "up")
        _ip("-n", name, "address", "add", self.front + "/30", "dev", "front")
        _ip("-n", name, "link", "set", "front", "up")

    def cut(self, front=False):
        """Off from the other sites; with `front` also from the test, then nobody reaches it."""
        _ip("-n", self._backbone, "link", "set", f"site{self._number}", "down")
        if front:
            _ip("-n", self.name, "link", "set", "front", "down")

    def heal(self):
        _ip("-n", self._backbone, "link", "set", f"site{self._number}", "up")
        _ip("-n", self.name, "link", "set", "front", "up")

    @contextlib.contextmanager
    def inside(self):
        """This thread, and the programs that it starts, are on that machine meanwhile."""
        with open("/proc/thread-self/ns/net") as here, open(f"/run/netns/{self.name}") as there:
            _enter(there)
            try:
                yield
            finally:
                _enter(here)


def _enter(namespace):
    if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Net:
    """`count` sites and the backbone; gone when the rig is closed."""

    def __init__(self, rig, count):
        if count > SITES_MAX:
            raise ValueError(f"at most {SITES_MAX} sites")
        port = rig.port()
        block = FIRST_ADDRESS + ((port - ports.FIRST) << BLOCK_BITS)
        self._names = [f"sluice-{port}-{what}" for what in ("backbone", *range(1, count + 1))]
        self._remove()  # What a test that was killed has left.
        _need(self._names[0])
        rig.cleanups.append(self._remove)
        for name in self._names[1:]:
            _ip("netns", "add", name)
        _ip("-n", self._names[0], "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._names[0], "link", "set", "bridge", "up")
        self.sites = [Site(name, number, self._names[0], f"sluice{port}{number}", block)
                      for number, name in enumerate(self._names[1:], 1)]

    def heal(self):
        for site in self.sites:
            site.heal()

    def _remove(self):
        """With them goes the other end of their links."""
        for name in self._names:
            if os.path.exists(f"/run/netns/{name}"):
                _ip("netns", "delete", name)
