"""Envoy, from build/peers (tools/bench/setup-peers): routes and clusters in files that it watches."""
import glob
import json
import os
import subprocess

from pb.adapter import PEERS, Adapter, write

TYPE = "type.googleapis.com/envoy."
HCM = TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = TYPE + "extensions.filters.http.router.v3.Router"
FILE_LOG = TYPE + "extensions.access_loggers.file.v3.FileAccessLog"
TLS = TYPE + "extensions.transport_sockets.tls.v3.DownstreamTlsContext"
PROTOCOLS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
NEVER = "3600s"
# What the others' lines hold.
LOG_LINE = {"ts": "%START_TIME%", "client": "%DOWNSTREAM_REMOTE_ADDRESS%",
            "method": "%REQ(:METHOD)%", "uri": "%REQ(:PATH)%", "status": "%RESPONSE_CODE%",
            "bytes": "%BYTES_SENT%", "duration": "%DURATION%", "upstream": "%UPSTREAM_HOST%",
            "request_id": "%REQ(X-REQUEST-ID)%", "user_agent": "%REQ(USER-AGENT)%"}


class Envoy(Adapter):
    name = "envoy"
    binary = "envoy"
    note = "--concurrency 1 (2 in workers-2); routes and clusters from watched files; no admin port"

    @staticmethod
    def program():
        """The program that the package's script would run."""
        found = glob.glob(os.path.join(PEERS, "envoy/lib/python3*/site-packages/envoy/_bin/envoy"))
        return found[0] if found else None

    def available(self):
        return None if self.program() else "not installed: tools/bench/setup-peers"

    def version(self):
        done = subprocess.run([self.program(), "--version"], capture_output=True, text=True)
        words = done.stdout.replace("/", " ").split()
        return "envoy " + next((w for w in words if w.count(".") == 2 and w[0].isdigit()), "")

    # ---- configuration ----------------------------------------------------------

    def path(self, name):
        return os.path.join(self.dir, name)

    @staticmethod
    def address(port):
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    def clusters(self, spec):
        def cluster(name, port, h2):
            least = {"max_connections": 65536, "max_pending_requests": 65536, "max_requests": 65536}
            made = {"@type": TYPE + "config.cluster.v3.Cluster", "name": name, "type": "STATIC",
                    "connect_timeout": "5s", "circuit_breakers": {"thresholds": [least]},
                    "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
                        {"endpoint": {"address": self.address(port)}}]}]}}
            if h2:
                made["typed_extension_protocol_options"] = {PROTOCOLS: {
                    "@type": "type.googleapis.com/" + PROTOCOLS,
                    "explicit_http_config": {"http2_protocol_options": {}}}}
            return made
        return {"resources": [cluster("main", spec.upstream, spec.upstream_h2),
                              cluster("ver", spec.ver_upstream or spec.upstream, False)]}

    @staticmethod
    def routes(spec):
        def to(prefix, cluster):
            return {"match": {"prefix": prefix}, "route": {"cluster": cluster, "timeout": "0s"}}
        routes = [to("/ver/", "ver"), *(to(*pair) for pair in spec.targets())]
        if not spec.routes:
            routes.append(to("/", "main"))
        return {"resources": [{"@type": TYPE + "config.route.v3.RouteConfiguration", "name": "all",
                               "virtual_hosts": [{"name": "all", "domains": ["*"],
                                                  "routes": routes}]}]}

    def listener(self, spec):
        manager = {"@type": HCM, "stat_prefix": "in", "use_remote_address": True,
                   "generate_request_id": True, "stream_idle_timeout": NEVER,
                   "common_http_protocol_options": {"idle_timeout": NEVER},
                   "rds": {"route_config_name": "all", "config_source": self.watched("rds.json")},
                   "http_filters": [{"name": "router", "typed_config": {
                       "@type": ROUTER, "suppress_envoy_headers": True}}]}
        if spec.log:
            manager["access_log"] = [{"name": "file", "typed_config": {
                "@type": FILE_LOG, "path": self.logfile(),
                "log_format": {"json_format": LOG_LINE}}}]
        chain = {"filters": [{"name": "http", "typed_config": manager}]}
        if spec.tls:
            chain["transport_socket"] = {"name": "tls", "typed_config": {
                "@type": TLS, "disable_stateless_session_resumption": True,
                "disable_stateful_session_resumption": True,
                "common_tls_context": {
                    "alpn_protocols": ["h2", "http/1.1"] if spec.h2 else ["http/1.1"],
                    "tls_params": {"tls_minimum_protocol_version": "TLSv1_3",
                                   "tls_maximum_protocol_version": "TLSv1_3",
                                   "ecdh_curves": ["X25519"]},
                    "tls_certificates": [{"certificate_chain": {"filename": spec.cert},
                                          "private_key": {"filename": spec.key}}]}}}
        return {"name": "in", "address": self.address(spec.port), "tcp_backlog_size": 8192,
                "filter_chains": [chain]}

    def watched(self, name):
        return {"resource_api_version": "V3",
                "path_config_source": {"path": self.path(name),
                                       "watched_directory": {"path": self.dir}}}

    def configure(self, spec):
        for name, content in (("rds.json", self.routes(spec)), ("cds.json", self.clusters(spec))):
            write(self.path("next-" + name), json.dumps(content))
        write(self.path("envoy.json"), json.dumps({
            "node": {"id": "bench", "cluster": "bench"},
            "static_resources": {"listeners": [self.listener(spec)]},
            "dynamic_resources": {"cds_config": self.watched("cds.json")}}))

    # ---- processes ----------------------------------------------------------------

    def start(self, spec, timeout=60):
        self.configure(spec)
        subprocess.run(self.reload_argv(), check=True, env={**os.environ, **self.env()})
        return super().start(spec, timeout)

    def argv(self):
        return [self.program(), "-c", self.path("envoy.json"), "--concurrency", str(self.spec.workers),
                "--disable-hot-restart", "--log-level", "error"]

    def reload_argv(self):
        # Whatever was not written anew stays as it is.
        return ["sh", "-c", "for f in cds rds; do [ ! -e \"$0/next-$f.json\" ] || "
                "mv \"$0/next-$f.json\" \"$0/$f.json\"; done", self.dir]
