"""TLS to clients: certificates by server name, changed in place; sessions; what hostile clients get."""
import json
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from node import BUILD, eventually, slow
from peers import TcpPeer, lines
from ports import free_port
from tls_origin import Authority, TlsOrigin


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca") / "authority")


def pem(pair):
    return {"cert": Path(pair[0]).read_text(), "key": Path(pair[1]).read_text()}


@pytest.fixture
def tls_node(make_node):
    def start(**conf):
        port = free_port()
        node = make_node(**conf)
        node.conf["proxy_listen"] += f", 127.0.0.1:{port} ssl"
        node.tls_port = port
        return node.start()
    return start


def connect(node, name="a.test", ca=None, context=None, session=None):
    """A TLS connection; with ca, the certificate must be that authority's and carry the name."""
    if context is None:
        context = ssl.create_default_context(cafile=ca)
        if ca is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
    raw = socket.create_connection(("127.0.0.1", node.tls_port), timeout=10 * slow())
    return context.wrap_socket(raw, server_hostname=name, session=session)


def ask(s, path="/r", host="a.test", extra=""):
    """One request on a connection that stays open: (status, headers and body)."""
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode())
    got = b""
    while b"\r\n\r\n" not in got:
        got += s.recv(65536) or pytest.fail(f"closed: {got!r}")
    head, body = got.split(b"\r\n\r\n", 1)
    length = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    while length and len(body) < length[0]:
        body += s.recv(65536) or pytest.fail("closed in the body")
    return int(head.split()[1]), (head + b"\r\n\r\n" + body).decode()


def subject(s):
    text = ssl.DER_cert_to_PEM_cert(s.getpeercert(binary_form=True))
    r = subprocess.run(["openssl", "x509", "-noout", "-subject", "-nameopt", "multiline"], input=text, text=True,
                       capture_output=True, check=True)
    return r.stdout.split("commonName")[1].split("=")[1].split("\n")[0].strip()


def test_without_a_certificate_the_node_shows_its_own_and_serves_https(tls_node, origin):
    node = tls_node()
    node.route_to(origin, protocols=["http", "https"])
    node.wait_settled()
    with connect(node) as s:
        assert subject(s) == "localhost" and s.selected_alpn_protocol() is None and s.version() == "TLSv1.3"
        assert ask(s)[0] == 200
        assert ask(s)[0] == 200  # and again on the same connection
    key = Path(node.prefix / "ssl/default.key")
    assert key.stat().st_mode & 0o077 == 0
    before = Path(node.prefix / "ssl/default.crt").read_text()
    node.stop()
    node.start()
    assert Path(node.prefix / "ssl/default.crt").read_text() == before


def test_the_certificate_is_chosen_by_name_exact_then_wildcards_then_the_default(tls_node, authority, origin):
    default = authority.issue("default.test")
    node = tls_node(ssl_cert=default[0], ssl_cert_key=default[1])
    node.route_to(origin, protocols=["https"])
    for name, snis in (("exact.test", ["a.one.test"]), ("left.test", ["*.one.test"]), ("right.test", ["b.*", "a.*"])):
        made = node.make("/certificates", {**pem(authority.issue(name)), "snis": snis})
        assert sorted(made["snis"]) == sorted(snis)
    node.wait_settled()
    for asked, shown in (("a.one.test", "exact.test"), ("A.One.Test", "exact.test"), ("b.one.test", "left.test"),
                         ("b.test", "right.test"), ("a.org.test", "default.test"), ("b.two.test", "default.test"),
                         ("x.a.one.test", "default.test"), ("other", "default.test"), (None, "default.test")):
        with connect(node, asked) as s:
            assert subject(s) == shown, asked


