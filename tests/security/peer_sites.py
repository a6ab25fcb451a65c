"""The scenarios' site served by nginx and by HAProxy, for comparison: each of Sluice's services and
limits, where they have the like."""
import targets
from scenario_site import BODY_BYTES_MAX, SECONDS, Site

NGINX = """
daemon off; worker_processes 1; pid {dir}/front.pid; error_log {dir}/front.error.log warn; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {dir}/f1; proxy_temp_path {dir}/f2; fastcgi_temp_path {dir}/f3;
  uwsgi_temp_path {dir}/f4; scgi_temp_path {dir}/f5;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
  proxy_set_header X-Request-ID $request_id; proxy_set_header X-Forwarded-For $remote_addr;
  proxy_request_buffering off; client_header_timeout {seconds}s; client_body_timeout {seconds}s;
  send_timeout {seconds}s; keepalive_timeout {seconds}s; keepalive_requests 1000000;
  ssl_certificate {cert}; ssl_certificate_key {key}; ssl_session_cache shared:a:1m;
  ssl_protocols TLSv1.2 TLSv1.3;
  proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca}; proxy_ssl_name inner.test;
  proxy_ssl_server_name on; set_real_ip_from 127.0.0.0/8; real_ip_header proxy_protocol;
  upstream up {{ server {up}; keepalive 16; }}
  upstream nginx {{ server {nginx}; keepalive 16; }}
  server {{
    listen 127.0.0.1:{clear}; listen 127.0.0.1:{clear_h2} http2;
    location /admin {{ return 403; }}
    location /body {{ client_max_body_size {body_bytes_max}; proxy_pass http://up; }}
    location /silent {{ proxy_read_timeout 1s; proxy_pass http://{silent}; }}
    location /nginx {{ proxy_pass http://nginx; }}
    location /files {{ proxy_pass http://nginx; }}
    {faulty}
    location / {{ proxy_pass http://up; }}
  }}
  server {{ listen 127.0.0.1:{tls} ssl default_server; return 421; }}
  server {{ listen 127.0.0.1:{tls} ssl; server_name a.test open.test;
            location / {{ proxy_pass http://up; }} }}
  server {{ listen 127.0.0.1:{mtls} ssl default_server; return 421;
            ssl_verify_client on; ssl_client_certificate {clients}; }}
  server {{ listen 127.0.0.1:{mtls} ssl; server_name mtls.test *.wild.test;
            ssl_verify_client on; ssl_client_certificate {clients};
            location / {{ proxy_pass http://{secret}; }} }}
  server {{ listen 127.0.0.1:{pp} proxy_protocol; location / {{ proxy_pass http://up; }} }}
  server {{ listen 127.0.0.1:{pp_tls} ssl proxy_protocol; location / {{ proxy_pass http://up; }} }}
  {stapled}
}}
"""
NGINX_STAPLED = """
  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; ssl_certificate_key {key};
            ssl_stapling on; ssl_stapling_file {ocsp}; location / {{ proxy_pass http://up; }} }}"""
HAPROXY = """
global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client {seconds}s
    timeout server 10s
    timeout http-request {seconds}s
    timeout http-keep-alive {seconds}s
    option forwardfor
frontend clear
    bind 127.0.0.1:{clear}
    http-request deny deny_status 403 if {{ path_beg /admin }}
    use_backend silent if {{ path_beg /silent }}
    use_backend nginx if {{ path_beg /nginx }} || {{ path_beg /files }}
    {faulty_rules}
    default_backend up
frontend tls
    bind 127.0.0.1:{tls} ssl crt {pem}
    http-request deny deny_status 421 unless {{ req.hdr(host) a.test open.test }}
    default_backend up
frontend mtls
    bind 127.0.0.1:{mtls} ssl crt {pem} ca-file {clients} verify required
    default_backend secret
frontend pp
    bind 127.0.0.1:{pp} accept-proxy
    bind 127.0.0.1:{pp_tls} accept-proxy ssl crt {pem}
    {stapled}
    default_backend up
backend up
    http-reuse always
    server s {up}
backend nginx
    http-reuse always
    server s {nginx}
backend secret
    server s {secret}
backend silent
    timeout server 1s
    server s {silent}
{faulty}
"""


class _Peer(Site, targets.Front):
    def values(self):
        return {**{name.replace("-", "_"): port for name, port in self.ports.items()},
                "ca": self.authority.cert, "clients": self.clients.cert, "seconds": SECONDS,
                "body_bytes_max": BODY_BYTES_MAX, "nginx": self.nginx.address,
                "silent": self.silent.address, "secret": self.secret.address}


class NginxSite(_Peer):
    name = "nginx"

    def serve(self):
        self.clear_h2 = self.rig.port()  # This nginx cannot tell the two apart on one port.
        faulty = "".join(f"location /{name} {{ proxy_pass https://{upstream.address}; }}\n    "
                         for name, upstream in self.faulty.items())
        stapled = "".join(
            NGINX_STAPLED.format(port=self.ports[name], cert=one.cert, key=one.key, ocsp=path)
            for name, (one, path) in self.stapled.items())
        conf = self.fill(NGINX, faulty=faulty, stapled=stapled, **self.values())
        self.started(["nginx", "-p", self.rig.dir, "-c", conf, "-e", self.rig.path("front.error.log")])


class HaproxySite(_Peer):
    name = "haproxy"

    def serve(self):
        rules = "".join(f"use_backend {name} if {{ path_beg /{name} }}\n    " for name in self.faulty)
        backends = "".join(
            f"backend {name}\n    server s {upstream.address} ssl verify required ca-file "
            f"{self.authority.cert} sni str(inner.test)\n" for name, upstream in self.faulty.items())
        stapled = "".join(f"bind 127.0.0.1:{self.ports[name]} ssl crt {self.pem(*pair)}\n    "
                          for name, pair in self.stapled.items())
        conf = self.fill(HAPROXY, faulty_rules=rules, faulty=backends, stapled=stapled,
                         pem=self.pem(self.site), **self.values())
        self.started(["haproxy", "-db", "-f", conf])

    def pem(self, certificate, ocsp=None):
        """Certificate and key in one file, and beside it what is to be stapled, as HAProxy wants them."""
        path = self.rig.path(certificate.name + ".both.pem")
        with open(path, "w") as out:
            for part in (certificate.cert, certificate.key):
                with open(part) as f:
                    out.write(f.read())
        if ocsp:
            with open(ocsp, "rb") as f, open(path + ".ocsp", "wb") as out:
                out.write(f.read())
            with open(self.authority.cert) as f, open(path + ".issuer", "w") as out:
                out.write(f.read())
        return path
