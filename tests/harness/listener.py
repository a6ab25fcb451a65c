"""A listening socket whose connections are each served on a thread of its own."""
import socket
import threading


class Listener:
    """Derived classes have `_serve(sock)`, and call start() when they are ready for it."""

    def __init__(self, host, port):
        self.host, self.port = host, port
        self._listener = None

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def start(self):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        listener.listen(256)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self):
        """Accepts nobody more."""
        if self._listener is not None:
            # close() alone does not wake a thread in accept().
            try:
                self._listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self._listener.close()
            self._listener = None

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()
