"""The catalogue's cases that are told in words (`gen`) instead of bytes: each is a function.

    @scenario("tls-plain-on-tls-port")
    def plain_on_tls_port(site):
        ...  # None, or what is wrong.
"""
import os

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
GROUPS = ("tls", "proxy-protocol", "resource", "auth-limits", "grpc")
RUN = {}  # By the case's id.

_NO_AUTH = "Sluice neither checks credentials nor asks an authorizer: such requests pass as any other"
NOT_TODAY = {
    "jwt-hs-rs-confusion": _NO_AUTH,
    "jwt-expired": _NO_AUTH,
    "jwt-wrong-aud": _NO_AUTH,
    "jwt-kid-injection": _NO_AUTH,
    "basic-bad-base64": _NO_AUTH,
    "extauth-down": _NO_AUTH,
    "extauth-header-spoof": _NO_AUTH,
    "extauth-path-differential": _NO_AUTH,
}
# Where the group has a test module of its own, with peers that the runner does not have.
ELSEWHERE = {
    "grpc-trailers-only": "integration/grpc_calls",
    "grpc-upstream-dies": "integration/grpc_calls",
    "grpc-timeout-huge": "integration/grpc_calls",
    "grpc-h1-client": "integration/grpc_calls",
    "grpc-web-trailers": "integration/grpc_calls",
}


def scenario(name):
    def keep(function):
        if name in RUN:
            raise ValueError(f"{name} is there twice")
        RUN[name] = function
        return function
    return keep


def load(groups=GROUPS, only=None):
    """The catalogue's entries, in its order."""
    with open(os.path.join(HERE, "cases.yaml"), encoding="utf-8") as f:
        catalogue = yaml.safe_load(f)
    return [data for data in catalogue["cases"]
            if data["group"] in GROUPS and data["group"] in groups
            and (not only or data["id"] in only)]
