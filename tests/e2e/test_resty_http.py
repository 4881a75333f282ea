"""resty.http against real servers on loopback: framing, keep-alive, TLS, and what goes wrong."""
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
from origin import Reader
from peers import TcpPeer
from ports import free_port
from test_cosocket import bed_of, origin_fixture  # noqa: F401
from tls_origin import Authority

NEW = 'local c = require("resty.http").new() c:set_timeouts(2000, 2000, 500) '
URI = '"http://127.0.0.1:" .. port .. '
ASK = NEW + 'local r, err = c:request_uri(' + URI + '"{path}", {{ {params} }}) if not r then return r, err end '


def ask(path, params="", result="return r.status, r.body"):
    return ASK.format(path=path, params=params) + result


# path → what is sent, byte for byte; without a length the connection ends behind it.
ANSWERS = {
    "/length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a: 2\r\nX_B: 3\r\n\r\nhello", True),
    "/chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n2;e=1\r\nde\r\n0\r\nX-T: end\r\n\r\n", True),
    "/close": (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", False),
    "/interim": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok", True),
    "/204": (b"HTTP/1.1 204 No Content\r\n\r\n", True),
    "/304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", True),
    "/head": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", True),
    "/garbage": (b"SSH-2.0-whatever\r\n\r\n", False),
    "/huge": (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300000 + b"\r\n\r\n", False),
    "/many": (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 1500 + b"\r\n", False),
    "/two-lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nhello", False),
    "/bad-chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", False),
    "/short": (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", False),
    "/big": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"b" * 100000, True),
    "/fold": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nno colon\r\n\r\n", False),
}


def serve(connection):
    reader = Reader(connection, bytearray())
    while request := reader.request():
        path = request["target"].split("?")[0]
        if path == "/stall":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
            time.sleep(3)
            return
        if path == "/drip":
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            for _ in range(150):
                connection.sendall(b"X")
                time.sleep(0.2)
            return
        if path == "/reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        if path in ("/echo", "/r"):
            host = dict((n.lower(), v) for n, v in request["headers"])
            text = "\n".join([request["method"], request["target"], host.get("x-one", "-"), host.get("content-length", "-"), request["body"]]).encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
            continue
        answer, is_kept = ANSWERS[path]
        connection.sendall(answer)
        if not is_kept:
            return


