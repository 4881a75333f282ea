"""Servers that plugins talk to: one thread per connection, each doing what it is told."""
import socket
import threading


class TcpPeer:
    """serve(connection) is called for each; the connection is closed when it returns."""

    def __init__(self, serve, wrap=None):
        self.serve, self.wrap = serve, wrap
        self.n_accepted = 0
        self.n_open = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.n_accepted += 1
                self.n_open += 1
            threading.Thread(target=self.run, args=(connection,), daemon=True).start()

    def run(self, connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.wrap:
                connection = self.wrap(connection)
            self.serve(connection)
        except (OSError, ValueError):
            pass
        finally:
            connection.close()
            with self.lock:
                self.n_open -= 1

    def close(self):
        self.listener.close()


def lines(connection):
    """The lines a client sends, without their end."""
    held = b""
    while chunk := connection.recv(65536):
        held += chunk
        while b"\n" in held:
            line, held = held.split(b"\n", 1)
            yield line.rstrip(b"\r")


def echo_lines(connection):
    for line in lines(connection):
        connection.sendall(line + b"\r\n")


class UdpPeer:
    """answer(datagram) → what goes back, or None."""

    def __init__(self, answer):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.answer = answer
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                data, peer = self.socket.recvfrom(65536)
                back = self.answer(data)
                if back is not None:
                    self.socket.sendto(back, peer)
            except OSError:
                return
