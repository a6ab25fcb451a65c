"""A TCP server that sends back what comes. Stopped, it accepts nobody; who is connected stays so."""
import ctypes
import socket
import struct
import threading

SO_ATTACH_FILTER = 26  # asm-generic/socket.h
BPF_RETURN = 0x06  # With 0 as its value: the packet is dropped.


def refuse_newcomers(listener):
    """From now on the kernel drops what opens connections; those that wait to be accepted still do."""
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", BPF_RETURN, 0, 0, 0))
    program = struct.pack("HP", 1, ctypes.addressof(instruction))
    listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


class TcpEcho:
    def __init__(self, port):
        self.port, self.address = port, f"127.0.0.1:{port}"
        self.start()

    def start(self):
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listener.settimeout(0.1)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def stop(self):
        """Closing a listener resets the connections in its queue; so it is emptied first."""
        refuse_newcomers(self._listener)
        self._stopping.set()
        self._thread.join()

    def _accept(self):
        with self._listener:
            while True:
                try:
                    sock, _ = self._listener.accept()
                except TimeoutError:  # The queue is empty.
                    if self._stopping.is_set():
                        return
                    continue
                sock.settimeout(None)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    @staticmethod
    def _serve(sock):
        with sock:
            try:
                while data := sock.recv(1 << 16):
                    sock.sendall(data)
            except OSError:
                pass  # The health check resets.