CASES = {
    "length": ask("/length", result='return r.status, r.reason, r.body, r.has_body, r.headers["content-LENGTH"], table.concat(r.headers["X-A"], "+"), r.headers.x_b'),
    "chunked": ask("/chunked", result='r:read_trailers() return r.body, r.headers["X-T"]'),
    "close": ask("/close"),
    "interim": ask("/interim", result="return r.status, r.reason, r.body"),
    "empty": ask("/204", result="return r.status, r.has_body, r.body"),
    "notmodified": ask("/304", result="return r.status, r.has_body, r.body"),
    "head": ask("/head", 'method = "HEAD"', "return r.status, r.has_body, r.body"),
    "query": ask("/echo?a=1", result="return r.body"),
    "querytable": ask("/echo", 'method = "PUT", query = { q = "a b" }, body = "text", headers = { ["X-One"] = "1" }', "return r.body"),
    "iterator": ask("/echo", 'method = "POST", body = (function() local n = 0 return function() n = n + 1 if n < 3 then return "p" .. n end end end)()', "return r.body"),
    "continue": ask("/echo", 'method = "POST", body = "later", headers = { Expect = "100-continue" }', "return r.body"),
    "once": NEW + 'c:request_uri(' + URI + '"/length", { keepalive = false }) c:connect({ scheme = "http", host = "127.0.0.1", port = port }) return c:get_reused_times()',
    "lastone": NEW + 'c:connect("127.0.0.1", port) local r = c:request({ path = "/length", headers = { connection = "Close" } }) return r:read_body(), c:set_keepalive()',
    "proxy": NEW + 'c:connect("127.0.0.1", port) local r = c:proxy_request() r.headers["X-Via"] = "plugin" c:proxy_response(r)',
    "names": 'local h = require("resty.http_headers").new() h["Content-Type"] = "a" h.content_type = "b" local n = 0 for k, v in pairs(h) do n = n + 1 end '
             'return h["CONTENT-TYPE"], n, h.other',
    "strict": 'return pcall(require, "resty.http")',
    "stall": ask("/stall"),
    "reset": ask("/reset"),
    "drip": ask("/drip"),
    "garbage": ask("/garbage"),
    "huge": ask("/huge"),
    "many": ask("/many"),
    "twolengths": ask("/two-lengths"),
    "badchunk": ask("/bad-chunk"),
    "short": ask("/short"),
    "fold": ask("/fold"),
    "refused": ask("/"),
    "split": ask("/echo", 'headers = { ["X-One"] = "1\\r\\nX-Two: 2" }'),
    "badpath": ask("/echo", 'path = "/a b"'),
    "toobig": NEW + 'c:set_max_body_size(50000) local r, err = c:request_uri(' + URI + '"/big") return r, err',
    "reuse": NEW + 'c:connect("127.0.0.1", port) local out = {} for i = 1, 2 do local r = c:request({ path = "/length" }) out[i] = r:read_body() end '
                   'local a = c:get_reused_times() local k = c:set_keepalive(10000, 5) c:connect("127.0.0.1", port) '
                   'return out[1], out[2], a, k, c:get_reused_times(), c:close()',
    "notread": NEW + 'c:connect({ host = "127.0.0.1", port = port, scheme = "http", pool = "mine" }) c:request({ path = "/length" }) '
                     'local r, err = c:request({ path = "/length" }) return r, err, c:set_keepalive()',
    "late": NEW + 'c:connect("127.0.0.1", port) local r = c:request({ path = "/stall" }) local b, err = r:read_body() return b, err, (c:set_keepalive())',
    "pieces": NEW + 'c:connect("127.0.0.1", port) local r = c:request({ path = "/big" }) local n, pieces = 0, 0 '
                    'repeat local p, err = r.body_reader(8192) if p then n, pieces = n + #p, pieces + 1 end until not p return n, pieces, (c:set_keepalive())',
    "parse": 'local u = require("resty.http"):parse_uri("https://[::1]:8443/a?b=c", false) return u[1], u[2], u[3], u[4], u[5], '
             'require("resty.http"):parse_uri("ftp://a/")',
    "pipeline": NEW + 'c:connect("127.0.0.1", port) local r = c:request_pipeline({ { path = "/echo?1" }, { path = "/chunked" }, { path = "/204" }, '
                '{ path = "/echo?4", method = "POST", body = "x" } }) local out = {} for i = 1, 4 do out[i] = r[i].status .. (r[i]:read_body():match("/echo%S*") or r[i].has_body and "body" or "") end '
                'r[2]:read_trailers() return table.concat(out, "|"), r[2].headers["X-T"], (c:set_keepalive())',
    "outoforder": NEW + 'c:connect("127.0.0.1", port) local r = c:request_pipeline({ { path = "/length" }, { path = "/length" } }) '
                  'local a, b = r[2].status, r[2].err return a, b, r[1].status, c:request({ path = "/length" })',
    "unread": NEW + 'c:connect("127.0.0.1", port) local r = c:request_pipeline({ { path = "/length" }, { path = "/length" } }) '
              'r[1]:read_body() return r[1].status, c:set_keepalive()',
    "lame": NEW + 'c:connect("127.0.0.1", port) local r = c:request_pipeline({ { path = "/short" }, { path = "/length" } }) '
            'local b, err = r[1]:read_body() return b, err, r[2].status, r[2].err',
    "expect": NEW + 'c:connect("127.0.0.1", port) return c:request_pipeline({ { path = "/length", headers = { Expect = "100-continue" } } })',
    "tls": NEW + 'local r, err = c:request_uri("https://127.0.0.1:" .. port .. "/length") return r and r.body, err',
    "tlsblind": NEW + 'local r, err = c:request_uri("https://127.0.0.1:" .. port .. "/length", { ssl_verify = false }) return r and r.body, err',
    "tlsname": NEW + 'local r, err = c:request_uri("https://127.0.0.1:" .. port .. "/length", { ssl_server_name = "peer.example" }) return r and r.body, err',
    "tlsagain": NEW + 'local o = { scheme = "https", host = "127.0.0.1", port = port, ssl_server_name = "peer.example" } assert(c:connect(o)) '
                      'local r = c:request({ path = "/length" }) r:read_body() c:set_keepalive() assert(c:connect(o)) r = c:request({ path = "/chunked" }) '
                      'return r:read_body(), c:get_reused_times()',
}


