"""Clients that keep asking while a test does something, and count what a user would notice."""
import socket
import threading
import time


class Load:
    """n keep-alive connections, each one request after the other.  check(status, headers, body) → problem or None."""

    def __init__(self, port, path="/r", n=16, check=None, keep_alive=True, headers=()):
        self.port, self.check, self.keep_alive = port, check, keep_alive
        extra = "".join(f"{h}\r\n" for h in headers) + ("" if keep_alive else "Connection: close\r\n")
        self.request = f"GET {path} HTTP/1.1\r\nHost: load.test\r\n{extra}\r\n".encode()
        self.lock = threading.Lock()
        self.done, self.problems, self.refused, self.latencies = 0, [], 0, []
        self.goes_on = True
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
        connection, held = None, b""
        while self.goes_on:
            began = time.monotonic()
            try:
                if connection is None:
                    connection, held = socket.create_connection(("127.0.0.1", self.port), timeout=30), b""
                connection.sendall(self.request)
                status, headers, body, held = self.read(connection, held)
                problem = self.check(status, headers, body) if self.check else (None if status == 200 else f"status {status}: {body[:200]!r}")
            except (OSError, ValueError, EOFError) as error:
                problem, headers = f"{type(error).__name__} {error}", {}
                if connection is not None:
                    connection.close()
                connection = None
            else:
                if not self.keep_alive or headers.get("connection", "").lower() == "close":
                    connection.close()
                    connection = None
            with self.lock:
                self.done += 1
                self.latencies.append(time.monotonic() - began)
                if problem:
                    self.problems.append(problem)
            if problem:
                time.sleep(0.01)

    @staticmethod
    def read(connection, held):
        def more():
            nonlocal held
            chunk = connection.recv(65536)
            if not chunk:
                raise EOFError(f"closed after {held[:80]!r}")
            held += chunk
        while b"\r\n\r\n" not in held:
            more()
        head, held = held.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {n.lower(): v.strip() for n, v in (line.split(":", 1) for line in lines[1:])}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while True:
                while b"\r\n" not in held:
                    more()
                size, rest = held.split(b"\r\n", 1)
                size = int(size, 16)
                held = rest
                while len(held) < size + 2:
                    more()
                body, held = body + held[:size], held[size + 2:]
                if size == 0:
                    return status, headers, body, held
        n = int(headers.get("content-length", 0))
        while len(held) < n:
            more()
        return status, headers, held[:n], held[n:]

    def percentile(self, p):
        with self.lock:
            ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * p))] if ordered else 0.0

    def wait_for(self, n, timeout=30):
        """Until n more requests ended."""
        target, end = self.done + n, time.monotonic() + timeout
        while self.done < target and time.monotonic() < end:
            time.sleep(0.01)
        assert self.done >= target, f"only {self.done} of {target} requests; problems: {self.problems[:3]}"
