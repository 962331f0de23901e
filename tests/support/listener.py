"""listener.py - a socket on loopback whose connections are each given to a function, in a thread of its own."""

import socket
import threading


class Listener:
    def __init__(self, serve):
        """`serve(connection)` is called for each; it closes the connection."""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = self.socket.getsockname()
        self.port = self.address[1]
        self.is_over = False
        self.thread = threading.Thread(target=self._accept, args=(serve,), daemon=True)
        self.thread.start()

    def _accept(self, serve):
        while True:
            connection, _ = self.socket.accept()
            if self.is_over:
                connection.close()
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    def close(self):
        """Not by closing the socket alone: a thread on its way into accept() would take the next listener of that number."""
        self.is_over = True
        socket.create_connection(self.address).close()
        self.thread.join()
        self.socket.close()
