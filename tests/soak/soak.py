#!/usr/bin/python3
"""Everything at once for a long time: HTTP/1, HTTP/2, gRPC and gRPC-Web, WebSocket over both, TCP and
large bodies through one proxy, while upstreams of HTTP, gRPC and TCP are killed and restarted in turn
and the configuration changes every second. Nothing may fail, and neither memory nor descriptors may
grow.

usage: soak.py [--seconds 3600]

ctest runs it briefly; the hour is run by hand.
"""
import argparse
import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "harness"))
import clients  # noqa: E402
import gauges   # noqa: E402
import interop  # noqa: E402
import rig      # noqa: E402
import tcp_echo  # noqa: E402
import ws_echo  # noqa: E402

MIB = 1 << 20
KILL_EVERY = 5  # Seconds; it is away for one of them.
UNARY_HOST = "unary.test"


class Site:
    def __init__(self, kit):
        self.kit = kit
        kit.start_controller()
        self.proxy = kit.start_proxy("node-1", workers=2)
        kit.wait_nodes("node-1")
        self.certificate = kit.cert("a", ["a.test"])
        self.clear, self.tls, self.beside, self.tcp = (kit.port() for _ in range(4))
        self.backends = [kit.nginx(f"backend-{i}") for i in range(3)]
        self.files = kit.nginx("files")
        self.file = self.files.file("big.bin", 24 * MIB)
        self.calls = interop.Server(kit, "calls")
        self.echo = ws_echo.EchoServer(kit.port())
        self.unary = [interop.Server(kit, f"unary-{i}") for i in range(2)]
        self.echoes = [tcp_echo.TcpEcho(kit.port()) for _ in range(2)]

    def document(self, number):
        """Each differs from the one before in routes, endpoints and a listener; what carries the
        load stays, but for the weights of its nodes."""
        check = {"frequency_secs": 1, "unhealthy_after": 1, "healthy_after": 1}
        nodes = [rig.node(backend, weight=1 + (number + i) % 3)
                 for i, backend in enumerate(self.backends)]
        routes = [
            *(rig.route(f"moving-{number}-{i}", respond={"status": 204},
                        path_prefix=f"/moving/{number}/{i}") for i in range(number % 20)),
            # Unary calls can be saved whatever they do: nobody has seen an answer yet.
            rig.route("unary", self.unary, host=UNARY_HOST, upstream_options={"protocol": "http2"},
                      retry={"attempts": 3, "on": ["connect_failure", "reset"],
                             "non_idempotent": True}),
            rig.route("calls", [self.calls], path_prefix="/grpc.testing.TestService",
                      upstream_options={"protocol": "http2"}),
            rig.route("echo", [self.echo], path_prefix="/ws"),
            rig.route("files", [self.files], path_prefix="/files"),
            rig.route("stored", [self.files], "files-up", path_prefix="/store"),
            {"name": "all", "retry": {"attempts": 3, "on": ["connect_failure", "reset"]},
             "upstreams": [{"name": "backends", "nodes": nodes, "health_check": check}]}]
        services = [
            rig.service(self.clear, routes),
            rig.service(self.tls, routes, name="tls",
                        tls={"enabled": True, "cert_path": self.certificate.cert,
                             "key_path": self.certificate.key}),
            rig.service(self.tcp, [rig.route("tcp", self.echoes)], name="tcp", protocol="tcp")]
        if number % 2:
            services.append(rig.service(self.beside, [rig.route("beside", respond={"status": 200})],
                                        name="beside"))
        return rig.document(*services)

    def change(self, number):
        self.kit.apply(self.document(number), "--allow-shrink")

    def kill_and_restart(self, number):
        """One of each kind in turn. What TCP has begun cannot be saved: there only accepting ends."""
        backend, server, echo = self.backends[0], self.unary[0], self.echoes[0]
        kill, start = ((lambda: backend.process.kill(children=True), backend.start),
                       (server.kill, server.start), (echo.stop, echo.start))[number % 3]
        kill()
        time.sleep(1)
        start()

    def clients(self):
        host = self.proxy.host
        url = f"http://{host}:{self.clear}"
        secure = clients.insecure()
        return {
            "wrk": clients.wrk(self.kit, url + "/wrk", 8),
            "h2load": clients.h2load(url + "/h2load", 2, 8),
            "h2load TLS": clients.h2load(f"https://{host}:{self.tls}/h2load", 1, 4),
            "keep-alive": clients.keep_alive(host, self.clear, "/steady"),
            "connection a request, TLS": clients.traffic.new_connections(host, self.tls, **secure),
            "HTTP/2": clients.traffic.http2(host, self.clear),
            "gRPC, unary": clients.unary(f"{host}:{self.clear}", UNARY_HOST),
            "gRPC-Web": clients.grpc_web_calls(host, self.clear),
            "TCP": clients.tcp_calls(host, self.tcp),
            "WebSocket over HTTP/2": clients.websocket_over_h2(host, self.clear),
            "gRPC": clients.grpc(f"{host}:{self.clear}"),
            "WebSocket": clients.websocket_calls(f"ws://{host}:{self.clear}/ws"),
            "WebSocket, held": clients.HeldWebSocket(f"ws://{host}:{self.clear}/ws"),
            "download": clients.download(host, self.clear, self.file, 24 * MIB),
            "download TLS": clients.download(host, self.tls, self.file, 24 * MIB, **secure),
            "upload": clients.upload(host, self.clear, "/store", 4 * MIB)}


def soak(kit, seconds):
    """What was wrong; empty if nothing was."""
    site = Site(kit)
    site.change(0)
    kinds = site.clients()
    changes = clients.Every(1, lambda n: site.change(n + 1))
    kills = clients.Every(KILL_EVERY, site.kill_and_restart)
    watched = gauges.Gauges({"proxy": site.proxy, "controller": kit.controller},
                            every=max(min(5, seconds / 40), 0.2))
    with contextlib.ExitStack() as stack:
        for part in (*kinds.values(), changes, kills, watched):
            stack.enter_context(part)
        ends = time.monotonic() + seconds
        told = dict.fromkeys(kinds, 0)
        while time.monotonic() < ends and site.proxy.running() and kit.controller.running():
            time.sleep(min(60, max(ends - time.monotonic(), 0)))
            print(f"{seconds - max(ends - time.monotonic(), 0):.0f} s: {changes.done} changes, "
                  f"{sum(len(kind.failures) for kind in kinds.values())} failures; "
                  f"proxy {site.proxy.rss_kib()} KiB, {site.proxy.open_files()} descriptors; "
                  f"controller {kit.controller.rss_kib()} KiB", flush=True)
            for name, kind in kinds.items():
                for failure in kind.failures[told[name]:]:
                    print(f"  {name}: {failure}", flush=True)
                told[name] = len(kind.failures)
        watched.__exit__()
    problems = []
    for name, kind in {**kinds, "configuration changes": changes, "upstream killed": kills}.items():
        done = getattr(kind, "requests", kind.done)
        print(f"{name}: {done} done, {len(kind.failures)} failures")
        problems += [f"{name}: {failure}" for failure in kind.failures]
        if not done:
            problems.append(f"{name}: did nothing")
    for line in watched.report():
        print(line)
    if seconds >= 600:  # A shorter one is all warm-up.
        problems += watched.growth()
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600)
    options = parser.parse_args()
    kit = rig.Rig()
    try:
        problems = soak(kit, options.seconds)
        for problem in problems:
            print(f"not ok {problem}")
        if problems:
            kit.dump()
    finally:
        kit.close()
    print("nothing failed" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