def test_a_default_that_cannot_be_shown_is_refused_before_anything_starts(authority, tmp_path):
    good, other = authority.issue("default.test"), authority.issue("other.test")
    broken, weak = tmp_path / "broken.pem", tmp_path / "weak.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:512", "-nodes", "-subj", "/CN=weak", "-keyout", weak, "-out", f"{weak}.crt"],
                   check=True, capture_output=True)
    port = free_port()
    for cert, key, want in ((tmp_path / "none.pem", good[1], "none.pem: No such file"), (good[0], tmp_path / "none.key", "none.key: No such file"),
                            (broken, good[1], f"{broken} with {good[1]}: certificate: "), (good[0], broken, f"{good[0]} with {broken}: key: "),
                            (good[0], other[1], "certificate does not match key"), (f"{weak}.crt", weak, "ee key too small")):
        conf = tmp_path / "sluice.yaml"
        conf.write_text(f"prefix: {tmp_path}/prefix\nproxy_listen: 127.0.0.1:{port} ssl\nssl_cert: {cert}\nssl_cert_key: {key}\n")
        for arguments in (["--check"], []):
            r = subprocess.run([BUILD / "master/sluiced", *arguments, "-c", conf], capture_output=True, text=True, timeout=20, check=False)
            assert r.returncode == 1 and want in r.stderr, (arguments, r.stderr)
        assert not (tmp_path / "prefix").exists()


def test_a_certificate_may_be_in_a_vault(make_node, authority, origin, monkeypatch):
    a, b = (pem(authority.issue(name)) for name in ("a.test", "b.test"))
    for name, value in (("VT_ONE_CERT", a["cert"]), ("VT_ONE_KEY", a["key"]), ("VT_TWO_CERT", b["cert"]), ("VT_TWO_KEY", b["key"])):
        monkeypatch.setenv(name, value)
    port = free_port()
    node = make_node(proxy_listen=f"127.0.0.1:{free_port()}, 127.0.0.1:{port} ssl")
    node.tls_port = port
    node.start()
    node.route_to(origin, protocols=["https"])
    node.make("/vaults", {"prefix": "certs", "name": "env", "config": {"prefix": "VT_ONE_"}})
    made = node.make("/certificates", {"cert": "{vault://certs/cert}", "key": "{vault://certs/key}", "snis": ["*"]})
    assert made["key"] == "{vault://certs/key}"
    node.wait_settled()

    def shown():
        with connect(node, "x.test") as s:
            return subject(s)
    assert shown() == "a.test"
    assert node.admin("PATCH", "/vaults/certs", {"config": {"prefix": "VT_TWO_"}}).status_code == 200
    eventually(lambda: shown() == "b.test", "the vault's other certificate")
    assert node.admin("PATCH", "/vaults/certs", {"config": {"prefix": "VT_NONE_"}}).status_code == 200
    eventually(lambda: shown() == "localhost", "there is none: the default")
    assert "unable to resolve a reference" in node.log()
    assert not [f for f in (node.prefix / "snapshot").glob("*.mdb") if a["key"][:200].encode() in f.read_bytes()]


def test_a_certificate_is_changed_in_place_under_traffic(tls_node, authority, origin):
    node = tls_node()
    node.route_to(origin, protocols=["https"])
    made = node.make("/certificates", {**pem(authority.issue("a.test")), "snis": ["a.test"]})
    node.wait_settled()
    stop, failed, served = threading.Event(), [], []

    def hammer():
        while not stop.is_set():
            try:
                with connect(node, ca=authority.cert) as s:
                    served.append(ask(s)[0])
            except (OSError, ssl.SSLError) as error:
                failed.append(error)
    threads = [threading.Thread(target=hammer) for _ in range(2)]
    for t in threads:
        t.start()
    with connect(node, ca=authority.cert) as old:
        for _ in range(5):
            fresh = pem(authority.issue("a.test", days="31"))
            assert node.admin("PATCH", f"/certificates/{made['id']}", fresh).status_code == 200
            node.wait_settled()
            with connect(node, ca=authority.cert) as s:
                assert ssl.DER_cert_to_PEM_cert(s.getpeercert(True)).strip() == fresh["cert"].strip()
        assert ask(old)[0] == 200  # what was open goes on
    stop.set()
    for t in threads:
        t.join()
    assert not failed and set(served) == {200}


