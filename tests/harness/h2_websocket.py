"""A WebSocket in a stream of HTTP/2 (RFC 8441): frames by the websockets library, HTTP/2 by
python3-h2."""
import h2.settings
from websockets.connection import Connection, Side, State
from websockets.frames import Opcode

ENABLE_CONNECT_PROTOCOL = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL


class H2WebSocket:
    """On an h2_client.Client, which may have other streams."""

    def __init__(self, client, path, fields=()):
        self._client = client
        self._frames = Connection(Side.CLIENT, State.OPEN, max_size=None)
        self.received = []  # Frames not yet taken.
        client.wait(lambda: client.h2.remote_settings.get(ENABLE_CONNECT_PROTOCOL) == 1)
        self.stream = client.start(path, [(":protocol", "websocket"), ("sec-websocket-version", "13"),
                                          *fields], method="CONNECT")
        client.wait(lambda: self.response.fields or self.response.ended)

    @property
    def response(self):
        return self._client.responses[self.stream]

    def send(self, *fragments):
        """A message in so many frames; text if they are strings."""
        text = isinstance(fragments[0], str)
        for i, part in enumerate(fragments):
            begin = self._frames.send_text if text else self._frames.send_binary
            put = begin if i == 0 else self._frames.send_continuation
            put(part.encode() if text else part, i == len(fragments) - 1)
            self._flush()

    def ping(self, data):
        self._frames.send_ping(data)
        self._flush()

    def close(self, code, reason=""):
        self._frames.send_close(code, reason)
        self._flush()

    def frame(self):
        """The next one."""
        self._client.wait(lambda: self._take() or self.response.ended)
        if not self.received:
            raise ConnectionError(f"the stream ended: {self.response}")
        return self.received.pop(0)

    def message(self):
        """The next one whole, as bytes; how many frames it was of. Control frames are left out."""
        parts = []
        while True:
            frame = self.frame()
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                parts.append(frame.data)
                if frame.fin:
                    return b"".join(parts), len(parts)

    def wait_closed(self):
        """Until both sides' close frames are through and the stream has ended; the peer's close."""
        self._client.wait(lambda: self._take() or self._frames.close_rcvd is not None)
        self._client.send(self.stream, end=True)
        self._client.wait(lambda: self.response.ended)
        return self._frames.close_rcvd

    def _take(self):
        body, self.response.body = self.response.body, b""
        if body:
            self._frames.receive_data(body)
            self._flush()  # Pongs, the answer to a close.
            self.received += self._frames.events_received()
        return bool(self.received)

    def _flush(self):
        for data in self._frames.data_to_send():
            if data:
                self._client.send_all(self.stream, data)
