"""The websockets library's own server, on a thread: it echoes, and does what some texts ask for."""
import asyncio
import threading

import websockets


class EchoServer:
    def __init__(self, port):
        self.address = f"127.0.0.1:{port}"
        self.paths = []
        self.closed = []  # (path, close code)
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        threading.Thread(target=self._run, args=(port, started), daemon=True).start()
        started.wait()

    def _run(self, port, started):
        asyncio.set_event_loop(self._loop)

        async def serve():
            await websockets.serve(self._echo, "127.0.0.1", port, max_size=None, ping_interval=None)
            started.set()
        self._loop.run_until_complete(serve())
        self._loop.run_forever()

    async def _echo(self, connection, path):
        self.paths.append(path)
        try:
            async for message in connection:
                if message == "fragments":
                    await connection.send(["one ", "two ", "", "three"])
                elif message == "ping":
                    await (await connection.ping(b"are you there"))
                    await connection.send("ponged")
                elif message == "close" or str(message[:6]) == "close ":
                    await connection.close(int(message[6:] or 4321), "because")
                    break
                else:
                    await connection.send(message)
        finally:
            self.closed.append((path, connection.close_code))
