"""Upgrades: a tunnel when the service switches, an ordinary response when it does not."""
import hashlib
import socket
import threading
import time

import pytest
from node import eventually
from origin import Origin, Reader, reply

SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
ASK = (b"GET /r HTTP/1.1\r\nHost: ws.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
       b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


class Switcher:
    """Reads one request, sends `head`, then runs talk(connection, bytes behind the head)."""

    def __init__(self, talk=None, head=SWITCH):
        self.talk, self.head = talk or self.echo, head
        self.requests, self.ended = [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            c, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        reader = Reader(c, bytearray())
        request = reader.request()
        if request is None:
            return
        self.requests.append(request)
        try:
            c.sendall(self.head)
            self.talk(c, reader.held)
        except OSError:
            pass
        c.close()
        self.ended.append(time.monotonic())

    @staticmethod
    def echo(c, data):
        while data:
            c.sendall(data)
            data = c.recv(65536)
        while chunk := c.recv(65536):
            c.sendall(chunk)


def switched(make_node, origin, service=None, **conf):
    node = make_node(workers="1", **conf).start()
    node.route_to(origin.port, service_extra=service)
    node.wait_settled()
    return node


def connect(node, ask=ASK, expect=b"101"):
    s = socket.create_connection(("127.0.0.1", node.proxy_port), timeout=10)
    s.sendall(ask)
    got = b""
    while b"\r\n\r\n" not in got:
        chunk = s.recv(65536)
        assert chunk, got
        got += chunk
    head, rest = got.split(b"\r\n\r\n", 1)
    assert head.split(b" ")[1] == expect, head
    return s, head, rest


def exactly(s, n):
    data = b""
    while len(data) < n:
        chunk = s.recv(65536)
        assert chunk, f"ended after {len(data)} of {n}"
        data += chunk
    return data


def test_a_websocket_passes_through_and_is_counted(make_node):
    origin = Switcher()
    node = switched(make_node, origin, log_level="info")
    s, head, rest = connect(node)
    assert rest == b"" and b"Upgrade: websocket" in head and b"Connection: Upgrade" in head
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert b"Content-Length" not in head and b"Transfer-Encoding" not in head
    seen = {k.lower(): v for k, v in origin.requests[0]["headers"]}
    assert seen["connection"] == "Upgrade" and seen["upgrade"] == "websocket"
    assert seen["sec-websocket-key"] == "dGhlIHNhbXBsZSBub25jZQ==" and "x-forwarded-for" in seen
    for i in range(50):
        s.sendall(b"frame %d" % i)
        assert exactly(s, len(b"frame %d" % i)) == b"frame %d" % i
    s.close()
    eventually(lambda: "status=101" in node.log(), "logged at the end")
    eventually(lambda: origin.ended, "the service sees the end")


def test_bytes_sent_with_the_request_arrive_behind_the_switch(make_node):
    node = switched(make_node, Switcher(head=SWITCH + b"hello from the service"))
    s, _, rest = connect(node, ASK + b"early frame")
    want = b"hello from the service" + b"early frame"
    assert rest + exactly(s, len(want) - len(rest)) == want
    s.close()


def test_one_side_may_end_before_the_other(make_node):
    def talk(c, data):
        while chunk := c.recv(65536):
            data += chunk
        c.sendall(hashlib.sha256(data).hexdigest().encode())
    node = switched(make_node, Switcher(talk))
    s, _, rest = connect(node)
    data = bytes(range(256)) * 4096
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
    assert rest + exactly(s, 64) == hashlib.sha256(data).hexdigest().encode()
    assert s.recv(1) == b""


def test_a_service_that_ends_first_ends_the_client(make_node):
    node = switched(make_node, Switcher(lambda c, _data: c.sendall(b"bye")))
    s, _, rest = connect(node)
    assert rest + exactly(s, 3 - len(rest)) == b"bye"
    assert s.recv(1) == b""
    s.close()


def test_who_does_not_read_is_not_read_for(make_node):
    """A client that does not read stops the service; the worker's memory does not grow."""
    sent = [0]

    def talk(c, _data):
        c.settimeout(2)
        try:
            for _ in range(4096):
                c.sendall(bytes(65536))
                sent[0] += 65536
        except TimeoutError:
            c.settimeout(30)
            c.recv(1)
    node = switched(make_node, Switcher(talk))
    s, _, _ = connect(node)
    eventually(lambda: sent[0] > 0, "data flows")
    time.sleep(1)
    before = sent[0]
    time.sleep(0.7)
    assert sent[0] == before and before < 64 * 1024 * 1024
    s.close()


def test_an_idle_tunnel_ends_with_read_timeout(make_node):
    node = switched(make_node, Switcher(), {"read_timeout": 600})
    s, _, _ = connect(node)
    started = time.monotonic()
    for _ in range(4):
        time.sleep(0.3)
        s.sendall(b"x")
        assert exactly(s, 1) == b"x"
    assert time.monotonic() - started > 1.1
    assert s.recv(1) == b""


def test_a_refused_upgrade_is_an_ordinary_response(make_node):
    origin = Origin(lambda r: reply(b"no", "200 OK"))
    node = switched(make_node, origin)
    second = b"GET /r?second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    got = node.raw(ASK + second)
    assert got.count(b"HTTP/1.1 200 OK") == 2, got
    assert [r["target"] for r in origin.requests] == ["/", "/?second"]


@pytest.mark.parametrize("value", ["h2c", "H2C", "websocket, h2c", "HTTP/2.0", "TLS/1.0"])
def test_protocols_that_would_hide_requests_are_not_offered(make_node, value):
    origin = Origin(lambda r: reply(b"plain"))
    node = switched(make_node, origin)
    got = node.raw(b"GET /r HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: " +
                   value.encode() + b"\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200")
    names = {k.lower() for k, _ in origin.requests[0]["headers"]}
    assert not names & {"upgrade", "http2-settings", "connection"}


@pytest.mark.parametrize("ask", [b"GET /r HTTP/1.1\r\nHost: x\r\n\r\n",
                                 b"GET /r HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
                                 b"GET /r HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n\r\n",
                                 ASK.replace(b"Upgrade: websocket", b"Upgrade: other")])
def test_a_switch_that_was_not_offered_is_a_502(make_node, ask):
    node = switched(make_node, Switcher())
    s, _, _ = connect(node, ask, b"502")
    s.close()


def test_a_service_that_switches_before_it_has_the_request_is_a_502(make_node):
    node = switched(make_node, Switcher())
    listener = socket.create_server(("127.0.0.1", 0))

    def talk():
        c, _ = listener.accept()
        c.recv(100)
        c.sendall(SWITCH)
        time.sleep(2)
    threading.Thread(target=talk, daemon=True).start()
    node.route_to(listener.getsockname()[1], name="early")
    node.wait_settled()
    ask = ASK.replace(b"GET /r", b"POST /early").replace(b"\r\n\r\n", b"\r\nContent-Length: 1000000\r\n\r\n")
    s, _, _ = connect(node, ask + bytes(100), b"502")
    s.close()


def test_plugins_see_the_switch_and_the_end(make_node):
    node = switched(make_node, Switcher(), log_level="info")
    node.plugin("watch", """
return { PRIORITY = 10, VERSION = "1",
  access = function() kong.service.request.set_header("X-Seen", "yes") end,
  response = function() kong.log.notice("response phase") end,
  log = function() kong.log.notice("ended with ", kong.response.get_status()) end }
""")
    node.make("/routes/r/plugins", {"name": "watch"})
    node.wait_plugin("watch")
    node.wait_settled()
    s, _, _ = connect(node)
    s.sendall(b"ping")
    assert exactly(s, 4) == b"ping"
    assert "ended with" not in node.log()
    s.close()
    eventually(lambda: "ended with 101" in node.log(), "the log phase ran")


def test_a_plugin_may_turn_the_switch_into_another_answer(make_node):
    origin = Switcher()
    node = switched(make_node, origin)
    node.plugin("deny", """
return { PRIORITY = 10, VERSION = "1", header_filter = function() kong.response.set_status(403) end }
""")
    node.make("/routes/r/plugins", {"name": "deny"})
    node.wait_plugin("deny")
    node.wait_settled()
    s, head, rest = connect(node, ASK, b"403")
    assert b"Content-Length: 0" in head and rest == b""
    s.close()
    eventually(lambda: origin.ended, "the service's connection is closed, not pooled")


def test_a_client_that_leaves_ends_the_request_at_the_service(make_node):
    """The service is slow; the client goes away; the service's connection is closed at once."""
    gone = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(c):
        Reader(c, bytearray()).request()
        c.settimeout(20)
        started = time.monotonic()
        if c.recv(1) == b"":
            gone.append(time.monotonic() - started)

    def accept():
        while True:
            c, _ = listener.accept()
            threading.Thread(target=serve, args=(c,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    node = make_node(workers="1", log_level="info").start()
    node.route_to(listener.getsockname()[1])
    node.wait_settled()
    for reset in (False, True):
        s = socket.create_connection(("127.0.0.1", node.proxy_port))
        s.sendall(b"POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
        time.sleep(0.3)
        if reset:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    eventually(lambda: len(gone) == 2, "both were cancelled")
    assert max(gone) < 5  # a FIN may be a client that only sends no more: it has a second
    eventually(lambda: node.log().count("status=499") == 2, "logged as 499")


def test_a_client_that_leaves_in_the_middle_of_a_response_ends_it(make_node):
    gone = []

    def talk(c, _data):
        c.settimeout(20)
        gone.append(c.recv(1))
    node = switched(make_node, Switcher(talk, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome"))
    s, _, _ = connect(node, b"GET /r HTTP/1.1\r\nHost: x\r\n\r\n", b"200")
    s.close()
    eventually(lambda: gone == [b""], "the service's connection is closed")


def test_a_pipelined_request_is_not_a_client_that_left(make_node):
    origin = Origin(lambda r: time.sleep(0.5) or reply(b"{}"))
    node = switched(make_node, origin)
    one = b"GET /r HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=10) as s:
        s.sendall(one)
        time.sleep(0.2)
        s.sendall(one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        got = b""
        while chunk := s.recv(65536):
            got += chunk
    assert got.count(b"200 OK") == 2
