#!/usr/bin/python3
"""Programs of others that tests talk to: found on this machine, or built from Go's sources at the
versions that tests/peers/go.mod has pinned.

usage: peers.py    builds those of Go now, so that no test has to wait for it

Where one cannot be had, what needs it is skipped by name, and the module ends with the exit code
SKIPPED, by which ctest reports it as skipped. With SLUICE_REQUIRE_PEERS=1 it fails instead.
"""
import fcntl
import os
import shutil
import subprocess
import sys
import unittest

SKIPPED = 77
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MODULE = os.path.join(ROOT, "tests", "peers")
PACKAGES = {"h2spec": "github.com/summerwind/h2spec/cmd/h2spec",
            "client": "google.golang.org/grpc/interop/client",
            "server": "google.golang.org/grpc/interop/server"}
FOLDER = os.environ.get("SLUICE_PEERS_DIR") or os.path.join(ROOT, "build", "peers")
BUILD_SECONDS_MAX = 280
missing = []  # Of what was skipped in this process.


def without(what):
    """What to raise where `what` cannot be had; it names the program and the reason."""
    if os.environ.get("SLUICE_REQUIRE_PEERS") == "1":
        return AssertionError(f"{what} (SLUICE_REQUIRE_PEERS=1; tools/setup --tests --peers)")
    if what not in missing:
        missing.append(what)
    return unittest.SkipTest(what)


def need(*names):
    """The path of the first of these programs that is installed."""
    found = next(filter(None, map(shutil.which, names)), None)
    if not found:
        raise without(f"{names[0]}: not installed")
    return found


def built(*names):
    """The folder that holds these programs of PACKAGES, built where they are not there yet."""
    if not shutil.which("go") and not _has(names):
        raise without(f"{'/'.join(names)}: not there, and no Go to build it with")
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Tests run side by side.
        if _has(names):
            return FOLDER
        try:
            run = subprocess.run(["go", "install", *(PACKAGES[name] for name in names)], cwd=MODULE,
                                 capture_output=True, text=True, timeout=BUILD_SECONDS_MAX,
                                 env={**os.environ, "GOBIN": FOLDER})
            said = run.stderr.strip()[-300:] if run.returncode else ""
        except subprocess.TimeoutExpired:
            said = f"not done after {BUILD_SECONDS_MAX} s"
    if not _has(names):
        raise without(f"{'/'.join(names)}: cannot be built: {said}")
    return FOLDER


def _has(names):
    return all(os.path.exists(os.path.join(FOLDER, name)) for name in names)


def exit_code(passed):
    """Of a module whose tests all passed or were skipped, or not."""
    if passed and missing:
        print(f"skipped for want of: {'; '.join(missing)}", file=sys.stderr)
        return SKIPPED
    return 0 if passed else 1


if __name__ == "__main__":
    for one in (("h2spec",), ("client", "server")):
        try:
            print(f"{'/'.join(one)}: in {built(*one)}")
        except unittest.SkipTest as skipped:
            print(skipped)
    sys.exit(exit_code(True))
