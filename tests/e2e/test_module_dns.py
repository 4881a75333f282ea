"""resty.dns.resolver: against name servers of the test's own, some of which lie."""
import socket
import struct
import threading
import time

import pytest
from origin import Origin
from ports import free_port
from test_cosocket import bed_of
from test_upstream_names import NameServer

NEW = """
local resolver = require "resty.dns.resolver"
local function new(o)
  o = o or {}
  o.nameservers = o.nameservers or { { "127.0.0.1", port } }
  o.timeout, o.retrans = o.timeout or 300, o.retrans or 1
  return assert(resolver:new(o))
end
"""


@pytest.fixture(name="origin")
def origin_fixture():
    o = Origin()
    yield o
    o.close()


def name(text):
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".") if part) + b"\0"


def record(kind, data, ttl=60, owner=b"\xc0\x0c", cls=1):
    return owner + struct.pack("!HHIH", kind, cls, ttl, len(data)) + data


def response(query, answers=(), authority=(), additional=(), flags=0x8180):
    return (query[:2] + struct.pack("!HHHHH", flags, 1, len(answers), len(authority), len(additional)) + query[12:]
            + b"".join((*answers, *authority, *additional)))


class Dns:
    """answer(query) → datagrams; by_tcp(query) → bytes behind the length, or all bytes if it is a tuple."""

    def __init__(self, answer, by_tcp=None):
        self.answer, self.by_tcp, self.asked, self.ids = answer, by_tcp, [], []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.port = free_port()
        self.udp.bind(("127.0.0.1", self.port))
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def serve_udp(self):
        while True:
            query, who = self.udp.recvfrom(4096)
            self.asked.append("udp")
            self.ids.append(query[:2])
            for datagram in self.answer(query):
                self.udp.sendto(datagram, who)

    def serve_tcp(self):
        while True:
            connection, _ = self.tcp.accept()
            with connection:
                size = struct.unpack("!H", connection.recv(2))[0]
                back = self.by_tcp(connection.recv(size))
                self.asked.append("tcp")
                connection.sendall(back[0] if isinstance(back, tuple) else struct.pack("!H", len(back)) + back)


KINDS = {
    1: [record(5, name("b.test")), record(1, b"\x7f\0\0\x02", ttl=7, owner=name("b.test"))],
    2: [record(2, name("ns.test"))],
    6: [record(6, name("ns.test") + name("root.test") + struct.pack("!5I", 2024010101, 2, 3, 4, 0xffffffff))],
    12: [record(12, name("host.test"))],
    15: [record(15, b"\0\x05" + b"\4mail\xc0\x0c")],
    16: [record(16, b"\3one"), record(16, b"\3one\3two")],
    28: [record(28, bytes.fromhex("20010db8000000000000000000000001"))],
    33: [record(33, struct.pack("!3H", 1, 2, 8080) + name("srv.test"))],
    99: [record(99, b"\6v=spf1")],
    257: [record(257, b"raw", ttl=0x80000000, cls=3)],
}


def by_kind(query):
    kind = struct.unpack("!H", query[-4:-2])[0]
    return [response(query, KINDS[kind], [record(2, name("auth.test"))], [record(1, b"\1\2\3\4")])]