@pytest.fixture(name="peer")
def peer_fixture():
    peer = TcpPeer(serve)
    yield peer
    peer.close()


def test_responses_are_read_however_they_end(make_node, origin, peer):
    bed = bed_of(make_node, origin, CASES)
    assert bed.run("length", peer.port) == "200|OK|hello|true|5|1+2|3"
    assert bed.run("chunked", peer.port) == "abcde|end"
    assert bed.run("close", peer.port) == "200|until the end"
    assert bed.run("interim", peer.port) == "201|Made|ok"
    assert bed.run("empty", peer.port) == "204|false|"
    assert bed.run("notmodified", peer.port) == "304|false|"
    assert bed.run("head", peer.port) == "200|false|"
    assert bed.run("query", peer.port) == "GET\n/echo?a=1\n-\n-\n"
    assert bed.run("querytable", peer.port) == "PUT\n/echo?q=a%20b\n1\n4\ntext"
    assert bed.run("iterator", peer.port) == "POST\n/echo\n-\n-\np1p2"
    assert bed.run("reuse", peer.port).startswith("hello|hello|")
    assert bed.run("reuse", peer.port).endswith("|1|1")
    assert bed.run("continue", peer.port) == "POST\n/echo\n-\n5\nlater"
    assert bed.run("once", peer.port) == "0"
    assert bed.run("lastone", peer.port) == "hello|2|connection must be closed"
    assert bed.run("names") == "b|1|nil"
    r = bed.node.post("/r?a=1", b"body", headers={"x-run": "proxy", "x-port": str(peer.port), "x-one": "1"})
    assert (r.status_code, r.text, r.headers.get("X-Via")) == (200, "POST\n/r?a=1\n1\n4\nbody", "plugin")
    n, pieces, kept = bed.run("pieces", peer.port).split("|")
    assert (n, kept) == ("100000", "1") and int(pieces) >= 13
    assert bed.run("pipeline", peer.port) == "200/echo?1|200body|204|200/echo?4|end|1"
    assert bed.run("parse") == "https|[::1]|8443|/a|b=c|nil|bad uri: ftp://a/"


def test_what_goes_wrong_has_a_name_and_leaves_nothing_for_the_next_request(make_node, origin, peer):
    bed = bed_of(make_node, origin, CASES)
    assert bed.run("stall", peer.port) == "nil|timeout"
    assert bed.run("reset", peer.port).split("|")[1] in ("closed", "connection reset by peer")
    assert bed.run("garbage", peer.port).startswith("nil|couldn't parse HTTP status line: SSH-2.0")
    assert bed.run("huge", peer.port) == "nil|response headers too large"
    assert bed.run("many", peer.port) == "nil|response headers too large"
    assert bed.run("twolengths", peer.port) == "nil|conflicting Content-Length fields"
    assert bed.run("badchunk", peer.port) == "nil|unable to read chunksize"
    assert bed.run("short", peer.port) == "nil|closed"
    assert bed.run("fold", peer.port) == "nil|malformed header in response"
    assert bed.run("refused", free_port()) == "nil|connection refused"
    assert bed.run("split", peer.port) == "nil|invalid header: X-One"
    assert bed.run("badpath", peer.port) == "nil|invalid path"
    assert bed.run("toobig", peer.port) == "nil|response body too large"
    assert bed.run("notread", peer.port) == "nil|the response before this request has not been read|2|connection must be closed"
    assert bed.run("late", peer.port) == "nil|timeout|2"
    assert bed.run("length", peer.port).startswith("200|OK|hello")
    assert bed.run("outoforder", peer.port) == ("nil|the response before this one has not been read|200|nil|"
                                                "the response before this request has not been read")
    assert bed.run("unread", peer.port) == "200|2|connection must be closed"
    assert bed.run("lame", peer.port) == "nil|closed|nil|the response before this one has not been read"
    assert bed.run("expect", peer.port) == "nil|Cannot pipeline request specifying Expect: 100-continue"


