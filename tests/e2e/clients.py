"""Origins and clients of every kind, for what may not cost a single request: replaced workers, scale, upgrades."""
import contextlib
import socket
import threading
import time

import pytest
from load import Load
from origin import Origin, Reader, reply

WITHOUT_BPF = {"steering": "off"}
MODES = pytest.mark.parametrize("how", [{}, WITHOUT_BPF], ids=["bpf", "off"])
CHUNK = b"x" * 1000
STREAM_CHUNKS = 20


class StreamOrigin(Origin):
    """/stream: a response that takes a second, chunk by chunk."""

    def serve(self, connection):
        reader = Reader(connection, bytearray())
        try:
            while request := reader.request():
                if not request["target"].startswith("/stream"):
                    connection.sendall(reply(request["target"].encode()))
                    continue
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % (len(CHUNK) * STREAM_CHUNKS))
                for _ in range(STREAM_CHUNKS):
                    connection.sendall(CHUNK)
                    time.sleep(0.05)
        except (OSError, ValueError):
            pass
        finally:
            connection.close()


class Pipelined:
    """Clients that send eight requests at once and want eight answers."""

    def __init__(self, port, n=2):
        self.port, self.done, self.problems, self.goes_on = port, 0, [], True
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(n)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exc):
        self.goes_on = False
        for t in self.threads:
            t.join(30)

    def client(self):
        connection, held, sent = None, b"", 0
        while self.goes_on:
            try:
                if connection is None:
                    connection, held = socket.create_connection(("127.0.0.1", self.port), timeout=30), b""
                connection.sendall(b"".join(b"GET /r/%d HTTP/1.1\r\nHost: x\r\n\r\n" % i for i in range(8)))
                for i in range(8):
                    status, headers, body, held = Load.read(connection, held)
                    if status != 200:
                        self.problems.append(f"{status} {body!r}")
                    self.done += 1
                    if headers.get("connection", "").lower() == "close":
                        if i != 7:
                            self.problems.append(f"closed after {i + 1} of 8")
                        connection.close()
                        connection = None
                        break
            except (OSError, EOFError, ValueError) as error:
                self.problems.append(f"{type(error).__name__} {error}")
                connection = None


@contextlib.contextmanager
def all_kinds_of_clients(node):
    """Keep-alive, one request per connection, pipelined and streaming clients; none may see a failure."""
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(x) for x in (
            Load(node.proxy_port, n=6), Load(node.proxy_port, n=4, keep_alive=False),
            Load(node.proxy_port, path="/stream", n=3, check=lambda s, h, b: None if s == 200 and len(b) == len(CHUNK) * STREAM_CHUNKS else f"{s}, {len(b)} bytes"),
            Pipelined(node.proxy_port))]
        loads[0].wait_for(20)
        yield loads
        loads[0].wait_for(50)
    for load in loads:
        assert load.problems == [], load.problems[:5]
        assert load.done > 0


def processes(node, state):
    return [w for w in node.workers() if w["state"] == state]