def test_sessions_are_resumed_in_any_worker_but_not_under_another_name(tls_node, origin):
    node = tls_node(workers="2")
    node.route_to(origin, protocols=["https"])
    node.wait_settled()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        for _ in range(16):
            with connect(node, context=context) as s:
                ask(s)
                session = s.session
            with connect(node, context=context, session=session) as s:
                assert ask(s)[0] == 200 and s.session_reused
        with connect(node, name="b.test", context=context, session=session) as s:
            assert ask(s)[0] == 200 and not s.session_reused


def test_a_plain_request_to_a_tls_port_is_told_so(tls_node):
    node = tls_node()
    got = node.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", port=node.tls_port)
    assert got.startswith(b"HTTP/1.1 400 ") and b"The plain HTTP request was sent to HTTPS port" in got
    assert b"Connection: close" in got


def test_https_only_routes_answer_426_to_http_and_serve_https(tls_node, origin):
    node = tls_node()
    node.route_to(origin, protocols=["https"], snis=["a.test"])
    node.wait_settled()
    assert node.get("/r").status_code == 426
    with connect(node) as s:
        assert ask(s)[0] == 200
    with connect(node, "b.test") as s:
        assert ask(s)[0] == 404
    assert node.admin("PATCH", "/routes/r", {"https_redirect_status_code": 301, "snis": None}).status_code == 200
    node.wait_settled()
    r = node.get("/r?x=1", headers={"Host": "a.test"}, allow_redirects=False)
    assert r.status_code == 301 and r.headers["Location"] == "https://a.test/r?x=1"


def test_routes_for_http_alone_do_not_serve_https(tls_node, origin):
    node = tls_node()
    node.route_to(origin, protocols=["http"])
    node.wait_settled()
    with connect(node) as s:
        assert ask(s)[0] == 404
    assert node.get("/r").status_code == 200


# ---- plugins ----------------------------------------------------------------------------------
def handler(certificate="", rest=""):
    return f"local H = {{ PRIORITY = 10, VERSION = '1' }}\nfunction H:certificate(conf)\n{certificate}\nend\n{rest}\nreturn H\n"


TELL = """
function H:access()
  local v = ngx.var
  kong.response.exit(200, {
    scheme = kong.request.get_scheme(), port = kong.request.get_port(), forwarded = kong.request.get_forwarded_scheme(),
    protocol = kong.client.get_protocol(), https = v.https, version = v.ssl_protocol, cipher = v.ssl_cipher,
    sni = v.ssl_server_name, verify = v.ssl_client_verify, s_dn = v.ssl_client_s_dn, i_dn = v.ssl_client_i_dn,
    serial = v.ssl_client_serial, fingerprint = v.ssl_client_fingerprint, cert = v.ssl_client_cert, raw = v.ssl_client_raw_cert,
    chain = kong.client.tls.get_full_client_certificate_chain(), shared = kong.ctx.shared.sni, ngx = ngx.ctx.n })
end
function H:log()
  local tls = kong.log.serialize().request.tls
  kong.log.notice("tls=", tls and tls.version .. "/" .. tls.cipher .. "/" .. tls.client_verify or "none")
end
"""


def run_globally(node, code, name="look"):
    node.plugin(name, code)
    node.wait_plugin(name)
    made = node.make("/plugins", {"name": name})
    node.wait_settled()
    return made


def told(s, **kw):
    status, text = ask(s, **kw)
    assert status == 200, text
    return json.loads(text.split("\r\n\r\n", 1)[1])