def test_records_are_what_openresty_gives(make_node, origin):
    bed = bed_of(make_node, origin, {
        "a": NEW + """
local a = new():query("a.test")
return #a, a[1].name, a[1].type, a[1].class, a[1].ttl, a[1].section, a[1].cname, a[2].name, a[2].address, a[2].ttl""",
        "kinds": NEW + """
local r = new()
local function one(kind) return r:query("a.test", { qtype = kind })[1] end
local mx, srv, txt = one(r.TYPE_MX), one(r.TYPE_SRV), r:query("a.test", { qtype = r.TYPE_TXT })
return one(r.TYPE_NS).nsdname, one(r.TYPE_PTR).ptrdname, mx.preference, mx.exchange, srv.priority, srv.weight, srv.port,
  srv.target, txt[1].txt, table.concat(txt[2].txt, "+"), one(r.TYPE_AAAA).address, one(r.TYPE_SPF).spf""",
        "raw": NEW + 'local a = new():query("a.test", { qtype = 257 })[1] return a.rdata, a.class, a.ttl',
        "soa": NEW + """
local a = new():query("a.test", { qtype = resolver.TYPE_SOA })
local s = a[1]
return #a, s.mname, s.rname, s.serial, s.refresh, s.retry, s.expire, s.minimum, a[2].section""",
        "sections": NEW + """
local r = new()
local both = r:query("a.test", { additional_section = true, authority_section = true })
local last = r:query("a.test", { additional_section = true })
return #both, both[3].nsdname, both[3].section == r.SECTION_NS, both[4].address, both[4].section == r.SECTION_AR, #last, last[3].address""",
        "reverse": NEW + 'return new():reverse_query("127.0.0.1")[1].ptrdname, resolver.arpa_str("FF01::101")',
        "error": NEW + 'local a = new():query("a.test") return #a, a.errcode, a.errstr',
        "bad": NEW + 'return new():query("a..test")',
        "options": NEW + """
return select(2, resolver:new()), select(2, resolver:new{ nameservers = {} }), select(2, new():query(nil)),
  select(2, (function(r) r:destroy() return r:query("a.test") end)(new()))""",
        "tries": NEW + 'local t = {} local a, err = new{ retrans = 2, timeout = 100 }:query("a.test", nil, t) return a, err, #t, t[1] == t[2]',
        "patient": NEW + 'local r = new{ timeout = 20 } r:set_timeout(3000) return r:query("a.test")[1].cname',
    })
    server = Dns(by_kind)
    assert bed.run("a", server.port) == "2|a.test|5|1|60|1|b.test|b.test|127.0.0.2|7"
    assert bed.run("kinds", server.port) == (
        "ns.test|host.test|5|mail.a.test|1|2|8080|srv.test|one|one+two|2001:db8:0:0:0:0:0:1|v=spf1")
    assert bed.run("raw", server.port) == "raw|3|0"
    assert bed.run("soa", server.port) == "2|ns.test|root.test|2024010101|2|3|4|4294967295|2"
    assert bed.run("sections", server.port) == "4|auth.test|true|1.2.3.4|true|3|1.2.3.4"
    assert bed.run("reverse", server.port) == (
        "host.test|1.0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.F.F.ip6.arpa")
    assert bed.run("error", Dns(lambda q: [response(q, flags=0x8183)]).port) == "0|3|name error"
    assert bed.run("bad", server.port) == "nil|bad name|nil"
    assert bed.run("options", server.port) == "no options table specified|no nameservers specified|bad name|not initialized|nil"
    text = bed.run("tries", Dns(lambda q: []).port)
    assert text.startswith("nil|failed to receive reply from UDP server 127.0.0.1:") and text.endswith(": timeout|2|true")

    def late(query):
        time.sleep(0.2)
        return by_kind(query)
    assert bed.run("patient", Dns(late).port) == "b.test"


def test_what_is_forged_is_left_aside_and_ids_cannot_be_guessed(make_node, origin):
    bed = bed_of(make_node, origin, {
        "one": NEW + 'local a, err = new():query("a.test") return a and a[1].address, err',
        "many": NEW + 'local r, n = new(), 0 for _ = 1, 40 do n = n + #r:query("a.test") end return n',
    })

    def wrong_id(query):
        return bytes([query[0] ^ 1]) + query[1:]

    def right(query, address=b"\1\1\1\1"):
        return response(query, [record(1, address)])

    other = struct.pack("!HHHHHH", 0, 0x100, 1, 0, 0, 0) + name("b.test") + b"\0\1\0\1"
    lies = [lambda q: wrong_id(right(q, b"\6\6\6\6")), lambda q: right(q[:2] + other[2:], b"\6\6\6\6"), lambda q: b"x", lambda q: b""]
    for n, lie in enumerate(lies):
        assert (n, bed.run("one", Dns(lambda q, lie=lie: [lie(q), right(q)]).port)) == (n, "1.1.1.1|nil")
        text = bed.run("one", Dns(lambda q, lie=lie: [lie(q)] * 3).port)
        assert text.startswith("nil|failed to receive reply") and text.endswith("timeout"), text
    assert bed.run("one", Dns(lambda q: [b"x"] * 1000).port) == "nil|id mismatch"
    server = Dns(lambda q: [right(q)])
    assert bed.run("many", server.port) == "40"
    ids = [int.from_bytes(i, "big") for i in server.ids]
    assert len(set(ids)) > 35 and len({b - a for a, b in zip(ids, ids[1:])}) > 35
    upper = Dns(lambda q: [response(q[:12] + q[12:].replace(b"test", b"TEST"), [record(1, b"\1\1\1\1")])])
    assert bed.run("one", upper.port) == "1.1.1.1|nil"


