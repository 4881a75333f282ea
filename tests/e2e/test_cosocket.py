"""untrusted_lua: lax: sockets of plugins, against real peers on loopback."""
import concurrent.futures
import json
import os
import signal
import socket
import struct
import threading
import time

import pytest
from node import SLOW, eventually
from origin import Origin
from peers import TcpPeer, UdpPeer, echo_lines
from ports import free_port

# A plugin that runs the Lua of the request's body in its own functions: name → code.
HANDLER = """
local cjson = require "cjson.safe"
local P = {{ PRIORITY = 10, VERSION = "1" }}
local function show(...)
  local out = {{}}
  for i = 1, select("#", ...) do
    out[i] = tostring((select(i, ...)))
  end
  return table.concat(out, "|")
end
local run = {{}}
{functions}
function P:{phase}(conf)
  local name = kong.request.get_header("x-run")
  if not name then return end
  local text = show(run[name](tonumber(kong.request.get_header("x-port") or 0)))
  kong.response.exit(200, text)
end
return P
"""


def functions(cases):
    return "\n".join(f"run.{name} = function(port)\n{code}\nend" for name, code in cases.items())


class Bed:
    def __init__(self, node, origin, cases, phase="access"):
        self.node, self.origin = node, origin
        node.start()
        node.route_to(origin)
        node.plugin("net", HANDLER.format(functions=functions(cases), phase=phase))
        node.wait_plugin("net")
        node.make("/plugins", {"name": "net"})
        node.wait_settled()

    def run(self, name, port=0, **kw):
        r = self.node.get("/r", headers={"x-run": name, "x-port": str(port)}, **kw)
        assert r.status_code == 200, (r.status_code, r.text, self.node.log()[-2000:])
        return r.text


@pytest.fixture(name="origin")
def origin_fixture():
    o = Origin()
    yield o
    o.close()


CONNECT = 'local s = ngx.socket.tcp() s:settimeouts(1000, 1000, 400) local ok, err = s:connect("127.0.0.1", port) if not ok then return ok, err end '


def bed_of(make_node, origin, cases, **conf):
    return Bed(make_node(**{"workers": "1", "untrusted_lua": "lax", "plugin_egress": "any,127.0.0.0/8", **conf}), origin, cases)


def test_a_stream_socket_gives_what_openresty_gives(make_node, origin):
    bed = bed_of(make_node, origin, {
        "line": CONNECT + 'local n = s:send({ "he", { "l", "lo" }, 1, "\\r\\n" }) return n, s:receive(), s:close()',
        "bytes": CONNECT + 's:send("abcdef\\n") return s:receive(3), s:receive(5), s:close()',
        "any": CONNECT + 's:send("abcdef\\n") return s:receiveany(4), s:receiveany(100)',
        "upto": CONNECT + 's:send("one--two--three\\n") local r = s:receiveuntil("--") return r(), r(), (s:receive("*l"))',
        "pieces": CONNECT + 's:send("abcde--x\\n") local r = s:receiveuntil("--") return r(2), r(2), r(2), tostring(r(2))',
        "inclusive": CONNECT + 's:send("ab--x\\n") return s:receiveuntil("--", { inclusive = true })()',
        "timeout": CONNECT + 's:send("part") return s:receive()',
        "partial": CONNECT + 's:send("abc\\n") return s:receive(100)',
        "closed": CONNECT + 's:close() return s:receive()',
        "unread": CONNECT + 's:send("a\\nb\\n") s:receive() ngx.sleep(0.1) return s:receive(1), s:setkeepalive()',
        "stream": 'local s = ngx.socket.stream() return s:connect("127.0.0.1", port)',
        "short": 'local s, err = ngx.socket.connect("127.0.0.1", port) s:send("x\\n") return err, s:receive()',
        "refused": CONNECT,
        "badname": 'local s = ngx.socket.tcp() return s:connect("no.such.name.invalid", port)',
        "badport": 'return pcall(function() ngx.socket.tcp():connect("127.0.0.1", "x") end)',
        "again": CONNECT + 's:send("x\\n") local first = s:receive() assert(s:connect("127.0.0.1", port)) s:send("y\\n") return first, s:receive()',
    })
    peer = TcpPeer(echo_lines)
    assert bed.run("line", peer.port) == "8|hello1|1"
    assert bed.run("bytes", peer.port) == "abc|def\r\n|1"
    assert bed.run("any", peer.port) == "abcd|ef\r\n"
    assert bed.run("upto", peer.port) == "one|two|three"
    assert bed.run("pieces", peer.port) == "ab|cd|e|nil"
    assert bed.run("inclusive", peer.port) == "ab--"
    assert bed.run("timeout", peer.port) == "nil|timeout|"
    assert bed.run("partial", peer.port) == "nil|timeout|abc\r\n"
    assert bed.run("closed", peer.port) == "nil|closed|"
    assert bed.run("unread", peer.port) == "b|nil|unread data in buffer"
    assert bed.run("stream", peer.port) == "1"
    assert bed.run("short", peer.port) == "nil|x"
    assert bed.run("refused", free_port()) == "nil|connection refused"
    assert bed.run("badname", 80).startswith("nil|no.such.name.invalid could not be resolved")
    assert bed.run("badport", 80) == "false|handler.lua:" + bed.run("badport", 80).split(":", 1)[1]
    assert "bad port number: x" in bed.run("badport", 80)
    assert bed.run("again", peer.port) == "x|y"
