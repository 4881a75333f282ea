"""Bodies both ways, keep-alive, time: what a client and a service see of the proxy."""
import hashlib
import json
import socket
import threading
import time

import pytest
from node import SLOW, eventually
from origin import Origin, reply


def proxied(make_node, behave=None, **conf):
    origin = Origin(behave)
    node = make_node(workers="1", **conf).start()
    node.route_to(origin, name="r")
    return node, origin


def head_and_body(got):
    head, _, body = got.partition(b"\r\n\r\n")
    return head, body


def headers_of(head):
    return {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in head.decode("latin-1").split("\r\n")[1:])}


def dechunk(body):
    out = b""
    while True:
        line, body = body.split(b"\r\n", 1)
        n = int(line, 16)
        if n == 0:
            return out
        out, body = out + body[:n], body[n + 2:]


def wait_up(node):
    eventually(lambda: node.get("/r").status_code == 200, "proxied")


def test_a_big_body_goes_up_and_down_unchanged(make_node):
    big = bytes(range(256)) * 16384
    node, origin = proxied(make_node, lambda r: reply(hashlib.sha256(r["body"].encode("latin-1")).hexdigest().encode()
                                                      if r["method"] == "POST" else big))
    wait_up(node)
    assert node.get("/r").content == big
    got = node.raw(b"POST /r HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(big) + big)
    assert head_and_body(got)[1] == hashlib.sha256(big).hexdigest().encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(big[i:i + 7001]), big[i:i + 7001]) for i in range(0, len(big), 7001))
    got = node.raw(b"POST /r HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
    assert head_and_body(got)[1] == hashlib.sha256(big).hexdigest().encode()


def test_a_late_reader_gets_everything(make_node):
    big = b"0123456789abcdef" * 65536 * 8
    node, origin = proxied(make_node, lambda r: reply(big if "big" in r["target"] else b"{}"))
    wait_up(node)
    with socket.create_connection(("127.0.0.1", node.proxy_port)) as s:
        s.sendall(b"GET /r/big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        time.sleep(0.3)
        got = b""
        while chunk := s.recv(262144):
            got += chunk
    assert head_and_body(got)[1] == big


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_body_that_ends_with_the_connection_arrives_whole(make_node, version):
    node, origin = proxied(make_node, lambda r: b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 100000)
    wait_up(node)
    head, body = head_and_body(node.raw(b"GET /r HTTP/%s\r\nHost: x\r\nConnection: close\r\n\r\n" % version.encode()))
    if version == "1.1":
        assert headers_of(head)["transfer-encoding"] == "chunked"
        body = dechunk(body)
    else:
        assert "transfer-encoding" not in headers_of(head) and "content-length" not in headers_of(head)
    assert body == b"x" * 100000


def test_a_chunked_response_is_passed_on_and_its_trailers_are_not(make_node):
    node, origin = proxied(make_node, lambda r: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
                                                b"5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n")
    wait_up(node)
    for _ in range(5):
        r = node.get("/r")
        assert r.text == "hello world" and "x" not in r.headers and "trailer" not in r.headers


def test_a_truncated_response_never_looks_complete(make_node):
    node, origin = proxied(make_node, lambda r: b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
                           if "cut" in r["target"] else None)
    wait_up(node)
    got = node.raw(b"GET /r/cut HTTP/1.1\r\nHost: x\r\n\r\n")
    assert not got.endswith(b"0\r\n\r\n")
    wait_up(node)


def test_head_204_and_304_have_no_body_and_keep_the_connection(make_node):
    def behave(r):
        if "204" in r["target"]:
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        if "304" in r["target"]:
            return b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 10\r\n\r\n"
        return None
    node, origin = proxied(make_node, behave)
    wait_up(node)
    got = node.raw(b"HEAD /r HTTP/1.1\r\nHost: x\r\n\r\nGET /r/204 HTTP/1.1\r\nHost: x\r\n\r\n"
                   b"GET /r/304 HTTP/1.1\r\nHost: x\r\n\r\nGET /r/last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    parts = got.split(b"HTTP/1.1 ")[1:]
    assert [p[:3] for p in parts] == [b"200", b"204", b"304", b"200"]
    assert int(headers_of(head_and_body(parts[0])[0])["content-length"]) > 0
    assert all(head_and_body(p)[1] == b"" for p in parts[:3])
    assert json.loads(head_and_body(parts[3])[1])["target"] == "/last"


def test_expect_100_continue_is_answered_before_the_body(make_node):
    node, origin = proxied(make_node)
    wait_up(node)
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=5) as s:
        s.sendall(b"POST /r HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n")
        assert s.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"hello")
        got = b""
        while chunk := s.recv(65536):
            got += chunk
    assert json.loads(head_and_body(got)[1])["body"] == "hello"
    assert not any(n.lower() == "expect" for n, _ in origin.requests[-1]["headers"])


def test_interim_responses_are_not_taken_for_the_final_one(make_node):
    node, origin = proxied(make_node, lambda r: b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + reply(b'"final"'))
    wait_up(node)
    assert node.get("/r").text == '"final"'


def test_an_early_answer_to_a_long_upload_arrives(make_node):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            seen = c.recv(4096)
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" if b"POST" not in seen else
                      b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope")
            c.shutdown(socket.SHUT_WR)
            try:
                while c.recv(65536):
                    pass
            except OSError:
                pass
            c.close()
    threading.Thread(target=serve, daemon=True).start()
    node = make_node(workers="1").start()
    node.route_to(listener.getsockname()[1], name="r")
    wait_up(node)
    got = b""
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=5) as s:
        s.sendall(b"POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 100000)
        while chunk := s.recv(65536):
            got += chunk
    listener.close()
    assert got.startswith(b"HTTP/1.1 413") and got.endswith(b"nope")


def test_a_stale_pooled_connection_is_not_the_clients_problem(make_node):
    """The origin closes after each response without saying so."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            c.recv(65536)
            c.sendall(reply(b"{}"))
            c.close()
    threading.Thread(target=serve, daemon=True).start()
    node = make_node(workers="1").start()
    node.route_to(listener.getsockname()[1], name="r")
    wait_up(node)
    for i in range(50):
        method = b"POST" if i % 2 else b"GET"
        if method == b"POST":  # may not be sent twice (RFC 9110 9.2.2): the close must have arrived
            time.sleep(0.02 * SLOW)
        got = node.raw(method + b" /r HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        assert got.startswith(b"HTTP/1.1 200"), got
    listener.close()


def test_a_half_closed_client_still_gets_its_answer(make_node):
    node, origin = proxied(make_node, lambda r: time.sleep(0.2) or reply(b'"late"'))
    wait_up(node)
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=5) as s:
        s.sendall(b"GET /r HTTP/1.1\r\nHost: x\r\n\r\n")
        s.shutdown(socket.SHUT_WR)
        got = b""
        while chunk := s.recv(65536):
            got += chunk
    assert got.endswith(b'"late"')


def test_a_dead_service_is_a_502_and_a_silent_one_a_504(make_node):
    quiet = socket.create_server(("127.0.0.1", 0))
    node = make_node(workers="1").start()
    node.route_to(quiet.getsockname()[1], name="r", service_extra={"read_timeout": 300, "retries": 0})
    eventually(lambda: node.get("/r").status_code == 504, "a timeout")
    quiet.close()
    assert node.get("/r").status_code == 502


def test_a_slow_head_times_out_with_408_and_an_idle_connection_just_closes(make_node):
    node, origin = proxied(make_node, client_header_timeout_ms=300, keepalive_timeout_ms=300)
    wait_up(node)
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=5) as s:
        s.sendall(b"GET /r HT")
        assert s.recv(65536).startswith(b"HTTP/1.1 408")
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=5) as s:
        assert s.recv(65536) == b""


def test_a_body_over_the_limit_is_a_413(make_node):
    node, origin = proxied(make_node, client_max_body_size=1000)
    wait_up(node)
    origin.requests.clear()
    assert node.raw(b"POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n").startswith(b"HTTP/1.1 413")
    assert node.raw(b"POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"a" * 1001 + b"\r\n0\r\n\r\n").startswith(b"HTTP/1.1 413")
    assert origin.requests == []


def test_headers_of_one_hop_stay_there(make_node):
    node, origin = proxied(make_node, lambda r: reply(b"{}", headers=["Connection: X-Hop, keep-alive", "X-Hop: 1", "Keep-Alive: 5", "Proxy-Connection: x", "X-End: 2"]))
    wait_up(node)
    origin.requests.clear()
    got = node.raw(b"GET /r HTTP/1.1\r\nHost: x\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nTE: gzip\r\nUpgrade: h2c\r\nProxy: evil\r\nKeep-Alive: 1\r\nX-Kept: 1\r\n\r\n")
    names = {n.lower() for n, _ in origin.requests[0]["headers"]}
    assert "x-kept" in names and not names & {"x-mine", "te", "upgrade", "proxy", "keep-alive", "connection"}
    seen = headers_of(head_and_body(got)[0])
    assert "x-end" in seen and not set(seen) & {"x-hop", "keep-alive", "proxy-connection"}


def test_the_service_sees_who_asked(make_node):
    node, origin = proxied(make_node)
    wait_up(node)
    r = node.get("/r/a?b=c", headers={"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Real-IP": "9.9.9.9"}).json()
    seen = {n.lower(): v for n, v in r["headers"]}
    assert r["target"] == "/a?b=c"
    assert seen["x-forwarded-for"] == "1.2.3.4, 127.0.0.1" and seen["x-real-ip"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "http" and seen["x-forwarded-host"] == "127.0.0.1"
    assert seen["x-forwarded-port"] == str(node.proxy_port) and seen["x-forwarded-path"] == "/r/a"
    assert seen["x-forwarded-prefix"] == "/r" and len(seen["x-kong-request-id"]) == 32


def test_a_trusted_peer_is_believed(make_node):
    node, origin = proxied(make_node, trusted_ips="127.0.0.0/8", real_ip_header="X-Forwarded-For")
    wait_up(node)
    r = node.get("/r", headers={"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "h"}).json()
    seen = {n.lower(): v for n, v in r["headers"]}
    assert seen["x-real-ip"] == "1.2.3.4" and seen["x-forwarded-proto"] == "https" and seen["x-forwarded-host"] == "h"


def test_over_the_connection_limit_new_ones_get_503(make_node):
    node, origin = proxied(make_node, connections_max=5)
    wait_up(node)
    held = [socket.create_connection(("127.0.0.1", node.proxy_port)) for _ in range(10)]
    time.sleep(0.3)
    shed = 0
    for s in held:
        s.settimeout(0.2)
        try:
            shed += s.recv(4096).startswith(b"HTTP/1.1 503")
        except TimeoutError:
            pass
        s.close()
    assert shed >= 5
    wait_up(node)


def test_one_slow_drip_of_bytes_is_one_request(make_node):
    node, origin = proxied(make_node)
    wait_up(node)
    message = b"POST /r HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=5) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(message)):
            s.sendall(message[i:i + 1])
            time.sleep(0.001)
        got = b""
        while chunk := s.recv(65536):
            got += chunk
    assert json.loads(head_and_body(got)[1])["body"] == "hello"