def test_answers_that_do_not_fit_come_by_tcp(make_node, origin):
    bed = bed_of(make_node, origin, {
        "udp": NEW + 'local a, err = new():query("a.test") return a and #a, err',
        "tcp": NEW + 'local a, err = new():tcp_query("a.test") return a and #a, err',
    })

    def short(query):
        return [response(query, flags=0x8380)]

    def long(query):
        return response(query, [record(1, b"\1\1\1\1")] * 2000)
    server = Dns(short, long)
    assert bed.run("udp", server.port) == "2000|nil" and server.asked == ["udp", "tcp"]
    assert bed.run("tcp", server.port) == "2000|nil" and server.asked[2:] == ["tcp"]
    for by_tcp, want in (
        (lambda q: long(b"zz" + q[2:]), "id mismatch"),
        (lambda q: response(q, flags=0x8380), "truncated"),
        (lambda q: (b"\1",), "failed to receive the reply length field from TCP server 127.0.0.1:{port}: closed"),
        (lambda q: (b"\xff\xffx",), "failed to receive the reply message body from TCP server 127.0.0.1:{port}: closed"),
        (lambda q: (b"\0\0",), "id mismatch"),
    ):
        server = Dns(short, by_tcp)
        assert bed.run("tcp", server.port) == "nil|" + want.format(port=server.port)


def test_malformed_answers_have_a_name_and_the_next_server_is_asked(make_node, origin):
    bed = bed_of(make_node, origin, {
        "one": NEW + 'local a, err = new():query("a.test", { additional_section = true }) return a and #a, err',
        "two": NEW + """
local r = new{ retrans = 2, no_random = true, nameservers = { { "127.0.0.1", tonumber(kong.request.get_header("x-bad")) }, { "127.0.0.1", port } } }
local seen = {}
for i = 1, 4 do seen[i] = r:query("a.test")[1].address end
return unpack(seen)""",
    })
    for back, want in {
        (lambda q: response(q, [b"\xc0\x1a\xc0\x18"])): "bad name in the DNS response",
        (lambda q: response(q, [record(1, b"\1\2\3")])): "bad A record value length: 3",
        (lambda q: response(q, [record(1, b"\1\2\3\4")[:-1]])): "truncated",
        (lambda q: response(q, [], [], [record(28, b"\1")])): "bad AAAA record value length: 1",
        (lambda q: response(q, flags=0x0100)): "bad QR flag in the DNS response",
        (lambda q: response(q)[:4] + b"\0\2" + response(q)[6:]): "bad number of questions in DNS response: 2",
    }.items():
        assert bed.run("one", Dns(lambda q, back=back: [back(q)], back).port) == "nil|" + want
    bad = Dns(lambda q: [response(q, [b"\xc0\x18"])])
    good = Dns(lambda q: [response(q, [record(1, b"\1\1\1\1")])])
    r = bed.node.get("/r", headers={"x-run": "two", "x-port": str(good.port), "x-bad": str(bad.port)})
    assert r.text == "1.1.1.1|1.1.1.1|1.1.1.1|1.1.1.1" and len(bad.asked) == 4 and len(good.asked) == 4


