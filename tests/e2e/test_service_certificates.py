"""kong.service.set_tls_*: client certificates, authorities and verification that plugins choose per request."""
import re
import socket
import ssl
import threading
from pathlib import Path

import pytest
from node import eventually, free_port
from origin import Origin, reply
from tls_origin import Authority, TlsOrigin

SCHEMA = """
return { name = "tls", fields = { { config = { type = "record", fields = {
  { cert = { type = "string" } }, { key = { type = "string" } }, { ca = { type = "string" } },
  { verify = { type = "boolean" } }, { depth = { type = "integer" } } } } } } }
"""
HANDLER = """
local P = { PRIORITY = 10, VERSION = "1" }
function P:access(conf)
  local service = kong.service
  if conf.cert then assert(service.set_tls_cert_key(conf.cert, conf.key)) end
  if conf.ca then assert(service.set_tls_verify_store(conf.ca)) end
  if type(conf.verify) == "boolean" then service.set_tls_verify(conf.verify) end
  if conf.depth then service.set_tls_verify_depth(conf.depth) end
end
return P
"""


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def node(make_node, authority, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 tls.test other.test\n")
    node = make_node(workers="1", untrusted_lua="lax", dns_hostsfile=str(hosts), lua_ssl_trusted_certificate=authority.cert)
    node.start()
    node.plugin("tls", HANDLER, SCHEMA)
    node.wait_plugin("tls")
    return node


def serve(node, port, name, config, **service):
    node.make("/services", {"name": f"s-{name}", "protocol": "https", "host": "tls.test", "port": port, "retries": 0,
                            **service})
    node.make(f"/services/s-{name}/routes", {"name": name, "paths": [f"/{name}"], "protocols": ["http"]})
    if config is not None:
        node.make(f"/routes/{name}/plugins", {"name": "tls", "config": config})


def pem(pair):
    cert, key = (Path(path).read_text() for path in pair)
    return {"cert": cert, "key": key}


def failures(node):
    return [line for line in node.log().splitlines() if "upstream failed" in line]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_service_that_wants_a_certificate_gets_the_plugins(node, authority, tmp_path, version):
    origin = TlsOrigin(authority.issue("tls.test"), version=version, client_ca=authority.cert)
    serve(node, origin.port, "right", pem(authority.issue("gateway.test")))
    serve(node, origin.port, "none", None)
    serve(node, origin.port, "stranger", pem(Authority(tmp_path / "stranger").issue("gateway.test")))
    node.wait_settled()
    for _ in range(3):
        assert node.get("/right").status_code == 200, node.log()[-2000:]
        assert node.get("/none").status_code == 502
        assert node.get("/stranger").status_code == 502
    assert origin.clients == ["gateway.test"]
    words = " ".join(failures(node))
    assert re.search("certificate required|handshake failure", words) and re.search("unknown ca", words), words


def test_a_certificate_is_shown_with_its_chain(node, authority, tmp_path):
    middle = Authority(tmp_path / "middle", authority)
    origin = TlsOrigin(authority.issue("tls.test"), client_ca=authority.cert)
    whole = pem(middle.issue("gateway.test"))
    serve(node, origin.port, "whole", whole)
    end = whole["cert"].index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----\n")
    serve(node, origin.port, "leaf", {**whole, "cert": whole["cert"][:end]})
    node.wait_settled()
    assert node.get("/whole").status_code == 200, node.log()[-2000:]
    assert node.get("/leaf").status_code == 502
    assert origin.clients == ["gateway.test"]


def test_connections_and_sessions_of_one_certificate_never_serve_another(node, authority):
    origin = TlsOrigin(authority.issue("tls.test"), client_ca=authority.cert)
    serve(node, origin.port, "a", pem(authority.issue("a.test")))
    serve(node, origin.port, "b", pem(authority.issue("b.test")))
    serve(node, origin.port, "none", None)
    node.wait_settled()

    def rounds(n):
        for _ in range(n):
            assert node.get("/a").status_code == node.get("/b").status_code == 200, node.log()[-2000:]
            assert node.get("/none").status_code == 502
    rounds(4)
    assert origin.clients == ["a.test", "b.test"]
    origin.behave = lambda _request: reply(b"{}", headers=["Connection: close"])
    rounds(3)  # the first one ends the kept connections
    assert origin.clients == ["a.test", "b.test"] * 3 and origin.reused == [False] * 2 + [True] * 4


def test_two_certificates_of_one_name_and_two_keys_are_told_apart(node, authority, tmp_path):
    """What counts is the certificate, not what it says."""
    other = Authority(tmp_path / "other")
    origin = TlsOrigin(authority.issue("tls.test"), client_ca=authority.cert)
    serve(node, origin.port, "good", pem(authority.issue("gateway.test")))
    serve(node, origin.port, "twin", pem(other.issue("gateway.test")))
    node.wait_settled()
    for _ in range(2):
        assert node.get("/good").status_code == 200
        assert node.get("/twin").status_code == 502


def test_a_plugin_overrides_whether_the_service_is_verified(node, authority, tmp_path):
    origin = TlsOrigin(Authority(tmp_path / "stranger").issue("tls.test"))
    serve(node, origin.port, "on", {"verify": True})
    serve(node, origin.port, "off", {"verify": False}, tls_verify=True)
    serve(node, origin.port, "same", {}, tls_verify=True)
    node.wait_settled()
    for _ in range(3):
        assert node.get("/off").status_code == 200, node.log()[-2000:]
        assert node.get("/on").status_code == 502
        assert node.get("/same").status_code == 502
    assert "issuer certificate" in failures(node)[-1]


def test_a_plugins_authorities_replace_the_configured_ones(node, authority, tmp_path):
    private = Authority(tmp_path / "private")
    store = Path(private.cert).read_text()
    inside, outside = TlsOrigin(private.issue("tls.test")), TlsOrigin(authority.issue("tls.test"))
    for name, config in (("own", {"ca": store, "verify": True}), ("configured", {"verify": True})):
        serve(node, inside.port, f"{name}-inside", config)
        serve(node, outside.port, f"{name}-outside", config)
    serve(node, inside.port, "both", {"ca": store + Path(authority.cert).read_text(), "verify": True})
    node.wait_settled()
    for _ in range(2):
        got = {name: node.get("/" + name).status_code for name in
               ("own-inside", "own-outside", "configured-inside", "configured-outside", "both")}
        assert got == {"own-inside": 200, "own-outside": 502, "configured-inside": 502, "configured-outside": 200,
                       "both": 200}, node.log()[-2000:]


def test_a_chain_may_be_as_long_as_the_depth_says(node, authority, tmp_path):
    """tls_verify_depth counts intermediate certificates; a plugin's depth replaces the service's."""
    first = Authority(tmp_path / "first", authority)
    second = Authority(tmp_path / "second", first)
    second.chain += first.chain
    origins = [TlsOrigin(a.issue("tls.test")) for a in (authority, first, second)]
    want = {}
    for length, origin in enumerate(origins):
        for depth in (0, 1, 2):
            serve(node, origin.port, f"s{length}{depth}", None, tls_verify=True, tls_verify_depth=depth)
            serve(node, origin.port, f"p{length}{depth}", {"depth": depth}, tls_verify=True,
                  tls_verify_depth=2 - depth)
            want[f"s{length}{depth}"] = want[f"p{length}{depth}"] = 200 if length <= depth else 502
        serve(node, origin.port, f"u{length}", None, tls_verify=True)
        want[f"u{length}"] = 200
    node.wait_settled()
    for _ in range(2):
        assert {name: node.get("/" + name).status_code for name in want} == want, node.log()[-2000:]
    assert "certificate chain too long" in node.log()


def test_a_service_that_does_not_send_its_chain_is_refused(node, authority, tmp_path):
    middle = Authority(tmp_path / "middle", authority)
    chain, middle.chain = middle.chain, ""
    origin = TlsOrigin(middle.issue("tls.test"))
    serve(node, origin.port, "refused", None, tls_verify=True)
    serve(node, origin.port, "given", {"ca": Path(authority.cert).read_text() + chain})
    node.wait_settled()
    assert node.get("/refused").status_code == 502
    assert node.get("/given").status_code == 200, node.log()[-2000:]


@pytest.mark.parametrize("part", ["second certificate", "store"])
def test_what_cannot_be_used_is_a_502_and_said_in_the_log(node, authority, part):
    origin = TlsOrigin(authority.issue("tls.test"))
    bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    pair = pem(authority.issue("gateway.test"))
    if part == "store":
        config = {"ca": Path(authority.cert).read_text() + bad}
    else:
        config = {"cert": pair["cert"] + bad, "key": pair["key"]}
    serve(node, origin.port, "r", config, retries=3)
    node.wait_settled()
    for _ in range(2):
        r = node.get("/r")
        assert r.status_code == 502 and r.json()["message"] == "An invalid response was received from the upstream server"
    assert ("trusted" if part == "store" else "client") + " certificate 2 of a plugin: " in failures(node)[-1]
    assert len(failures(node)) == 2 and not origin.open, "no try, no retry"


def test_many_certificates_do_not_fill_the_worker(node, authority):
    """More of them than are kept: the least used ones are made anew."""
    origin = TlsOrigin(authority.issue("tls.test"), lambda r: reply(b"{}", headers=["Connection: close"]),
                       client_ca=authority.cert)
    node.plugin("many", """
local P = { PRIORITY = 10, VERSION = "1" }
function P:access(conf)
  local chain = conf.cert .. string.rep("\\n", tonumber(kong.request.get_header("x-n")))
  assert(kong.service.set_tls_cert_key(chain, conf.key))
end
return P
""", SCHEMA.replace('"tls"', '"many"'))
    node.wait_plugin("many")
    serve(node, origin.port, "r", None)
    node.make("/routes/r/plugins", {"name": "many", "config": pem(authority.issue("gateway.test"))})
    node.wait_settled()
    for n in [*range(150), *range(0, 150, 30)]:
        assert node.get("/r", headers={"x-n": str(n)}).status_code == 200, node.log()[-2000:]
    assert set(origin.clients) == {"gateway.test"} and len(origin.clients) == 155


RETRY = """
local P = { PRIORITY = 10, VERSION = "1" }
function P:access(conf)
  local to = kong.request.get_header("x-to")
  kong.service.set_target_retry_callback(function()
    if to == "plain" then kong.service.request.disable_tls() return "127.0.0.1", %d end
    assert(kong.service.set_tls_cert_key(conf.cert, conf.key))
    kong.service.set_tls_verify(to == "verified")
    return "tls.test", %d
  end)
end
return P
"""


def test_a_retry_may_go_to_another_scheme_target_and_certificate(node, authority):
    plain, tls = Origin(), TlsOrigin(authority.issue("other.test"), client_ca=authority.cert)
    node.plugin("retry", RETRY % (plain.port, tls.port), SCHEMA.replace('"tls"', '"retry"'))
    node.wait_plugin("retry")
    serve(node, free_port(), "r", None, retries=2)
    node.make("/routes/r/plugins", {"name": "retry", "config": pem(authority.issue("gateway.test"))})
    node.wait_settled()
    for _ in range(2):
        assert node.get("/r", headers={"x-to": "plain"}).status_code == 200, node.log()[-3000:]
        assert node.get("/r", headers={"x-to": "tls"}).status_code == 200, node.log()[-3000:]
        assert node.get("/r", headers={"x-to": "verified"}).status_code == 502
    assert len(plain.requests) == 2 and tls.clients == ["gateway.test"]
    assert "hostname mismatch" in failures(node)[-1]


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def switcher(pair, talk):
    """The port of an origin over TLS that answers every request with a switch and then talks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve_one(c):
        try:
            with context.wrap_socket(c, server_side=True) as c:
                got = b""
                while b"\r\n\r\n" not in got:
                    got += c.recv(65536)
                c.sendall(SWITCH)
                talk(c, got.split(b"\r\n\r\n", 1)[1])
        except OSError:
            pass

    def accept():
        while True:
            threading.Thread(target=serve_one, args=(listener.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def ask(node):
    s = socket.create_connection(("127.0.0.1", node.proxy_port), timeout=20)
    s.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly")
    got = b""
    while b"\r\n\r\n" not in got:
        chunk = s.recv(65536)
        assert chunk, got
        got += chunk
    head, rest = got.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 101"), head
    return s, rest


def exactly(s, n, data=b""):
    while len(data) < n:
        chunk = s.recv(65536)
        assert chunk, f"ended after {len(data)} of {n}"
        data += chunk
    return data


def echo(c, data):
    data = data or c.recv(65536)
    while data:
        c.sendall(data)
        data = c.recv(65536)


def test_an_upgrade_passes_through_tls(node, authority):
    serve(node, switcher(authority.issue("tls.test"), echo), "ws", None, tls_verify=True)
    node.wait_settled()
    s, rest = ask(node)
    assert exactly(s, 5, rest) == b"early"
    for i in range(50):
        s.sendall(b"frame %02d" % i)
        assert exactly(s, 8) == b"frame %02d" % i
    big = bytes(range(256)) * 8192
    sender = threading.Thread(target=s.sendall, args=(big,))
    sender.start()
    assert exactly(s, len(big)) == big
    sender.join()
    s.close()
    eventually(lambda: node.get("/ws").status_code == 502, "the worker goes on")


def test_a_service_that_ends_an_upgraded_tls_connection_ends_the_client(node, authority):
    def talk(c, _early):
        c.sendall(b"bye")
        c.unwrap()
    serve(node, switcher(authority.issue("tls.test"), talk), "ws", None)
    node.wait_settled()
    s, rest = ask(node)
    assert exactly(s, 3, rest) == b"bye"
    assert s.recv(1) == b""
    s.close()


def test_a_client_that_ends_first_still_hears_the_service_over_tls(node, authority):
    def talk(c, data):
        while chunk := c.recv(65536):
            data += chunk
        c.sendall(b"%d bytes" % len(data))
    serve(node, switcher(authority.issue("tls.test"), talk), "ws", None)
    node.wait_settled()
    s, rest = ask(node)
    s.sendall(bytes(100000))
    s.shutdown(socket.SHUT_WR)
    want = b"%d bytes" % (100000 + len(b"early"))
    assert exactly(s, len(want), rest) == want
    assert s.recv(1) == b""
    s.close()


def test_a_service_without_a_certificate_shows_that_of_its_upstream(node, authority):
    origin = TlsOrigin(authority.issue("tls.test"), client_ca=authority.cert)
    of_upstream, of_service = (node.make("/certificates", pem(authority.issue(f"{name}.test"))) for name in ("upstream", "service"))
    node.make("/upstreams", {"name": "up.test", "host_header": "tls.test", "client_certificate": {"id": of_upstream["id"]}})
    node.make("/upstreams/up.test/targets", {"target": f"127.0.0.1:{origin.port}"})
    serve(node, origin.port, "bare", None)
    serve(node, origin.port, "own", None, client_certificate={"id": of_service["id"]})
    for name in ("bare", "own"):
        assert node.admin("PATCH", f"/services/s-{name}", {"host": "up.test"}).status_code == 200
    node.wait_settled()
    assert node.get("/bare").status_code == 200, node.log()[-2000:]
    assert node.get("/own").status_code == 200
    assert origin.clients == ["upstream.test", "service.test"]
    assert node.admin("PATCH", "/upstreams/up.test", {"client_certificate": None}).status_code == 200
    node.wait_settled()
    assert node.get("/bare").status_code == 502, "a change counts at once"