def test_plugins_see_the_connection_as_it_is(tls_node, origin):
    node = tls_node(untrusted_lua="lax")
    node.route_to(origin, protocols=["http", "https"])
    run_globally(node, handler("kong.ctx.shared.sni = ngx.var.ssl_server_name  ngx.ctx.n = 7", TELL))
    with connect(node) as s:
        for _ in range(2):
            saw = told(s)
            assert saw["scheme"] == saw["forwarded"] == saw["protocol"] == "https" and saw["https"] == "on"
            assert saw["port"] == node.tls_port and saw["sni"] == saw["shared"] == "a.test" and saw["ngx"] == 7
            assert saw["version"] == "TLSv1.3" and saw["cipher"] == s.cipher()[0] and saw["verify"] == "NONE"
            eventually(lambda: f"tls=TLSv1.3/{s.cipher()[0]}/NONE" in node.log(), "the log's tls")
            assert "s_dn" not in saw and "chain" not in saw
    saw = node.get("/r").json()
    assert saw["scheme"] == "http" and saw["https"] == "" and not {"version", "sni", "shared"} & set(saw)


def test_services_hear_of_https_in_the_forwarded_headers(tls_node, origin):
    node = tls_node()
    node.route_to(origin, protocols=["https"])
    node.wait_settled()
    with connect(node) as s:
        assert ask(s)[0] == 200
    headers = {name.lower(): value for name, value in dict(origin.requests[0]["headers"]).items()}
    assert headers["x-forwarded-proto"] == "https" and headers["x-forwarded-port"] == str(node.tls_port)


def test_a_client_certificate_is_asked_for_in_the_certificate_phase(tls_node, authority, origin):
    node = tls_node(untrusted_lua="lax")
    node.route_to(origin, protocols=["https"])
    ca = Path(authority.cert).read_text()
    run_globally(node, handler(f"""
      if ngx.var.ssl_server_name == "a.test" then
        assert(kong.client.tls.request_client_certificate([[{ca}]]))
        assert(kong.client.tls.disable_session_reuse())
      elseif ngx.var.ssl_server_name == "any.test" then
        assert(kong.client.tls.request_client_certificate())
      end""", TELL))
    pair = authority.issue("client.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(*pair)
    text = Path(pair[0]).read_text().strip()
    fingerprint = subprocess.run(["openssl", "x509", "-in", pair[0], "-noout", "-fingerprint", "-sha1", "-serial"],
                                 capture_output=True, text=True, check=True).stdout.split()
    with connect(node, context=context) as s:
        saw = told(s)
        session = s.session
    eventually(lambda: "/SUCCESS" in node.log(), "the log's tls")
    assert saw["verify"] == "SUCCESS" and saw["s_dn"] == "CN=client.test"
    assert saw["i_dn"] == "CN=authority" and saw["raw"].strip() == saw["chain"].strip() == text
    assert saw["cert"].replace("\n\t", "\n") == text
    assert saw["fingerprint"].upper() == fingerprint[1].split("=")[1].replace(":", "")
    assert saw["serial"] == fingerprint[2].split("=")[1]
    with connect(node, context=context, session=session) as s:
        assert told(s)["verify"] == "SUCCESS" and not s.session_reused
    with connect(node, "any.test", context=context) as s:
        assert told(s)["verify"].startswith("FAILED:")
    with connect(node, "b.test", context=context) as s:
        assert told(s)["verify"] == "NONE"  # not asked
    with connect(node) as s:
        assert told(s)["verify"] == "NONE"  # asked, has none
    r = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{node.tls_port}", "-servername", "a.test"], input="",
                       capture_output=True, text=True, check=False, timeout=20 * slow())
    assert "Acceptable client certificate CA names" in r.stdout and "CN = authority" in r.stdout.replace("CN=", "CN = ")


@pytest.mark.parametrize("code", ["error('no')", "while true do end", "local t = {} while true do t[#t + 1] = ('x'):rep(4096) .. #t end",
                                  "kong.response.exit(200)"])
