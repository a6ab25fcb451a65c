"""A strict upstream that records every byte of every connection and answers by script."""
import itertools
import socket
import ssl
import threading
import time

import h1
import listener
import waiting

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def reply(body=b"", status="200 OK", headers=()):
    """A complete response with a length."""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Full:
    """Listens, and its queue is full: whoever connects is not even answered with SYN+ACK."""

    def __init__(self, port, host="127.0.0.1"):
        self.address = f"{host}:{port}"
        self.sockets = [socket.create_server((host, port), backlog=0)]
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((host, port))
            self.sockets.append(filler)

    def stop(self):
        for sock in self.sockets:
            sock.close()


class Connection:
    """What one connection from the proxy brought."""

    def __init__(self, sock, number):
        self.sock = sock
        self.number = number
        self.wire = h1.Wire(sock)
        self.requests = []  # Complete ones.
        self.started = []   # Those whose head was read.
        self.malformed = None
        self.cut = None     # Closed or reset inside a message.
        self.ended = False
        self.server_name = None
        self.client_certificate = None

    @property
    def raw(self):
        return bytes(self.wire.raw)

    def send(self, data):
        self.sock.sendall(data)


class Upstream(listener.Listener):
    """Listens on loopback.

    `on_request(connection, request)` gives the bytes to answer a complete request with; None
    answers nothing, "close" closes. `on_head(connection, request)`, when set, is asked as soon as
    the head is in; what it gives is sent before the body is read.
    """

    def __init__(self, port, host="127.0.0.1", on_request=None, on_head=None, tls=None):
        super().__init__(host, port)
        self.on_request = on_request or (lambda connection, request: OK)
        self.on_head = on_head
        self.tls = tls
        self.connections = []
        self._changed = threading.Condition()
        self._arrivals = itertools.count()
        self.start()

    def stop(self):
        """Closes the listener and every connection."""
        super().stop()
        for connection in list(self.connections):
            self.drop(connection)

    def drop(self, connection):
        try:
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
        except OSError:
            pass

    def clear(self):
        """Forgets what was recorded, and drops the connections it came by."""
        for connection in list(self.connections):
            self.drop(connection)
        with self._changed:
            self.connections = []

    def _serve(self, sock):
        name = {}
        if self.tls:
            def note(_, server_name, __):
                name["sni"] = server_name
            self.tls.sni_callback = note
            try:
                sock = self.tls.wrap_socket(sock, server_side=True)
            except (OSError, ssl.SSLError):
                sock.close()
                return
        with self._changed:
            connection = Connection(sock, len(self.connections) + 1)
            connection.server_name = name.get("sni")
            if self.tls:
                connection.client_certificate = sock.getpeercert()
            self.connections.append(connection)
            self._changed.notify_all()
        try:
            while self._one(connection):
                pass
        except OSError as error:
            connection.cut = connection.cut or repr(error)
        finally:
            sock.close()
            with self._changed:
                connection.ended = True
                self._changed.notify_all()

    def _one(self, connection):
        request = None
        try:
            request = h1.read_request_head(connection.wire)
            with self._changed:
                connection.started.append(request)
                self._changed.notify_all()
            if self.on_head:
                early = self.on_head(connection, request)
                if early == "close":
                    return False
                if early:
                    connection.send(early)
            elif "100-continue" in (request.get("expect") or "").lower():
                connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            h1.take_body(connection.wire, request, request.framing)
        except h1.Gone:
            return False
        except h1.Malformed as error:
            connection.malformed = str(error)
            return False
        except h1.Cut as error:
            connection.cut = str(error)
            return False
        with self._changed:
            request.arrival = next(self._arrivals)
            connection.requests.append(request)
            self._changed.notify_all()
        answer = self.on_request(connection, request)
        if answer == "close":
            return False
        if answer:
            connection.send(answer)
        return "close" not in (request.get("connection") or "").lower()

    # What the tests ask.

    @property
    def requests(self):
        """As they arrived."""
        found = [request for connection in self.connections for request in connection.requests]
        return sorted(found, key=lambda request: request.arrival)

    @property
    def started(self):
        return [request for connection in self.connections for request in connection.started]

    @property
    def raw(self):
        return b"".join(connection.raw for connection in self.connections)

    def wait(self, what, condition, timeout=None):
        """Until condition() holds; looked at again at every event of this upstream."""
        end = time.monotonic() + (timeout or waiting.DEADLINE)
        with self._changed:
            while not condition():
                left = end - time.monotonic()
                if left <= 0:
                    raise waiting.Timeout(f"upstream waited in vain for {what}; it has "
                                          f"{self.raw[-2000:]!r}")
                self._changed.wait(min(left, 0.2))

    def last(self):
        self.wait("a request", lambda: self.requests)
        return self.requests[-1]
