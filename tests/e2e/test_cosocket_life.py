"""untrusted_lua: lax: pools, datagrams, light threads, and what ends while a plugin waits."""
import os
import socket
import ssl
import threading

import pytest
from node import SLOW, eventually
from origin import Origin
from peers import TcpPeer, UdpPeer, echo_lines
from ports import free_port
from test_cosocket import CONNECT, HANDLER, bed_of, functions
from tls_origin import Authority


@pytest.fixture(name="origin")
def origin_fixture():
    o = Origin()
    yield o
    o.close()


@pytest.fixture(name="held")
def held_fixture():
    """A peer that takes connections and says nothing before `go`."""
    peer = TcpPeer(None)
    peer.go = threading.Event()

    def serve(connection):
        while not peer.go.wait(0.05):
            connection.settimeout(0.01)
            try:
                if connection.recv(100) == b"":
                    return
            except TimeoutError:
                pass
        connection.sendall(b"late\r\n")

    peer.serve = serve
    yield peer
    peer.go.set()
    peer.close()


def test_a_pool_keeps_connections_as_long_and_as_many_as_asked(make_node, origin):
    bed = bed_of(make_node, origin, {
        "use": CONNECT + 's:send("x\\n") return s:getreusedtimes(), s:receive(), s:setkeepalive(60000, 10)',
        "two": CONNECT + """
local t = ngx.socket.tcp() assert(t:connect("127.0.0.1", port)) s:send("a\\n") t:send("b\\n") s:receive() t:receive()
return s:setkeepalive(60000, 1), t:setkeepalive(60000, 1)""",
        "brief": CONNECT + "return s:setkeepalive(50, 10), s:send('x')",
        "named": 'local s = ngx.socket.tcp() assert(s:connect("127.0.0.1", port, { pool = "mine" })) return s:getreusedtimes(), s:setkeepalive()',
    })
    peer, other, third = TcpPeer(echo_lines), TcpPeer(echo_lines), TcpPeer(echo_lines)
    assert [bed.run("use", peer.port) for _ in range(3)] == ["0|x|1", "1|x|1", "2|x|1"]
    assert peer.n_accepted == 1
    assert bed.run("two", other.port) == "1|1"
    eventually(lambda: other.n_open == 1, "the pool of one has one connection")
    assert bed.run("brief", third.port) == "1|nil|closed"
    eventually(lambda: third.n_open == 0, "the idle connection is closed")
    assert bed.run("named", third.port) == "0|1"
    assert bed.run("named", peer.port) == "1|1", "a pool is found by its name"


def test_an_idle_connection_that_its_peer_closed_is_not_used_again(make_node, origin):
    bed = bed_of(make_node, origin, {"use": CONNECT + 's:send("x\\n") return s:getreusedtimes(), s:receive(), s:setkeepalive()'})
    peer = TcpPeer(lambda c: c.sendall(c.recv(10)))
    assert bed.run("use", peer.port).startswith("0|x|")
    eventually(lambda: peer.n_open == 0, "the peer closed it")
    assert bed.run("use", peer.port).startswith("0|x|")
    assert peer.n_accepted == 2


def test_datagrams(make_node, origin):
    bed = bed_of(make_node, origin, {
        "echo": """
local s = ngx.socket.udp() s:settimeout(300) assert(s:setpeername("127.0.0.1", port))
return s:send("one"), s:receive(), s:send({ "t", 2 }), s:receive(1), s:close()""",
        "silent": 'local s = ngx.socket.udp() s:settimeout(50) s:setpeername("127.0.0.1", port) s:send("quiet") return s:receive()',
        "unset": 'return ngx.socket.udp():send("x")',
    })
    peer = UdpPeer(lambda data: None if data == b"quiet" else data.upper())
    assert bed.run("echo", peer.port) == "1|ONE|1|T|1"
    assert bed.run("silent", peer.port) == "nil|timeout"
    assert bed.run("unset").startswith("nil|")


