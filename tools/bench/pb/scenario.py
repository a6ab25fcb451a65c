"""What a scenario is, and what the runs of all of them have in common."""
import http.client
from dataclasses import dataclass, field
from typing import Callable

from .adapter import Spec, free_port


@dataclass
class Scenario:
    name: str
    family: str                     # An adapter takes part if it names this one.
    run: Callable                   # (ctx, adapter, scenario) -> record of one run
    about: str
    spec: dict
    load: dict
    # Scenarios that are held against one another share a group: each round runs all of them,
    # so that the machine's wandering speed is the same for all.
    group: str = ""
    rounds_max: int = 99            # Where more rounds would tell nothing new.
    seconds: int = 0                # Measured, whatever --seconds says; 0: as it says.
    only: tuple = ()                # Of those of the family, these alone take part; (): all.
    takes: dict = field(default_factory=dict)   # Seconds of one run by proxy; see plan.py.

    def wants(self, adapter_class):
        return (self.family in adapter_class.families
                and (not self.only or adapter_class.name in self.only))


def make_spec(ctx, adapter, **kw):
    return Spec(port=free_port(), admin=free_port(), cert=ctx.cert, key=ctx.key,
                upstream=ctx.backend.h2 if kw.get("upstream_h2") else ctx.backend.a, **kw)


def url_of(spec, path="/"):
    return f"{'https' if spec.tls else 'http'}://127.0.0.1:{spec.port}{path}"


def check_work(adapter, spec):
    """One look at what the upstream saw: header work, protocol, connection reuse."""
    if adapter.name == "direct":
        return {}
    seen = []
    try:
        c = adapter.connect()
        for _ in range(3):
            _, body = adapter.get("/svc-00000/x?ask=work" if spec.routes else "/echo", c)
            seen.append(dict(x.split("=", 1) for x in body.decode().split(";")))
        c.close()
    except (OSError, ValueError, http.client.HTTPException) as e:
        return {"error": str(e)}
    return {"x_request_id": bool(seen[0]["xrid"]) and seen[0]["xrid"] != seen[1]["xrid"],
            "x_forwarded_for": "127.0.0.1" in seen[0]["xff"],
            "upstream_protocol": seen[0]["proto"],
            "upstream_reused": int(seen[-1]["n"]) > 1}
