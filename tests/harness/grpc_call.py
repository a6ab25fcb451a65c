"""gRPC as it goes over the wire, by python3-h2: for what no well-behaved client would send.

    with grpc_call.connect("127.0.0.1:7400") as client:
        answer = client.end(client.begin("/sluice.v1.AdminService/GetStatus", b""))
"""
import struct

import h2_client

OK, CANCELLED, PERMISSION_DENIED, UNAVAILABLE, UNAUTHENTICATED = 0, 1, 7, 14, 16


class Answer:
    """`code` is None where the call ended without a status."""

    def __init__(self, response):
        fields = {**dict(response.fields), **dict(response.trailers)}
        self.code = int(fields["grpc-status"]) if "grpc-status" in fields else None
        self.message = fields.get("grpc-message", "")
        self.messages, body = [], response.body
        while len(body) >= 5:
            _, size = struct.unpack(">BI", body[:5])
            self.messages.append(body[5:5 + size])
            body = body[5 + size:]

    def __repr__(self):
        return f"grpc-status {self.code} {self.message!r}, {len(self.messages)} messages"


class Client(h2_client.Client):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def begin(self, path, message, metadata=()):
        """Sends all of a call with one message, and waits for nothing."""
        stream = self.start(path, [("content-type", "application/grpc"), ("te", "trailers"),
                                   *metadata])
        self.send(stream, struct.pack(">BI", 0, len(message)) + message, end=True)
        return stream

    def end(self, stream):
        return Answer(self.finish(stream))

    def call(self, path, message=b"", metadata=()):
        return self.end(self.begin(path, message, metadata))


def connect(address, **options):
    host, port = address.rsplit(":", 1)
    if options.get("tls"):
        options.setdefault("server_name", host)
    return Client(host, int(port), **options)
