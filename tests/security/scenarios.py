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

_NO_AUTH = "Sluice has no authentication of users yet"
NOT_TODAY = dict.fromkeys((
    "jwt-hs-rs-confusion", "jwt-expired", "jwt-wrong-aud", "jwt-kid-injection", "basic-bad-base64",
    "extauth-down", "extauth-header-spoof", "extauth-path-differential"), _NO_AUTH)
# What says nothing of a peer, by target.
_NO_CONNECTION_LIMIT = "it has no limit that turns connections away before a request: {}"
NOT_COMPARED = {
    "nginx": {"res-conn-flood-50000": _NO_CONNECTION_LIMIT.format("limit_conn counts requests")},
    "haproxy": {"res-conn-flood-50000": _NO_CONNECTION_LIMIT.format("maxconn leaves the rest waiting"),
                "body-limit-chunked": "it has no limit for bodies without a length"},
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


def why_not(name, target):
    """Why a case is not played against a target, or None."""
    if name in ELSEWHERE:
        if target == "sluice":
            return f"see {ELSEWHERE[name]}"
        return f"played by {ELSEWHERE[name]} against Sluice's own records"
    return NOT_TODAY.get(name) or NOT_COMPARED.get(target, {}).get(name)


def load(groups=GROUPS, only=None):
    """The catalogue's entries, in its order."""
    with open(os.path.join(HERE, "cases.yaml"), encoding="utf-8") as f:
        catalogue = yaml.safe_load(f)
    return [data for data in catalogue["cases"]
            if data["group"] in GROUPS and data["group"] in groups
            and (not only or data["id"] in only)]
