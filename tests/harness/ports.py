"""Ports that no other test on this machine is using.

They lie below the range the kernel hands to outgoing connections, and each is held by a lock on a
file for as long as the test process lives, so tests may run side by side.
"""
import fcntl
import os
import random
import socket
import tempfile

FIRST, LAST = 12000, 19999
_held = {}


def _lock_folder():
    folder = os.path.join(tempfile.gettempdir(), f"sluice-ports-{os.getuid()}")
    os.makedirs(folder, exist_ok=True)
    return folder


def _free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def take():
    """A port free on every loopback address, ours until this process ends."""
    folder = _lock_folder()
    candidates = list(range(FIRST, LAST + 1))
    random.shuffle(candidates)
    for port in candidates:
        if port in _held:
            continue
        handle = open(os.path.join(folder, str(port)), "a")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            continue
        if not _free(port):
            handle.close()
            continue
        _held[port] = handle
        return port
    raise RuntimeError(f"no free port between {FIRST} and {LAST}")
