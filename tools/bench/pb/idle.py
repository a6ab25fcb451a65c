"""Memory of connections on which nothing happens."""
import socket
import time

from . import measure
from .adapter import client_tls
from .scenario import make_spec


def idle(ctx, adapter, sc):
    spec = make_spec(ctx, adapter, **sc.spec)
    adapter.start(spec)
    count = measure.as_many(sc.load["conns"])
    tls = client_tls() if spec.tls else None
    held = []
    ask = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: idle\r\n\r\n"

    def one():
        s = socket.create_connection(("127.0.0.1", spec.port), 10)
        # Else 40 ms a connection where no session ticket follows the handshake.
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            s = tls.wrap_socket(s)
        s.sendall(ask)
        got = b""
        while b"x" * 128 not in got:
            part = s.recv(4096)
            if not part:
                raise RuntimeError("closed by the proxy")
            got += part
        held.append(s)

    def settle():
        time.sleep(1.0)
        pids = adapter.pids()
        return measure.rss_kib(pids), measure.pss_kib(pids)

    def kernel_mem():
        with open("/proc/net/sockstat") as f:
            for line in f:
                if line.startswith("TCP:"):
                    return int(line.split()[-1]) * measure.PAGE // 1024
        return 0

    for _ in range(20):
        one()
    rss0, pss0 = settle()
    sock0 = kernel_mem()
    ns0 = sum(measure.thread_ns(adapter.pids()).values())
    for _ in range(count):
        one()
    ns1 = sum(measure.thread_ns(adapter.pids()).values())
    rss1, pss1 = settle()
    alive = 0
    for s in held[20::97]:
        s.settimeout(5)
        s.sendall(ask)
        alive += b"200" in s.recv(4096)[:20]
    sock1 = kernel_mem()
    for s in held:
        s.close()
    return {"conns": count, "rss_before_kib": rss0, "rss_kib": rss1,
            "bytes_per_conn": round((rss1 - rss0) * 1024 / count, 1),
            "pss_bytes_per_conn": round((pss1 - pss0) * 1024 / count, 1),
            "cpu_us_per_req": round((ns1 - ns0) / 1e3 / count, 2),
            "sampled_alive": f"{alive}/{len(range(20, count + 20, 97))}",
            "kernel_tcp_kib": sock1 - sock0}
