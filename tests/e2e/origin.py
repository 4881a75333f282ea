"""An origin of a test's own: answers JSON of what it saw, remembers every byte it got."""
import json
import socket
import threading


class Origin:
    """One thread per connection.  behave(request) may return raw bytes to send instead."""

    def __init__(self, behave=None):
        self.behave = behave
        self.requests = []
        self.raw = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.is_open = True
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while self.is_open:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        seen = bytearray()
        with self.lock:
            self.raw.append(seen)
        reader = Reader(connection, seen)
        try:
            while request := reader.request():
                with self.lock:
                    self.requests.append(request)
                answer = self.behave(request) if self.behave else None
                if answer is None:
                    answer = reply(json.dumps({k: request[k] for k in ("method", "target", "headers", "body")}).encode(),
                                   is_head=request["method"] == "HEAD")
                if answer:
                    connection.sendall(answer)
                if answer == b"" or b"connection: close" in answer[:2000].lower():
                    break
        except (OSError, ValueError):
            pass
        finally:
            connection.close()

    def close(self):
        self.is_open = False
        self.listener.close()


def reply(body, status="200 OK", headers=(), is_head=False):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json",
             *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if is_head else body)


class Reader:
    """Requests off a socket, strictly: a malformed one raises ValueError."""

    def __init__(self, connection, seen):
        self.connection, self.seen, self.held = connection, seen, b""

    def more(self):
        chunk = self.connection.recv(65536)
        if not chunk:
            raise OSError("closed")
        self.seen += chunk
        self.held += chunk

    def line(self):
        while b"\r\n" not in self.held:
            self.more()
        line, self.held = self.held.split(b"\r\n", 1)
        return line

    def exactly(self, n):
        while len(self.held) < n:
            self.more()
        data, self.held = self.held[:n], self.held[n:]
        return data

    def request(self):
        try:
            method, target, _ = self.line().decode("latin-1").split(" ")
        except OSError:
            return None
        headers = []
        while line := self.line():
            name, value = line.decode("latin-1").split(":", 1)
            headers.append([name, value.strip()])
        names = {n.lower(): v for n, v in headers}
        if names.get("expect", "").lower() == "100-continue":
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in names.get("transfer-encoding", "").lower():
            body = b""
            while size := int(self.line().split(b";")[0], 16):
                body += self.exactly(size)
                self.line()
            while self.line():
                pass
        else:
            body = self.exactly(int(names.get("content-length", 0)))
        return {"method": method, "target": target, "headers": headers, "body": body.decode("latin-1")}
