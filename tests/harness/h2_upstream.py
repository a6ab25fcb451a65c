"""A scripted upstream that speaks HTTP/2, by python3-h2, which checks every frame it gets."""
import contextlib
import socket
import ssl
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

import listener

REFUSED = h2.errors.ErrorCodes.REFUSED_STREAM
NO_ERROR = h2.errors.ErrorCodes.NO_ERROR


class Request:
    def __init__(self, connection, stream, fields):
        self.connection, self.stream = connection, stream
        self.fields = [(name.decode(), value.decode()) for name, value in fields]
        self.body = b""
        self.trailers = None
        self.ended_by_head = False  # Not by a DATA frame, or trailers.
        self.reset = None  # Error code.
        self.complete = threading.Event()

    def field(self, name):
        return dict(self.fields).get(name)

    @property
    def path(self):
        return self.field(":path")


class Connection:
    def __init__(self, owner, sock, number):
        self.owner, self.sock, self.number = owner, sock, number
        self.lock = threading.RLock()
        self.window = threading.Condition(self.lock)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding=None))
        self.requests = {}
        self.ended = False
        self.error = None   # What of the proxy's frames broke the rules.
        self.goaway = None  # The proxy's.

    def flush(self):
        with contextlib.suppress(OSError):
            self.sock.sendall(self.h2.data_to_send())

    # --- For scripts, from any thread.
    def head(self, stream, status=200, fields=(), end=False):
        with self.lock:
            self.h2.send_headers(stream, [(":status", str(status)), *fields], end_stream=end)
            self.flush()

    def data(self, stream, body=b"", end=False):
        view = memoryview(body)
        while True:
            with self.lock:
                while len(view) and self.h2.local_flow_control_window(stream) == 0:
                    if not self.window.wait(30):
                        raise TimeoutError("no window")
                size = min(len(view), self.h2.local_flow_control_window(stream),
                           self.h2.max_outbound_frame_size)
                last = size == len(view)
                self.h2.send_data(stream, view[:size].tobytes(), end_stream=end and last)
                self.flush()
                view = view[size:]
                if last:
                    return

    def trailers(self, stream, fields):
        with self.lock:
            self.h2.send_headers(stream, list(fields), end_stream=True)
            self.flush()

    def reset(self, stream, code):
        with self.lock:
            self.h2.reset_stream(stream, code)
            self.flush()

    def go_away(self, last, code=NO_ERROR):
        """Streams above `last` are not processed; those up to it go on."""
        frame = b"\0\0\x08\x07\0\0\0\0\0" + last.to_bytes(4, "big") + int(code).to_bytes(4, "big")
        with self.lock, contextlib.suppress(OSError):
            self.sock.sendall(frame)

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    # --- Its thread.
    def serve(self):
        with self.lock:
            self.h2.local_settings = h2.settings.Settings(
                client=False, initial_values={**dict(self.h2.local_settings),
                                              **self.owner.settings})
            self.h2.initiate_connection()
            self.flush()
        try:
            while data := self.sock.recv(65536):
                with self.lock:
                    events = self.h2.receive_data(data)
                    for event in events:
                        self.take(event)
                    self.flush()
                    self.window.notify_all()
        except h2.exceptions.ProtocolError as error:
            # To python3-h2 a GOAWAY ends everything, although streams go on.
            self.error = None if self.goaway is not None else repr(error)
            self.flush()
        except OSError:
            pass
        self.ended = True
        for request in self.requests.values():
            request.complete.set()
        self.sock.close()

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            request = Request(self, event.stream_id, event.headers)
            request.ended_by_head = event.stream_ended is not None
            self.requests[event.stream_id] = request
            self.owner.note(request)
            threading.Thread(target=self.owner.answer, args=(request,), daemon=True).start()
        elif isinstance(event, h2.events.DataReceived):
            self.requests[event.stream_id].body += event.data
            if not self.owner.hoards:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            self.requests[event.stream_id].trailers = event.headers
        elif isinstance(event, h2.events.StreamEnded):
            self.requests[event.stream_id].complete.set()
        elif isinstance(event, h2.events.StreamReset):
            if event.stream_id in self.requests:
                self.requests[event.stream_id].reset = event.error_code
                self.requests[event.stream_id].complete.set()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event.error_code


class H2Upstream(listener.Listener):
    """Listens on loopback. `on_request(request)` runs on a thread of its own as soon as the head is
    in; it answers by the connection's methods, or gives a body to answer the complete request
    with."""

    def __init__(self, port, on_request=None, host="127.0.0.1", tls=None, settings=None,
                 hoards=False):
        super().__init__(host, port)
        self.tls = tls
        self.on_request = on_request or (lambda request: b"")
        self.settings = settings or {}
        self.hoards = hoards  # Reads, but gives no window back.
        self.connections, self.requests = [], []
        self._lock = threading.Lock()
        self.start()

    @property
    def name(self):
        return f"h2 upstream {self.address}"

    def stop(self):
        super().stop()
        for connection in list(self.connections):
            connection.close()

    def complaint(self):
        """What the proxy did wrong by the judgement of python3-h2."""
        errors = [c.error for c in self.connections if c.error]
        return f"{self.name}: {errors}" if errors else None

    def clear(self):
        for connection in list(self.connections):
            connection.close()
        self.connections, self.requests = [], []

    def _serve(self, sock):
        if self.tls:
            try:
                sock = self.tls.wrap_socket(sock, server_side=True)
            except (OSError, ssl.SSLError):
                sock.close()
                return
        with self._lock:
            connection = Connection(self, sock, len(self.connections) + 1)
            self.connections.append(connection)
        connection.serve()

    def note(self, request):
        with self._lock:
            self.requests.append(request)

    def answer(self, request):
        with contextlib.suppress(h2.exceptions.StreamClosedError, h2.exceptions.ProtocolError,
                                 TimeoutError, OSError):
            body = self.on_request(request)
            if body is None:
                return
            request.complete.wait(30)
            request.connection.head(request.stream, 200, [("content-length", str(len(body)))])
            request.connection.data(request.stream, body, end=True)
