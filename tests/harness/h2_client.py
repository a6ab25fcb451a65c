"""An HTTP/2 client by python3-h2: with prior knowledge, or by ALPN."""
import socket

import h2.config
import h2.connection
import h2.errors
import h2.events


class Response:
    def __init__(self):
        self.interim, self.fields, self.body, self.trailers = [], [], b"", []
        self.reset = None  # Error code.
        self.ended = False

    def field(self, name):
        return dict(self.fields).get(name)

    def trailer(self, name):
        return dict(self.trailers).get(name)

    @property
    def status(self):
        return int(self.field(":status") or 0)

    def __repr__(self):
        return f"{self.fields} {self.body[:80]!r} {self.trailers} reset={self.reset}"


class Client:
    def __init__(self, host, port, timeout=20, tls=None, server_name=None):
        self.sock = socket.create_connection((host, port), timeout)
        self.scheme = "https" if tls else "http"
        if tls:
            tls.set_alpn_protocols(["h2"])
            self.sock = tls.wrap_socket(self.sock, server_hostname=server_name)
            if self.sock.selected_alpn_protocol() != "h2":
                raise ConnectionError("the proxy does not agree to h2")
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.responses = {}
        self.flush()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def start(self, path, fields=(), method="POST", end=False, authority="a.test"):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [(":method", method), (":scheme", self.scheme),
                                      (":authority", authority), (":path", path), *fields],
                             end_stream=end)
        self.responses[stream] = Response()
        self.flush()
        return stream

    def send(self, stream, body=b"", end=False):
        self.h2.send_data(stream, body, end_stream=end)
        self.flush()

    def send_all(self, stream, body):
        """Waits for window where there is none."""
        view = memoryview(body)
        while len(view):
            self.wait(lambda: self.h2.local_flow_control_window(stream) > 0)
            size = min(len(view), self.h2.local_flow_control_window(stream),
                       self.h2.max_outbound_frame_size)
            self.send(stream, view[:size].tobytes())
            view = view[size:]

    def reset(self, stream, code=h2.errors.ErrorCodes.CANCEL):
        self.h2.reset_stream(stream, code)
        self.flush()

    def ask(self, path, fields=(), body=b"", method="POST"):
        stream = self.start(path, fields, method, end=not body)
        if body:
            self.send(stream, body, end=True)
        return self.finish(stream)

    def finish(self, stream):
        response = self.responses[stream]
        self.wait(lambda: response.ended)
        return response

    def wait(self, condition):
        while not condition():
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError("the proxy closed the connection")
            for event in self.h2.receive_data(data):
                self.take(event)
            self.flush()

    def take(self, event):
        response = self.responses.get(getattr(event, "stream_id", None))
        if response is None:
            return
        if isinstance(event, h2.events.InformationalResponseReceived):
            response.interim.append(event.headers)
        elif isinstance(event, h2.events.ResponseReceived):
            response.fields = event.headers
        elif isinstance(event, h2.events.TrailersReceived):
            response.trailers = event.headers
        elif isinstance(event, h2.events.DataReceived):
            response.body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            response.ended = True
        elif isinstance(event, h2.events.StreamReset):
            response.reset, response.ended = event.error_code, True

    def close(self):
        self.sock.close()