def test_a_server_that_drips_does_not_hold_a_request_longer_than_a_plugin_may(make_node, origin, peer):
    bed = bed_of(make_node, origin, CASES, plugin_limits_wall_ms="1500")
    began = time.monotonic()
    r = bed.node.get("/r", headers={"x-run": "drip", "x-port": str(peer.port)})
    assert r.status_code == 500 and time.monotonic() - began < 20
    assert bed.run("length", peer.port).startswith("200|OK|hello")


def test_https_is_verified_unless_told_otherwise(make_node, origin, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=peer.example", "-addext", "subjectAltName=DNS:peer.example", "-keyout", tmp_path / "k.pem", "-out",
                    tmp_path / "c.pem"], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
    peer = TcpPeer(serve, wrap=lambda c: tls.wrap_socket(c, server_side=True))
    bed = bed_of(make_node, origin, CASES, lua_ssl_trusted_certificate=str(tmp_path / "c.pem"))
    assert bed.run("tlsname", peer.port) == "hello|nil"
    assert bed.run("tls", peer.port).startswith("nil|")
    assert bed.run("tlsblind", peer.port) == "hello|nil"
    assert bed.run("tlsagain", peer.port).startswith("abcde|")
    # a connection that nobody verified is not taken by who wants it verified
    assert bed.run("tls", peer.port).startswith("nil|")
    peer.close()


def test_it_goes_only_where_plugins_may(make_node, origin, peer):
    bed = bed_of(make_node, origin, CASES, plugin_egress="any")
    assert "denied by plugin_egress" in bed.run("length", peer.port)
    assert peer.n_accepted == 0


def test_a_strict_plugin_is_told_that_it_has_no_connections(make_node, origin):
    bed = bed_of(make_node, origin, CASES, untrusted_lua="strict")
    assert "untrusted_lua: lax only" in bed.run("strict")


