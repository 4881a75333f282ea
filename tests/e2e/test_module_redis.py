"""resty.redis: against a server that speaks RESP on loopback."""
import pytest
from origin import Origin
from peers import TcpPeer
from ports import free_port
from test_cosocket import bed_of


@pytest.fixture(name="origin")
def origin_fixture():
    o = Origin()
    yield o
    o.close()


def bulk(value):
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


class Redis(TcpPeer):
    def __init__(self):
        self.data, self.seen = {}, []
        super().__init__(self.talk)

    def talk(self, connection):
        reader, queue = connection.makefile("rb"), None
        while line := reader.readline():
            words = []
            for _ in range(int(line[1:])):
                n = int(reader.readline()[1:])
                words.append(reader.read(n + 2)[:-2])
            name = words[0].decode().lower()
            self.seen.append(words)
            if name == "multi":
                queue = []
                connection.sendall(b"+OK\r\n")
            elif name == "exec":
                connection.sendall(b"*%d\r\n" % len(queue) + b"".join(queue))
                queue = None
            elif queue is not None:
                queue.append(self.answer(name, words[1:]))
                connection.sendall(b"+QUEUED\r\n")
            else:
                connection.sendall(self.answer(name, words[1:]))

    def answer(self, name, args):
        if name == "set":
            self.data[args[0]] = args[1]
            return b"+OK\r\n"
        if name == "get":
            return bulk(self.data.get(args[0]))
        if name == "incr":
            self.data[args[0]] = b"%d" % (int(self.data.get(args[0], b"0")) + 1)
            return b":" + self.data[args[0]] + b"\r\n"
        if name == "mget":
            return b"*%d\r\n" % len(args) + b"".join(bulk(self.data.get(a)) for a in args)
        if name == "auth":
            return b"+OK\r\n" if args[-1] == b"secret" else b"-WRONGPASS invalid\r\n"
        if name == "raw":
            return args[0]
        return b"+OK\r\n" if name in ("select", "hmset") else b"-ERR unknown command\r\n"


OPEN = 'local r = assert(require("resty.redis"):new()) r:set_timeouts(1000, 1000, 300) assert(r:connect("127.0.0.1", port)) '


def test_commands_pipelines_and_transactions(make_node, origin):
    bed = bed_of(make_node, origin, {
        "strings": OPEN + 'return r:set("k", "a\\r\\nb"), (r:GET("k")), r:get("none") == ngx.null, r:incr("n"), (r:Incr("n"))',
        "arrays": OPEN + 'local v = r:mget("k", "none", "n") return #v, v[1] == "a\\r\\nb", v[2] == ngx.null, v[3]',
        "errors": OPEN + 'return r:nosuch("x")',
        "pipeline": OPEN + """
r:init_pipeline() r:set("p", 1) r:nosuch() r:get("p")
local v = r:commit_pipeline()
return #v, v[1], v[2][1], v[2][2], v[3], (r:get("p"))""",
        "cancelled": OPEN + 'r:init_pipeline() r:set("p", 2) r:cancel_pipeline() return (r:get("p")), r:commit_pipeline()',
        "transaction": OPEN + """
local a, b = r:multi(), r:set("t", "1")
r:nosuch()
local v = r:exec()
return a, b, #v, v[1], v[2][1], v[2][2]""",
        "login": OPEN + 'local bad, err = r:auth("no") return bad, err, r:auth("user", "secret"), (r:select(3))',
        "fields": OPEN + 'local h = r:array_to_hash({ "a", "1", "b", "2" }) return r:hmset("h", { f = 1 }), h.a, h.b',
        "kept": OPEN + 'r:get("k") return r:get_reused_times(), r:set_keepalive(10000, 10)',
        "closed": OPEN + 'r:close() return r:get("k")',
        "subscribe": OPEN + 'return r:subscribe("news")',
        "refused": 'local r = require("resty.redis"):new() return r:connect("127.0.0.1", port)',
    })
    server = Redis()
    assert bed.run("strings", server.port) == "OK|a\r\nb|true|1|2"
    assert bed.run("arrays", server.port) == "3|true|true|2"
    assert bed.run("errors", server.port) == "false|ERR unknown command"
    assert bed.run("pipeline", server.port) == "3|OK|false|ERR unknown command|1|1"
    assert bed.run("cancelled", server.port) == "1|nil|no pipeline"
    assert bed.run("transaction", server.port) == "OK|QUEUED|2|OK|false|ERR unknown command"
    assert bed.run("login", server.port) == "false|WRONGPASS invalid|OK|OK"
    assert bed.run("fields", server.port) == "OK|1|2"
    assert [bed.run("kept", server.port) for _ in range(2)] == ["0|1", "1|1"]
    assert bed.run("closed", server.port) == "nil|closed"
    assert bed.run("subscribe", server.port).startswith("nil|subscribe is not supported: ")
    assert bed.run("refused", free_port()) == "nil|connection refused"


def test_a_server_that_misbehaves_costs_its_connection_only(make_node, origin):
    bed = bed_of(make_node, origin, {"raw": OPEN + """
local v, err = r:raw((kong.request.get_header("x-reply"):gsub("~", "\\r\\n")))
return v, err, (r:get("k"))"""})
    server = Redis()

    def raw(reply):
        r = bed.node.get("/r", headers={"x-run": "raw", "x-port": str(server.port), "x-reply": reply})
        assert r.status_code == 200, (reply, r.text)
        return r.text

    assert raw("+fine~").startswith("fine|nil|userdata")
    assert raw("?x~").startswith("nil|bad reply")
    assert raw("%1~") == 'nil|unknown prefix: "%"|nil'
    assert raw("$abc~").startswith("nil|bad reply")
    assert raw("$3~abcde~").startswith("nil|bad reply: a string without its end|nil")
    assert raw("$99999999999~x") == "nil|reply too large|nil"
    assert raw("*99999999999~") == "nil|reply too large|nil"
    assert raw("*1~" * 40) == "nil|reply too large|nil"
    assert raw("$5~ab") == "nil|timeout|nil"
    assert raw("*2~:1~") == "nil|timeout|nil"


def test_strict_plugins_are_told_that_there_are_no_sockets(make_node, origin):
    bed = bed_of(make_node, origin, {"new": 'local ok, r, err = pcall(function() return require("resty.redis"):new() end) return r, err'}, untrusted_lua="strict")
    assert "lax" in bed.run("new")