def test_light_threads_and_semaphores(make_node, origin):
    bed = bed_of(make_node, origin, {
        "results": 'local t = ngx.thread.spawn(function(a, b) ngx.sleep(0.01) return a + b, "x" end, 1, 2) return ngx.thread.wait(t)',
        "first": """
local slow = ngx.thread.spawn(function() ngx.sleep(20) return "slow" end)
local fast = ngx.thread.spawn(function() ngx.sleep(0.01) return "fast" end)
local ok, which = ngx.thread.wait(slow, fast)
return ok, which, ngx.thread.kill(slow), ngx.thread.kill(slow)""",
        "fails": 'local ok, err = ngx.thread.wait(ngx.thread.spawn(function() error("boom", 0) end)) return ok, err',
        "again": 'local t = ngx.thread.spawn(function() end) ngx.thread.wait(t) return ngx.thread.wait(t)',
        "sema": """
local sema = require("ngx.semaphore").new()
local t = ngx.thread.spawn(function() return sema:wait(5) end)
ngx.sleep(0)
local before = sema:count()
sema:post()
local ok, got = ngx.thread.wait(t)
local none, err = sema:wait(0.01)
return before, ok, got, none, err, sema:count()""",
        "both": CONNECT + """
local t = ngx.thread.spawn(function() return s:receive() end)
ngx.sleep(0.01)
local none, err = s:receive()
s:send("x\\n")
local ok, line = ngx.thread.wait(t)
return none, err, ok, line""",
    })
    peer = TcpPeer(echo_lines)
    assert bed.run("results") == "true|3|x"
    assert bed.run("first").startswith("true|fast|1|nil|already")
    assert bed.run("fails") == "false|boom"
    assert bed.run("again") == "nil|already waited or killed"
    assert bed.run("sema") == "-1|true|true|nil|timeout|0"
    assert bed.run("both", peer.port) == "nil|socket busy reading|true|x"


def test_a_client_that_goes_away_takes_the_sockets_of_its_plugins_along(make_node, origin, held):
    bed = bed_of(make_node, origin, {"wait": CONNECT + "s:settimeout(60000) return s:receive()"})
    with socket.create_connection(("127.0.0.1", bed.node.proxy_port)) as s:
        s.sendall(f"GET /r HTTP/1.1\r\nHost: x\r\nx-run: wait\r\nx-port: {held.port}\r\n\r\n".encode())
        eventually(lambda: held.n_open == 1, "the plugin waits")
    eventually(lambda: held.n_open == 0, "its socket is closed")


def test_a_peer_that_hangs_costs_its_timeout_and_no_other_request(make_node, origin, held):
    bed = bed_of(make_node, origin, {"wait": CONNECT + "s:settimeout(60000) return s:receive()", "timeout": CONNECT + "return s:receive()",
                                     "echo": CONNECT + 's:send("x\\n") return s:receive()'})
    peer, got = TcpPeer(echo_lines), []
    waiting = threading.Thread(target=lambda: got.append(bed.run("wait", held.port)))
    waiting.start()
    eventually(lambda: held.n_open == 1, "the plugin waits")
    assert bed.run("echo", peer.port) == "x"
    assert bed.run("timeout", held.port) == "nil|timeout|"
    held.go.set()
    waiting.join(20 * SLOW)
    assert got == ["late"]


def test_a_node_that_stops_lets_a_waiting_plugin_finish(make_node, origin, held):
    bed = bed_of(make_node, origin, {"wait": CONNECT + "s:settimeout(60000) return s:receive(), s:setkeepalive()"})
    got = []
    waiting = threading.Thread(target=lambda: got.append(bed.run("wait", held.port)))
    waiting.start()
    eventually(lambda: held.n_open == 1, "the plugin waits")
    bed.node.process.terminate()
    held.go.set()
    waiting.join(20 * SLOW)
    assert got and got[0].startswith("late|"), got
    bed.node.stop()


def test_a_plugin_that_loops_on_errors_of_sockets_is_stopped(make_node, origin):
    bed = bed_of(make_node, origin, {
        "refused": 'local s = ngx.socket.tcp() while true do s:connect("127.0.0.1", port) end',
        "denied": 'local s = ngx.socket.tcp() while true do s:connect("169.254.169.254", 80) end',
        "fine": "return 1",
    })
    for name in ("refused", "denied"):
        r = bed.node.get("/r", headers={"x-run": name, "x-port": str(free_port())})
        assert r.status_code == 500, (name, r.text)
    assert bed.run("fine") == "1"


