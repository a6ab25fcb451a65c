"""What the cases are sent to: Sluice, or for comparison nginx and HAProxy with the same routes."""
import os

import certs
import process
import rig
import waiting

SNAPSHOTS = 100
NGINX = """
daemon off; worker_processes 1; pid {dir}/front.pid; error_log {dir}/front.error.log warn; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {dir}/f1; proxy_temp_path {dir}/f2; fastcgi_temp_path {dir}/f3;
  uwsgi_temp_path {dir}/f4; scgi_temp_path {dir}/f5;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
  proxy_set_header X-Request-ID $request_id; proxy_set_header X-Forwarded-For $remote_addr;
  proxy_request_buffering off; client_header_timeout 3s; client_body_timeout 3s; send_timeout 5s;
  upstream up {{ server {up}; keepalive 16; }}
  server {{
    listen 127.0.0.1:{clear}; listen 127.0.0.1:{clear_h2} http2;
    listen 127.0.0.1:{tls} ssl http2;
    ssl_certificate {cert}; ssl_certificate_key {key};
    location /admin {{ return 403; }}
    location = /api {{ rewrite ^ / break; proxy_pass http://up; }}
    location /api/ {{ proxy_pass http://up/; }}
    location /redir {{ return 308 https://$host$request_uri; }}
    location / {{ proxy_pass http://up; }}
  }}
}}
"""
HAPROXY = """
global
    nbthread 1
    expose-experimental-directives
defaults
    mode http
    timeout connect 5s
    timeout client 3s
    timeout server 10s
    timeout http-request 3s
    option forwardfor
frontend in
    bind 127.0.0.1:{clear}
    bind 127.0.0.1:{tls} ssl crt {pem} alpn h2,http/1.1
    http-request normalize-uri path-merge-slashes
    http-request normalize-uri path-strip-dotdot
    unique-id-format %[uuid()]
    unique-id-header X-Request-ID
    http-request deny deny_status 403 if {{ path_beg /admin }}
    http-request redirect scheme https code 308 if {{ path_beg /redir }}
    http-request replace-path /api(/)?(.*) /\\2 if {{ path_beg /api }}
    default_backend up
backend up
    http-reuse always
    server s {up}
"""


class Target:
    """A front end before `self.up`, in clear text on `clear` and over TLS on `tls`.

    HTTP/2 is spoken on `tls` by ALPN and on `clear_h2` with prior knowledge. Where the target speaks
    it to upstreams as well, `tls_to_h2` is before `up_h2`.
    """
    up_h2 = None

    def __init__(self, kit):
        self.rig = kit
        self.host = "127.0.0.1"
        self.up = kit.upstream()
        self.site = kit.cert("site", ["a.test", "open.test", "mtls.test", "*.wild.test"])
        self.clear, self.tls = kit.port(), kit.port()
        self.clear_h2 = self.clear
        self.context = certs.client_context()

    def _pids(self):
        """Its own and its children's: nginx serves in one of these."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            return [self.process.pid, *map(int, f.read().split())]

    def rss_kib(self):
        total = 0
        for pid in self._pids():
            with open(f"/proc/{pid}/status") as f:
                total += next((int(line.split()[1]) for line in f if line.startswith("VmRSS:")), 0)
        return total

    def cpu_seconds(self):
        """Of all its threads, to the nanosecond."""
        total = 0
        for pid in self._pids():
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
                    total += int(f.read().split()[0])
        return total / 1e9

    def running(self):
        return self.process.running()


class Sluice(Target):
    name = "sluice"

    def __init__(self, kit):
        super().__init__(kit)
        kit.start_controller()
        self.process = self.proxy = kit.start_proxy("node-1", self.host, workers=1)
        kit.wait_nodes("node-1")

        def to(name, prefix, **options):
            return rig.route(name, [self.up], "up", path_prefix=prefix, **options)
        routes = [
            rig.route("admin", path_prefix="/admin", respond={"status": 403, "body": "denied\n"}),
            to("api", "/api", strip_prefix="/api"), to("ws", "/ws"),
            to("keep", "/keep", keep_encoded_slashes=True),
            rig.route("redir", path_prefix="/redir", redirect={"status": 308, "scheme": "https"}),
            to("rest", "/")]
        timeouts = {"header": "3s", "idle": "5s"}
        self.up_h2, self.tls_to_h2, self.other = kit.h2_upstream(), kit.port(), kit.port()
        to_h2 = rig.route("all", [self.up_h2], upstream_options={"protocol": "http2"})
        site = {"enabled": True, "cert_path": self.site.cert, "key_path": self.site.key}
        self.services = (
            rig.service(self.clear, routes, timeouts=timeouts),
            rig.service(self.tls, routes, name="tls", timeouts=timeouts,
                        tls=site),
            rig.service(self.tls_to_h2, [to_h2], name="to-h2", timeouts=timeouts, tls=site))
        kit.apply(rig.document(*self.services))

    def push_changes(self):
        """As many snapshots as the catalogue asks for, that touch nothing but routes of another service;
        yields the number of each that is served."""
        for i in range(SNAPSHOTS):
            routes = [rig.route(f"other-{i}", path_prefix=f"/{i}", respond={"status": 204})]
            other = [rig.service(self.other, routes, name="other")] if i + 1 < SNAPSHOTS else []
            self.rig.apply(rig.document(*self.services, *other), "--allow-shrink")
            yield i

    def records(self):
        return self.proxy.access_records()

    def dropped_records(self):
        return rig.metric(self.proxy.metrics(), "sluice_access_log_dropped_total") or 0

    def series(self):
        return sum(1 for line in self.proxy.metrics().splitlines() if not line.startswith("#"))


class Front(Target):
    """A peer: no access log or metrics to look at."""
    records = series = None

    def push_changes(self):
        return ()

    def started(self, argv):
        self.process = process.Process(argv, self.rig.dir, self.name, expect=(0, 143, -15))
        self.rig.parts.append(self.process)
        self.process.start()
        import socket
        waiting.wait_for(self.name, lambda: not socket.create_connection(
            (self.host, self.clear), 1).close())

    def fill(self, template, **more):
        path = self.rig.path(self.name + ".conf")
        with open(path, "w") as out:
            out.write(template.format(
                dir=self.rig.dir, clear=self.clear, clear_h2=self.clear_h2, tls=self.tls, up=self.up.address,
                cert=self.site.cert, key=self.site.key,
                user="user root;" if os.getuid() == 0 else "", **more))
        return path


class Nginx(Front):
    name = "nginx"

    def __init__(self, kit):
        super().__init__(kit)
        self.clear_h2 = kit.port()  # This nginx cannot tell the two apart on one port.
        self.started(["nginx", "-p", kit.dir, "-c", self.fill(NGINX), "-e", kit.path("front.error.log")])


class Haproxy(Front):
    name = "haproxy"

    def __init__(self, kit):
        super().__init__(kit)
        pem = kit.path("site.both.pem")
        with open(pem, "w") as out:
            for part in (self.site.cert, self.site.key):
                with open(part) as f:
                    out.write(f.read())
        self.started(["haproxy", "-db", "-f", self.fill(HAPROXY, pem=pem)])


ALL = {cls.name: cls for cls in (Sluice, Nginx, Haproxy)}
