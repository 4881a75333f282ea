"""Hostile HTTP/1.1: 400 and close; the origin never sees a malformed message or a second request."""
import socket
import time

import pytest
from node import eventually
from origin import reply

GET2 = b"GET /r/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def post(headers, body=b"", line=b"POST /r HTTP/1.1"):
    return line + b"\r\nHost: x\r\n" + headers + b"\r\n" + body


BAD = {
    "CL and TE": post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + GET2),
    "TE and CL": post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + GET2),
    "TE in other case with CL": post(b"transfer-ENCODING: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + GET2),
    "TE xchunked": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + GET2),
    "TE chunked, identity": post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + GET2),
    "TE identity": post(b"Transfer-Encoding: identity\r\n", GET2),
    "TE gzip, chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n" + GET2),
    "TE twice": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + GET2),
    "TE twice, second other": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", b"0\r\n\r\n" + GET2),
    "TE with a tab": post(b"Transfer-Encoding:\x0bchunked\r\n", b"0\r\n\r\n" + GET2),
    "TE space before colon": post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + GET2),
    "TE folded": post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n" + GET2),
    "TE on HTTP/1.0": post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n" + GET2, b"POST /r HTTP/1.0"),
    "TE empty": post(b"Transfer-Encoding:\r\n", GET2),
    "TE quoted": post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n" + GET2),
    "CL twice, other value": post(b"Content-Length: 0\r\nContent-Length: 44\r\n", GET2),
    "CL twice, same value": post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello" + GET2),
    "CL as a list": post(b"Content-Length: 5, 5\r\n", b"hello" + GET2),
    "CL +5": post(b"Content-Length: +5\r\n", b"hello" + GET2),
    "CL -1": post(b"Content-Length: -1\r\n", GET2),
    "CL hexadecimal": post(b"Content-Length: 0x5\r\n", b"hello" + GET2),
    "CL 5 5": post(b"Content-Length: 5 5\r\n", b"hello" + GET2),
    "CL over 64 bits": post(b"Content-Length: 18446744073709551617\r\n", b"h" + GET2),
    "CL empty": post(b"Content-Length:\r\n", GET2),
    "CL folded": post(b"Content-Length: 5\r\n 5\r\n", b"hello" + GET2),
    "obs-fold": post(b"X-A: 1\r\n 2\r\n"),
    "obs-fold with a tab": post(b"X-A: 1\r\n\t2\r\n"),
    "a fold before the first header": b"GET /r HTTP/1.1\r\n X: 1\r\nHost: x\r\n\r\n",
    "bare LF after the request line": b"GET /r HTTP/1.1\nHost: x\r\n\r\n" + GET2,
    "bare LF after a header": b"GET /r HTTP/1.1\r\nHost: x\nX: 1\r\n\r\n",
    "bare LF ends the head": b"POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\nhello",
    "bare CR in a value": post(b"X-A: 1\r2\r\n"),
    "bare CR between headers": b"GET /r HTTP/1.1\r\nHost: x\rX: 1\r\n\r\n",
    "NUL in a value": post(b"X-A: 1\x002\r\n"),
    "a control byte in a value": post(b"X-A: 1\x012\r\n"),
    "space before the colon": post(b"X-A : 1\r\n"),
    "no colon": post(b"X-A\r\n"),
    "an empty name": post(b": 1\r\n"),
    "a space in a name": post(b"X A: 1\r\n"),
    "a bad byte in a name": post(b"X(A): 1\r\n"),
    "a byte over 127 in a name": post(b"X\xe9: 1\r\n"),
    "chunk size not hexadecimal": post(b"Transfer-Encoding: chunked\r\n", b"zz\r\nhello\r\n0\r\n\r\n" + GET2),
    "chunk size 0x5": post(b"Transfer-Encoding: chunked\r\n", b"0x5\r\nhello\r\n0\r\n\r\n" + GET2),
    "chunk size negative": post(b"Transfer-Encoding: chunked\r\n", b"-5\r\nhello\r\n0\r\n\r\n" + GET2),
    "chunk size empty": post(b"Transfer-Encoding: chunked\r\n", b"\r\nhello\r\n0\r\n\r\n" + GET2),
    "chunk size with spaces": post(b"Transfer-Encoding: chunked\r\n", b" 5\r\nhello\r\n0\r\n\r\n" + GET2),
    "chunk size over 64 bits": post(b"Transfer-Encoding: chunked\r\n", b"10000000000000005\r\nhello\r\n0\r\n\r\n" + GET2),
    "chunk size 5 then bare LF": post(b"Transfer-Encoding: chunked\r\n", b"5\nhello\r\n0\r\n\r\n" + GET2),
    "chunk data without CRLF": post(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello0\r\n\r\n" + GET2),
    "chunk data and bare LF": post(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\n0\r\n\r\n" + GET2),
    "chunk extension with LF": post(b"Transfer-Encoding: chunked\r\n", b"5;a\nx\r\nhello\r\n0\r\n\r\n" + GET2),
    "chunk extension with CR": post(b"Transfer-Encoding: chunked\r\n", b"5;a\rb\r\nhello\r\n0\r\n\r\n" + GET2),
    "chunk extension with NUL": post(b"Transfer-Encoding: chunked\r\n", b"5;a\x00b\r\nhello\r\n0\r\n\r\n" + GET2),
    "chunk extension without end": post(b"Transfer-Encoding: chunked\r\n", b"5;" + b"a" * 100000 + b"\r\nhello\r\n0\r\n\r\n" + GET2),
    "trailer smuggles a length": post(b"Transfer-Encoding: chunked\r\n", b"0\r\nContent-Length : 5\r\n\r\n" + GET2),
    "no Host": b"GET /r HTTP/1.1\r\n\r\n",
    "Host twice": b"GET /r HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "Host with a path": b"GET /r HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "Host with a space": b"GET /r HTTP/1.1\r\nHost: x y\r\n\r\n",
    "Host with user info": b"GET /r HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "HTTP/1.2 is no version": b"GET /r HTTP/1.2x\r\nHost: x\r\n\r\n",
    "HTTP/3.7": b"GET /r HTTP/3.7\r\nHost: x\r\n\r\n",
    "lower-case http": b"GET /r http/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /r\r\nHost: x\r\n\r\n",
    "two spaces": b"GET  /r HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab for a space": b"GET\t/r HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space in the target": b"GET /r x HTTP/1.1\r\nHost: x\r\n\r\n",
    "a control byte in the target": b"GET /r\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a fragment in the target": b"GET /r#f HTTP/1.1\r\nHost: x\r\n\r\n",
    "a relative target": b"GET r HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bad method": b"G@T /r HTTP/1.1\r\nHost: x\r\n\r\n",
    "the HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "absolute form of another host": b"GET http://other/r HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
    "TLS on a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "garbage": b"\xff\xfe\xfd" * 50 + b"\r\n\r\n",
}


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    from node import Node
    from origin import Origin
    origin = Origin()
    node = Node(tmp_path_factory.mktemp("smuggling"), workers="1")
    try:
        node.start()
        node.route_to(origin, name="r")
        eventually(lambda: node.get("/r").status_code == 200, "proxied")
        yield node, origin
    finally:
        node.clean_up()
        origin.close()


def is_refused(got):
    status = got.split(b" ", 2)
    return got.startswith(b"HTTP/1.") and status[1] in (b"400", b"405", b"413", b"414", b"431", b"501", b"505")


@pytest.mark.parametrize("name", BAD)
def test_it_is_refused_once_the_connection_closes_and_the_origin_sees_no_second_request(target, name):
    node, origin = target
    origin.requests.clear()
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=10) as s:
        s.sendall(BAD[name])
        got = b""
        while True:
            try:
                chunk = s.recv(65536)
            except ConnectionResetError:
                break
            if not chunk:
                break
            got += chunk
    assert is_refused(got), got[:300]
    assert got.count(b"HTTP/1.") == 1, got
    time.sleep(0.02)
    assert all(r["target"] == "/" for r in origin.requests), origin.requests
    assert b"smuggled" not in b"".join(bytes(raw) for raw in origin.raw)