def test_a_certificate_phase_that_fails_ends_its_handshake_and_nothing_else(tls_node, origin, code):
    node = tls_node(untrusted_lua="lax", workers="1")
    node.route_to(origin, protocols=["http", "https"])
    pids = node.worker_pids()
    made = run_globally(node, handler(f"if ngx.var.ssl_server_name == 'bad.test' then {code} end"))
    for _ in range(3):
        with pytest.raises((ssl.SSLError, OSError)):
            connect(node, "bad.test")
        with connect(node) as s:
            assert ask(s)[0] == 200
    assert node.get("/r").status_code == 200 and node.worker_pids() == pids
    assert node.admin("PATCH", f"/plugins/{made['id']}", {"on_error": "open"}).status_code == 200
    node.wait_settled()
    with connect(node, "bad.test") as s:
        assert ask(s)[0] == 200


def test_what_the_certificate_phase_leaves_in_its_context_is_each_requests_own(tls_node, origin):
    node = tls_node(workers="1")
    node.route_to(origin, protocols=["http", "https"])
    run_globally(node, handler("""
      local c = kong.ctx.plugin
      c.sni, c.list, c.n, c.f = ngx.var.ssl_server_name, { 1, { "two" } }, 0, function() end""", """
    function H:access()
      local c = kong.ctx.plugin
      c.n = (c.n or 0) + 1
      kong.response.exit(200, { sni = c.sni, n = c.n, list = c.list, f = type(c.f) })
    end"""))
    run_globally(node, handler("kong.ctx.plugin.sni = 'of another plugin'"), name="other")
    with connect(node) as s:
        for _ in range(3):
            assert told(s) == {"sni": "a.test", "n": 1, "list": [1, ["two"]], "f": "nil"}
    with connect(node, "b.test") as s:
        assert told(s)["sni"] == "b.test"
    assert node.get("/r").json() == {"n": 1, "f": "nil"}


def test_the_certificate_phase_has_sockets_and_threads(tls_node, origin):
    def serve(connection):
        for line in lines(connection):
            if line != b"silent":
                connection.sendall(line.upper() + b"\r\n")
    peer = TcpPeer(serve)
    node = tls_node(workers="1", untrusted_lua="lax", plugin_egress="any,127.0.0.0/8")
    node.route_to(origin, protocols=["http", "https"])
    made = run_globally(node, handler("""
      local name = ngx.var.ssl_server_name
      local function ask(text)
        local s = ngx.socket.tcp()
        s:settimeout(name == "silent" and 300 or 5000)
        assert(s:connect("127.0.0.1", %d))
        s:send(text .. "\\n")
        local got, err = s:receive()
        s:close()
        return got or err
      end
      local t = ngx.thread.spawn(ask, "thread")
      local _, of_thread = ngx.thread.wait(t)
      kong.ctx.shared.got = { ask(name), of_thread }""" % peer.port, """
    function H:access()
      kong.response.exit(200, kong.ctx.shared.got)
    end"""))
    with connect(node) as s:
        assert told(s) == ["A.TEST", "THREAD"]
    with connect(node, "silent") as s:
        assert told(s) == ["timeout", "THREAD"]
    # one that waits for nothing to come is ended by its wall limit, and by a client that goes
    assert node.admin("PATCH", f"/plugins/{made['id']}", {"limits": {"wall_ms": 100}}).status_code == 200
    node.wait_settled()
    pids = node.worker_pids()
    with pytest.raises((ssl.SSLError, OSError)):
        connect(node, "silent")
    assert node.admin("PATCH", f"/plugins/{made['id']}", {"limits": None}).status_code == 200
    node.wait_settled()
    for _ in range(5):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        raw = socket.create_connection(("127.0.0.1", node.tls_port), timeout=0.1)
        with context.wrap_socket(raw, server_hostname="silent", do_handshake_on_connect=False) as s, pytest.raises(OSError):
            s.do_handshake()
    eventually(lambda: peer.n_open == 0, "their sockets are closed")
    with connect(node) as s:
        assert told(s) == ["A.TEST", "THREAD"]
    assert node.worker_pids() == pids


