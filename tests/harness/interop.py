"""Clients and servers of the gRPC interoperability cases: ours in C++, and gRPC's own in Go.

The Go programs are taken from SLUICE_GRPC_GO (a folder with `client` and `server`), else peers.py
builds them; without Go, or without a network, what needs them is skipped.
"""
import os
import socket
import subprocess

import fleet
import peers
import process
import waiting

CASES = ("empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong",
         "empty_stream", "timeout_on_sleeping_server", "cancel_after_begin",
         "cancel_after_first_response", "status_code_and_message", "special_status_message",
         "custom_metadata", "unimplemented_method", "unimplemented_service")
# Ours alone: messages of 48 and 64 MiB, both ways.
HUGE_CASES = ("huge_unary", "huge_ping_pong")


def go_folder():
    """Where Go's client and server are; SkipTest if they cannot be had."""
    return os.environ.get("SLUICE_GRPC_GO") or peers.built("client", "server")


class Server(process.Process):
    """One of `kind` "cpp" or "go" on a port of its own."""

    def __init__(self, rig, name, kind="cpp", tls=None):
        self.port = rig.port()
        self.address = f"127.0.0.1:{self.port}"
        if kind == "cpp":
            argv = [os.path.join(fleet.BIN, "interop_server"), f"--listen={self.address}"]
            argv += [f"--tls-cert={tls.cert}", f"--tls-key={tls.key}"] if tls else []
        else:
            argv = [os.path.join(go_folder(), "server"), f"-port={self.port}"]
            argv += ["-use_tls", f"-tls_cert_file={tls.cert}", f"-tls_key_file={tls.key}"] \
                if tls else []
        # Go's ends by the signal.
        super().__init__(argv, rig.dir, name, expect=(0,) if kind == "cpp" else (0, -15))
        rig.parts.append(self)
        self.start()
        waiting.wait_for(f"{name} to listen", self.listens)

    def listens(self):
        with socket.create_connection(("127.0.0.1", self.port)):
            return True

    def calls(self, method):
        """How often it was called so far; of the C++ server only."""
        return self.output().splitlines().count(f"call {method}")

    def cancelled(self, method):
        """How many calls of a streaming method ended because the client had left; likewise."""
        return self.output().splitlines().count(f"cancelled {method}")


GO_CANCEL_RACES = 5  # In a row, until it counts as a failure.


def run_client(kind, address, case, ca=None, authority=None, calls=1, parallel=1):
    """One case against host:port, over TLS if there is a `ca`; (exit code, what it said). The C++
    client can do it several times on one connection, by several threads."""
    host, port = address.rsplit(":", 1)
    if kind == "cpp":
        argv = [os.path.join(fleet.BIN, "interop_client"), f"--server={address}", f"--case={case}",
                f"--calls={calls}", f"--parallel={parallel}"]
        argv += [f"--tls-ca={ca}"] if ca else []
        argv += [f"--authority={authority}"] if authority else []
    else:
        if (calls, parallel) != (1, 1):
            raise ValueError("Go's client runs a case once")
        argv = [os.path.join(go_folder(), "client"), f"-server_host={host}", f"-server_port={port}",
                f"-test_case={case}"]
        argv += ["-use_tls", "-use_test_ca", f"-ca_file={ca}"] if ca else []
        argv += [f"-server_host_override={authority}"] if authority else []
    for _ in range(GO_CANCEL_RACES):
        run = subprocess.run(argv, capture_output=True, text=True, timeout=2 * waiting.DEADLINE,
                             stdin=subprocess.DEVNULL)
        said = (run.stdout + run.stderr).strip()
        # Go's client cancels, ends its stream all the same and then reads: whether it finds the
        # server's answer or its own cancellation first is chance, with no proxy between as well.
        if kind != "go" or case != "cancel_after_begin" or "got error code 0, want 1" not in said:
            break
    return run.returncode, said
