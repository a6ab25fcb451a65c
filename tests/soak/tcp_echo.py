"""A TCP server that sends back what comes. Stopped, it accepts nobody; who is connected stays so."""
import socket
import threading


class TcpEcho:
    def __init__(self, port):
        self.port, self.address = port, f"127.0.0.1:{port}"
        self.start()

    def start(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)  # close() alone wakes nobody in accept().
        self._listener.close()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    @staticmethod
    def _serve(sock):
        with sock:
            try:
                while data := sock.recv(1 << 16):
                    sock.sendall(data)
            except OSError:
                pass  # The health check resets.