@pytest.mark.parametrize("name", ["CL and TE", "obs-fold", "bare LF after a header", "chunk size 0x5", "Host twice", "CL twice, other value"])
def test_the_verdict_is_the_same_byte_by_byte(target, name):
    node, origin = target
    origin.requests.clear()
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=10) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        got = b""
        try:
            for i in range(len(BAD[name])):
                s.sendall(BAD[name][i:i + 1])
            while chunk := s.recv(65536):
                got += chunk
        except (ConnectionResetError, BrokenPipeError):
            try:
                got += s.recv(65536)
            except OSError:
                pass
    assert got == b"" or is_refused(got), got[:300]
    assert not any("smuggled" in r["target"] for r in origin.requests)


def test_what_is_legal_passes_whole(target):
    node, origin = target
    legal = [
        post(b"Transfer-Encoding: chunked\r\n", b"5;ext=1;e=\"q\"\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n"),
        post(b"transfer-encoding: Chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        post(b"Content-Length: 5\r\n", b"hello"),
        post(b"Content-Length:    5   \r\n", b"hello"),
        b"\r\n" + post(b"Content-Length: 5\r\n", b"hello"),
        b"POST http://x/r HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    ]
    for message in legal:
        origin.requests.clear()
        got = node.raw(message.replace(b"\r\nHost: x", b"\r\nHost: x\r\nConnection: close", 1))
        assert got.startswith(b"HTTP/1.1 200"), (message, got[:300])
        assert [r["body"] for r in origin.requests] == ["hello"], message


def test_pipelined_requests_are_answered_in_order(target):
    node, _ = target
    message = b"".join(b"GET /r/%d HTTP/1.1\r\nHost: x\r\n\r\n" % i for i in range(19)) + b"GET /r/19 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    got = node.raw(message)
    at = [got.find(b'"target": "/%d"' % i) for i in range(20)]
    assert got.count(b"HTTP/1.1 200") == 20 and at == sorted(at) and -1 not in at


@pytest.mark.parametrize("name, message, status", [
    ("a long line", b"GET /r/" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
    ("a long header", b"GET /r HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n", b"431"),
    ("many headers", b"GET /r HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: 1\r\n" % i for i in range(300)) + b"\r\n", b"431"),
])
def test_a_request_over_a_limit_gets_the_right_status(target, name, message, status):
    node, _ = target
    assert node.raw(message).split(b" ")[1] == status


ORIGIN_LIES = {
    "CL and TE": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "CL twice": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a bare CR": b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
    "a bad status line": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    "not HTTP": b"SSH-2.0-OpenSSH\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("name", ORIGIN_LIES)
def test_a_malformed_response_is_a_502_and_never_passed_on(make_node, name):
    from origin import Origin
    lying = Origin(lambda request: ORIGIN_LIES[name])
    node = make_node(workers="1").start()
    node.route_to(lying, name="r", service_extra={"retries": 0, "read_timeout": 2000})
    eventually(lambda: node.get("/r").status_code == 502, "502", 15)
    lying.close()


def test_a_response_with_a_second_one_behind_it_does_not_poison_the_pool(make_node):
    from origin import Origin
    tricky = Origin(lambda r: reply(b'{"n": 1}') + b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned")
    node = make_node(workers="1").start()
    node.route_to(tricky, name="r")
    eventually(lambda: node.get("/r").status_code == 200, "proxied")
    for _ in range(10):
        assert node.get("/r").text == '{"n": 1}'
    tricky.close()