class Proxy(TcpPeer):
    """A forward proxy: what it was asked for; answers plain requests itself, tunnels CONNECT to `to`."""

    def __init__(self, to, answer=b"HTTP/1.1 200 OK\r\n\r\n"):
        self.to, self.answer, self.seen = to, answer, []
        super().__init__(self.talk)

    def talk(self, connection):
        reader = connection.makefile("rb", buffering=0)
        while line := reader.readline():
            fields = {}
            while (field := reader.readline().strip()):
                name, _, value = field.decode().partition(": ")
                fields[name.lower()] = value
            self.seen.append((line.decode().strip(), fields.get("host"), fields.get("proxy-authorization")))
            if not line.startswith(b"CONNECT"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nvia proxy")
                continue
            connection.sendall(self.answer)
            if not self.answer.startswith(b"HTTP/1.1 200"):
                continue
            with socket.create_connection(("127.0.0.1", self.to)) as there:
                back = threading.Thread(target=pump, args=(there, connection), daemon=True)
                back.start()
                pump(connection, there)
                back.join()
            return


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_proxies_forward_http_and_tunnel_https(make_node, origin, peer, tmp_path):
    authority = Authority(tmp_path / "authority")
    cert, key = authority.issue("secret.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    tls = TcpPeer(serve, wrap=lambda c: context.wrap_socket(c, server_side=True))
    proxy = Proxy(tls.port)
    via = f"http://127.0.0.1:{proxy.port}"
    options = f'{{ http_proxy = "{via}", https_proxy = "{via}", http_proxy_authorization = "Basic one", https_proxy_authorization = "Basic two", no_proxy = "other.test, .inner.test" }}'
    set_up = NEW + f"c:set_proxy_options({options}) "
    refuser, injector = Proxy(tls.port, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), Proxy(
        tls.port, b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    bed = bed_of(make_node, origin, {
        "plain": set_up + 'local r, err = c:request_uri("http://web.test:81/a?b=c") return r and r.body, err',
        "tls": set_up + 'local r, err = c:request_uri("https://secret.test/length") return r and r.body, err',
        "again": set_up + 'local o = { scheme = "https", host = "secret.test", port = 443 } assert(c:connect(o)) c:request({ path = "/length" }):read_body() '
                 'c:set_keepalive() assert(c:connect(o)) return c:get_reused_times(), c:request({ path = "/chunked" }):read_body()',
        "wrongname": set_up + 'return c:request_uri("https://else.test/length")',
        "direct": set_up + 'local a = c:get_proxy_uri("http", "other.test") return a, c:get_proxy_uri("http", "a.inner.test"), c:get_proxy_uri("https", "b.test")',
        "refuses": NEW + f'c:set_proxy_options({{ https_proxy = "http://127.0.0.1:{refuser.port}" }}) return c:request_uri("https://secret.test/length")',
        "injects": NEW + f'c:set_proxy_options({{ https_proxy = "http://127.0.0.1:{injector.port}" }}) return c:request_uri("https://secret.test/length")',
        "https": NEW + 'return c:request_uri("http://a.test/", { proxy_opts = { http_proxy = "https://b.test" } })',
        "egress": NEW + 'return c:request_uri("http://a.test/", { proxy_opts = { http_proxy = "http://169.254.169.254" } })',
        "split": set_up + 'return c:connect({ scheme = "https", host = "a\\r\\nX: y", port = 1 })',
    }, lua_ssl_trusted_certificate=str(authority.cert))
    assert bed.run("plain") == "via proxy|nil"
    assert proxy.seen == [("GET http://web.test:81/a?b=c HTTP/1.1", "web.test:81", "Basic one")]
    assert bed.run("tls") == "hello|nil"
    assert proxy.seen[1:] == [("CONNECT secret.test:443 HTTP/1.1", "secret.test:443", "Basic two")]
    assert bed.run("again").split("|")[1] == "abcde" and bed.run("again").split("|")[0] != "0"
    assert bed.run("wrongname").startswith("nil|")
    assert bed.run("direct") == f"nil|nil|{via}"
    assert bed.run("refuses") == "nil|failed to establish a tunnel through a proxy: 403"
    assert bed.run("injects") == "nil|unread data before the handshake"
    assert bed.run("https") == "nil|protocol https not supported for proxy connections"
    assert bed.run("egress") == "nil|egress to 169.254.169.254:80 denied by plugin_egress"
    assert bed.run("split") == "nil|bad host name"


WHOLE = {
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\nx-a: 2\r\n\r\n3;x=y\r\nabc\r\n0a\r\n0123456789\r\n0\r\nX-T: end\r\n\r\n",
    "length": b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 404 Not Found\nContent-Length: 13\r\nX-A: 1\r\nX-A: 2\r\nX-T: end\r\n\r\nabc0123456789",
    "close": b"HTTP/1.0 200 \r\nX-a: 1\r\nX-A:2\r\nX-T:\tend \r\n\r\nabc0123456789",
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_response_is_the_same_wherever_it_is_split(make_node, origin, kind):
    """Each connection gets it with a cut one byte further on."""
    whole, cuts = WHOLE[kind], []

    def cut(connection):
        connection.recv(65536)
        at = len(cuts)
        cuts.append(at)
        for piece in (whole[:at], whole[at:]):
            if piece:
                connection.sendall(piece)
                time.sleep(0.001)

    peer = TcpPeer(cut)
    bed = bed_of(make_node, origin, {"all": f"""
local seen, n = {{}}, 0
for i = 0, {len(whole)} do
  local c = require("resty.http").new() c:set_timeout(3000)
  local r, err = c:request_uri({URI} "/x", {{ keepalive = false }})
  if r then r:read_trailers() end
  local text = r and table.concat({{ r.status, r.body, r.headers["X-A"][1], r.headers["X-A"][2], r.headers["X-T"] }}, " ") or tostring(err)
  if not seen[text] then seen[text], n = true, n + 1 end
end
return n, (next(seen))"""}, plugin_limits_cpu_ms="2000")
    status = 404 if kind == "length" else 200
    assert bed.run("all", peer.port) == f"1|{status} abc0123456789 1 2 end"
    assert len(cuts) == len(whole) + 1
