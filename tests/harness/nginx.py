"""Real nginx as the backend."""
import os

import process
import waiting

CONF = """
daemon off; master_process on; worker_processes 1; pid {dir}/{name}.pid;
error_log {dir}/{name}.error.log warn;
{user}
events {{ worker_connections 4096; }}
http {{
  access_log off; default_type text/plain;
  client_body_temp_path {dir}/{name}.t1; proxy_temp_path {dir}/{name}.t2;
  fastcgi_temp_path {dir}/{name}.t3; uwsgi_temp_path {dir}/{name}.t4; scgi_temp_path {dir}/{name}.t5;
  keepalive_requests 1000000; keepalive_timeout 600s; client_max_body_size 0;
  {tls}
  server {{
    listen {host}:{port} {ssl} backlog=4096;
    location / {{
      return 200 "node={name};method=$request_method;uri=$request_uri;host=$http_host;rid=$http_x_request_id;xff=$http_x_forwarded_for;proto=$http_x_forwarded_proto;xhost=$http_x_forwarded_host;prefix=$http_x_forwarded_prefix;traceparent=$http_traceparent;sni=$ssl_server_name;conn=$connection;n=$connection_requests;";
    }}
    location /files/ {{ root {dir}/{name}.root; }}
    location = /health {{ return 200 "ok"; }}
    {extra}
  }}
}}
"""


class Nginx:
    def __init__(self, folder, name, port, host="127.0.0.1", certificate=None, extra=""):
        self.folder, self.name, self.host, self.port = folder, name, host, port
        self.files = os.path.join(folder, f"{name}.root", "files")
        os.makedirs(self.files, exist_ok=True)
        os.chmod(folder, 0o755)
        self.conf = os.path.join(folder, f"{name}.conf")
        with open(self.conf, "w") as out:
            out.write(CONF.format(
                dir=folder, name=name, host=host, port=port, extra=extra,
                user="user root;" if os.getuid() == 0 else "",
                ssl="ssl" if certificate else "",
                tls=f"ssl_certificate {certificate.cert}; ssl_certificate_key {certificate.key};"
                if certificate else ""))
        self.process = process.Process(
            ["nginx", "-p", folder, "-c", self.conf, "-e", os.path.join(folder, f"{name}.error.log")],
            folder, name)
        self.start()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def start(self):
        import socket
        self.process.start()

        def up():
            if not self.process.running():
                raise RuntimeError(f"nginx ended: {self.process.tail()}")
            socket.create_connection((self.host, self.port), 1).close()
            return True
        waiting.wait_for(f"nginx {self.name}", up)

    def stop(self):
        return self.process.stop()

    def file(self, name, size):
        """A file of `size` bytes served as /files/NAME; sparse where nobody looks inside."""
        path = os.path.join(self.files, name)
        with open(path, "wb") as out:
            out.truncate(size)
        return "/files/" + name


def told(body):
    """The backend's answer as a dictionary."""
    text = body.decode() if isinstance(body, bytes) else body
    return dict(item.split("=", 1) for item in text.split(";") if "=" in item)