def test_the_nodes_own_servers_are_open_and_no_other_local_address(make_node, origin):
    own, other = NameServer({"a.test": ["127.0.0.9"]}), NameServer({"a.test": ["127.0.0.8"]})
    cases = {
        "own": 'local r, err = require("resty.dns.resolver"):new{ retrans = 1 } return r and r:query("a.test")[1].address, err',
        "named": NEW + 'return resolver:new{ nameservers = { { kong.request.get_header("x-host"), port } } }',
        "other": 'local s = ngx.socket.tcp() return s:connect("127.0.0.1", port)',
    }
    own_port, other_port = (int(s.address.rsplit(":", 1)[1]) for s in (own, other))
    bed = bed_of(make_node, origin, cases, plugin_egress="any", dns_resolver=own.address)

    def named(host, port):
        return bed.node.get("/r", headers={"x-run": "named", "x-host": host, "x-port": str(port)}).text
    assert bed.run("own") == "127.0.0.9|nil"
    assert named("127.0.0.1", own_port).startswith("table:")
    for host, port in (("127.0.0.1", other_port), ("127.0.0.2", own_port), ("169.254.169.254", 53)):
        assert named(host, port) == f"nil|failed to set peer name: egress to {host}:{port} denied by plugin_egress"
    assert not other.asked
    bed.node.stop()
    for closed in ("off", "192.0.2.0/24"):
        bed.node.conf["plugin_egress"] = closed
        bed.node.start()
        bed.node.wait_settled()
        assert "denied by plugin_egress" in bed.run("own")
        bed.node.stop()


def test_kong_dns_finds_names_as_the_node_does(make_node, origin, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.5 machine.lan\n")
    server = NameServer({"web.corp.test": ["127.0.0.9"], "web.test": ["127.0.0.8", "127.0.0.7"], "silent.test": None}, ttl=60)
    bed = bed_of(make_node, origin, {
        "toip": 'return kong.dns.toip("machine.lan", 80)',
        "search": 'local a = kong.dns.toip("web") return a, kong.dns.toip("web", "81")',
        "literal": 'return kong.dns.toip("192.0.2.1", 1)',
        "none": 'return kong.dns.toip("none.test", 1)',
        "resolve": 'local l = kong.dns.resolve("web.test") return #l, l[1].address, l[2].ttl, kong.dns.resolve("none.test")',
        "many": 'local out = {} for i = 1, 100 do out[i] = kong.dns.toip("web.test") end return #out, #out == 100 and out[1] ~= out[2]',
    }, plugin_egress="any", dns_resolver=server.address, dns_search="corp.test", dns_hostsfile=str(hosts), dns_timeout_ms="500", plugin_limits_cpu_ms="200")
    assert bed.run("toip") == "127.0.0.5|80"
    assert bed.run("search") == "127.0.0.9|127.0.0.9|81"
    assert server.asked.count(("web.corp.test", 1)) == 1, "what is known is not asked again"
    assert bed.run("literal") == "192.0.2.1|1"
    assert bed.run("none") == "nil|none.test could not be resolved (3: Host not found)"
    assert bed.run("resolve") == "2|127.0.0.8|60|nil|dns server error: 3 name error"
    assert bed.run("many") == "100|true"


def test_the_nodes_own_look_ups_believe_no_forged_answer(make_node, origin):
    """Answers with wrong ids come before the right one."""
    def answer(query):
        kind = struct.unpack("!H", query[-4:-2])[0]
        evil = response(query, [record(1, b"\x7f\0\0\x63")])
        right = response(query, [record(1, b"\x7f\0\0\1")] if kind == 1 else [])
        return [bytes([query[0] ^ 1]) + evil[1:], evil[:1] + bytes([query[1] ^ 1]) + evil[2:], right]
    server = Dns(answer)
    node = make_node(workers="1", dns_resolver=f"127.0.0.1:{server.port}", dns_timeout_ms="1000").start()
    node.make("/services", {"name": "s", "host": "web.test", "port": origin.port, "retries": 0})
    node.make("/services/s/routes", {"paths": ["/r"], "protocols": ["http"]})
    node.wait_settled()
    for _ in range(3):
        assert node.get("/r").status_code == 200, node.log()[-800:]
    assert len(set(server.ids)) == len(server.ids) >= 2
