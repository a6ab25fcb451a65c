#!/usr/bin/python3
"""A web server for demonstrations: tells who it is and what it was asked, as JSON.

usage: demo_upstream.py NAME PORT
"""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    told = ("host", "x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-prefix",
            "traceparent")

    def do_GET(self):
        headers = {name: self.headers[name] for name in self.told if name in self.headers}
        body = json.dumps({"node": self.server.name, "path": self.path, "headers": headers},
                          indent=2).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
    server.name = sys.argv[1]
    server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
