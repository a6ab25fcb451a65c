"""A forwarder as one writes it in an afternoon: it believes the first Content-Length and passes on
every line as it came. The differential run must find it out."""
import itertools
import json
import re
import socket
import threading

NUMBERS = itertools.count()


def start(port, upstream_port, log_path):
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    log = open(log_path, "a", encoding="utf-8")
    lock = threading.Lock()

    def note(record):
        with lock:
            log.write(json.dumps(record) + "\n")
            log.flush()

    def accept():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client, upstream_port, note), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


def serve(client, upstream_port, note):
    client.settimeout(2)
    with client:
        try:
            data = read_all(client)
            while data:
                data = forward_one(client, data, upstream_port, note)
        except OSError:
            pass


def read_all(client):
    data = b""
    while piece := client.recv(1 << 16):
        data += piece
    return data


def forward_one(client, data, upstream_port, note):
    """Returns what it takes for the next request."""
    head, _, rest = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    body, rest = (rest[:int(length[1])], rest[int(length[1]):]) if length else (b"", rest)
    line, _, fields = head.partition(b"\r\n")
    words = line.decode("latin-1").split(" ")
    if len(words) != 3:
        return b""
    request_id = f"naive-{next(NUMBERS)}"
    path, _, query = words[1].partition("?")
    host = re.search(rb"(?i)host: *([^\r\n]*)", fields)
    with socket.create_connection(("127.0.0.1", upstream_port), 1) as upstream:
        upstream.sendall(line + b"\r\nX-Request-ID: " + request_id.encode() + b"\r\n" + fields +
                         b"\r\n\r\n" + body)
        upstream.settimeout(0.2)
        try:
            client.sendall(upstream.recv(1 << 16))
        except OSError:
            pass
    note({"request_id": request_id, "method": words[0], "path": path, "query": query,
          "host": host[1].decode("latin-1") if host else "", "request_bytes": len(body),
          "failure": "", "endpoint": "node", "attempts": 1})
    return rest