def test_a_certificate_phase_may_wait_and_others_go_on(tls_node, origin):
    node = tls_node(workers="1", client_header_timeout_ms="2000")
    node.route_to(origin, protocols=["https"])
    run_globally(node, handler("""
      if ngx.var.ssl_server_name == "slow.test" then ngx.sleep(0.5) kong.ctx.shared.sni = "late" end
      if ngx.var.ssl_server_name == "stuck.test" then ngx.sleep(3600) end""",
                               "function H:access() kong.response.set_header('x-left', kong.ctx.shared.sni or 'none') end"))
    slow_ones, times = [], []

    def dial():
        began = time.monotonic()
        with connect(node, "slow.test") as s:
            slow_ones.append("x-left: late" in ask(s)[1].lower())
        times.append(time.monotonic() - began)
    threads = [threading.Thread(target=dial) for _ in range(8)]
    for t in threads:
        t.start()
    with connect(node) as s:
        assert ask(s)[0] == 200
    for t in threads:
        t.join()
    assert slow_ones == [True] * 8 and min(times) > 0.45
    with pytest.raises((ssl.SSLError, OSError)):
        connect(node, "stuck.test")  # the handshake's time is up


def test_a_service_is_shown_its_client_certificate_and_verified_by_its_authorities(tls_node, authority, tmp_path):
    other = Authority(tmp_path / "other")
    service = TlsOrigin(authority.issue("127.0.0.1"), client_ca=authority.cert)
    node = tls_node()
    client = node.make("/certificates", pem(authority.issue("gateway.test")))
    trusted, wrong = (node.make("/ca_certificates", {"cert": Path(a.cert).read_text()}) for a in (authority, other))
    node.route_to(service, protocols=["http"], service_extra={"protocol": "https", "tls_verify": True,
                  "client_certificate": {"id": client["id"]}, "ca_certificates": [trusted["id"]]})
    node.wait_settled()
    assert node.get("/r").status_code == 200 and service.clients[-1] == "gateway.test"
    for change, status in (({"ca_certificates": [wrong["id"]]}, 502), ({"ca_certificates": [trusted["id"], wrong["id"]]}, 200),
                           ({"client_certificate": None}, 502)):
        assert node.admin("PATCH", "/services/s-r", change).status_code == 200
        node.wait_settled()
        assert node.get("/r").status_code == status, change
    r = node.admin("DELETE", f"/ca_certificates/{trusted['id']}")
    assert r.status_code == 400 and "is still referenced by services" in r.json()["message"]
    service.close()


def test_hostile_handshakes_cost_little_and_hurt_nobody(tls_node, origin):
    node = tls_node(workers="1", client_header_timeout_ms="1500")
    node.route_to(origin, protocols=["https"])
    node.wait_settled()
    pids = node.worker_pids()
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100
    idle = [socket.create_connection(("127.0.0.1", node.tls_port)) for _ in range(100)]
    for i, s in enumerate(idle):
        s.sendall(hello[:i])
    for garbage in (b"\x16" * 4000, b"\x16\x03\x01\xff\xff" + b"\x00" * 70000, b"\x80\x2e\x01\x00\x02" + b"\x00" * 60, b"\x00" * 512,
                    b"\x16\x03\x01\x00\x05\x01\x00\xff\xff\xff", b"SSH-2.0-x\r\n", b"\r\n"):
        with socket.create_connection(("127.0.0.1", node.tls_port), timeout=10) as s:
            try:
                s.sendall(garbage)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except OSError:
                pass
    with connect(node) as s:
        assert ask(s)[0] == 200
    for s in idle:  # their time is up
        s.settimeout(10 * slow())
        try:
            while s.recv(4096):
                pass
        except ConnectionResetError:
            pass
        s.close()
    with connect(node) as s:
        assert ask(s)[0] == 200
    assert node.worker_pids() == pids