def test_two_hundred_requests_with_a_subrequest_each_lose_nothing_and_leave_nothing(make_node, origin):
    bed = bed_of(make_node, origin, {"sub": """
local s = ngx.socket.tcp() s:settimeouts(20000, 20000, 20000)
local ok, err = s:connect("127.0.0.1", port) if not ok then return err end
s:send("GET / HTTP/1.0\\r\\nHost: o\\r\\n\\r\\n") local line, why = s:receive() s:close() return line or why""",
                                    "echo": CONNECT + 's:send("x\\n") return s:receive(), s:close()'})
    assert bed.run("sub", origin.port).startswith("HTTP/1.")
    pid = bed.node.worker_pids()[0]
    before = len(os.listdir(f"/proc/{pid}/fd"))
    text = f"GET /r HTTP/1.1\r\nHost: x\r\nx-run: sub\r\nx-port: {origin.port}\r\nConnection: close\r\n\r\n".encode()
    clients = [socket.create_connection(("127.0.0.1", bed.node.proxy_port), timeout=30 * SLOW) for _ in range(200)]
    for client in clients:
        client.sendall(text)
    answers = []
    for client in clients:
        with client, client.makefile("rb") as reader:
            answers.append(reader.read())
    bad = [a for a in answers if not a.startswith(b"HTTP/1.1 200") or b"HTTP/1." not in a[12:]]
    assert not bad, (len(bad), bad[0][:500])
    eventually(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= before + 1, "no descriptor is left")


def test_a_plugin_that_is_replaced_while_it_waits_ends_as_it_began(make_node, origin, held):
    bed = bed_of(make_node, origin, {"wait": CONNECT + 's:settimeout(60000) return s:receive(), "old"'})
    got = []
    waiting = threading.Thread(target=lambda: got.append(bed.run("wait", held.port)))
    waiting.start()
    eventually(lambda: held.n_open == 1, "the plugin waits")
    bed.node.make("/custom-plugins/net", {"handler": HANDLER.format(functions=functions({"wait": 'return "new"'}), phase="access")}, "PATCH")
    bed.node.wait_settled()
    eventually(lambda: bed.run("wait") == "new", "the new one serves")
    assert not got
    held.go.set()
    waiting.join(20 * SLOW)
    assert got == ["late|old"]


def test_tls_is_verified_by_authority_and_name_when_asked(make_node, origin, tmp_path):
    authority, stranger = Authority(tmp_path / "ours"), Authority(tmp_path / "strange")
    names = []

    def peer_of(pair):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        context.sni_callback = lambda _connection, name, _context: names.append(name)
        return TcpPeer(echo_lines, wrap=lambda c: context.wrap_socket(c, server_side=True))

    good, bad = peer_of(authority.issue("peer.test")), peer_of(stranger.issue("peer.test"))
    plain = TcpPeer(lambda c: c.sendall(b"not TLS at all\r\n" * 4))
    rest = ' if not ok then return ok, err, s:send("x") end s:send("x\\n") return ok, s:receive(), s:setkeepalive(10000, 10)'
    bed = bed_of(make_node, origin, {
        "verified": CONNECT + 'local ok, err = s:sslhandshake(nil, "peer.test", true)' + rest,
        "othername": CONNECT + 'local ok, err = s:sslhandshake(nil, "other.test", true)' + rest,
        "unverified": CONNECT + 'local ok, err = s:sslhandshake(nil, "peer.test", false)' + rest,
    }, lua_ssl_trusted_certificate=authority.cert)
    for _ in range(2):
        assert bed.run("verified", good.port) == "true|x|1"
    assert good.n_accepted == 1, "the second is from the pool"
    assert names == ["peer.test"]
    for name, peer in (("verified", bad), ("verified", plain), ("othername", bad), ("unverified", plain)):
        text = bed.run(name, peer.port).split("|")
        assert text[0] == "nil" and text[1] not in ("nil", "timeout", "") and text[2:] == ["nil", "closed"], (name, text)
    assert bed.run("unverified", bad.port) == "true|x|1"
    assert bed.run("verified", bad.port).startswith("nil|the certificate was not verified")


def test_a_verified_connection_for_one_name_is_not_used_for_another(make_node, origin, tmp_path):
    authority = Authority(tmp_path / "ours")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("peer.test"))
    peer = TcpPeer(echo_lines, wrap=lambda c: context.wrap_socket(c, server_side=True))
    shake = 'local ok, err = s:sslhandshake(nil, kong.request.get_header("x-name"), true) if not ok then return ok, err end return ok, s:setkeepalive()'
    bed = bed_of(make_node, origin, {"go": CONNECT + shake}, lua_ssl_trusted_certificate=authority.cert)

    def go(name):
        return bed.node.get("/r", headers={"x-run": "go", "x-port": str(peer.port), "x-name": name}).text

    assert go("peer.test") == "true|1"
    assert go("other.test").startswith("nil|")
    assert go("peer.test") == "true|1"
