"""Services over https: names, certificates, sessions, and origins that break off."""
import json
import socket
import ssl
import threading

import pytest
from node import eventually
from origin import Origin, Reader, reply
from tls_origin import Authority, TlsOrigin


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


HOSTS = "127.0.0.1 tls.test other.test\n"


@pytest.fixture
def tls_node(make_node, authority, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text(HOSTS)
    return make_node(workers="1", dns_hostsfile=str(hosts), lua_ssl_trusted_certificate=authority.cert).start()


def serve(node, port, name="r", host="tls.test", **extra):
    node.make("/services", {"name": f"s-{name}", "protocol": "https", "host": host, "port": port, "retries": 0, **extra})
    node.make(f"/services/s-{name}/routes", {"name": name, "paths": [f"/{name}"], "protocols": ["http"]})
    node.wait_settled()


def test_a_service_over_https_gets_sni_alpn_and_a_kept_connection(tls_node, authority):
    origin = TlsOrigin(authority.issue("tls.test"))
    serve(tls_node, origin.port, tls_verify=True)
    for _ in range(20):
        r = tls_node.get("/r")
        assert r.status_code == 200, tls_node.log()[-2000:]
    seen = json.loads(r.content)
    assert ["Host", f"tls.test:{origin.port}"] in seen["headers"]
    assert ["X-Forwarded-Proto", "http"] in seen["headers"]
    assert len(origin.reused) == 1 and origin.names == ["tls.test"] and origin.alpn == ["http/1.1"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_big_bodies_pass_both_ways(tls_node, authority, version):
    big = bytes(range(256)) * 4096 * 4
    origin = TlsOrigin(authority.issue("tls.test"), lambda r: reply(r["body"].encode("latin-1")), version)
    serve(tls_node, origin.port)
    assert tls_node.post("/r", big).content == big
    assert tls_node.post("/r", iter([big[:1000], big[1000:70000], big[70000:]])).content == big


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_second_connection_resumes_the_session(tls_node, authority, version):
    origin = TlsOrigin(authority.issue("tls.test"), lambda r: reply(b"{}", headers=["Connection: close"]), version)
    serve(tls_node, origin.port, tls_verify=True)
    for _ in range(4):
        assert tls_node.get("/r").status_code == 200
    assert origin.reused[0] is False and all(origin.reused[1:]), origin.reused


def refused(node, origin_or_port, *words, **service):
    port = origin_or_port if isinstance(origin_or_port, int) else origin_or_port.port
    serve(node, port, tls_verify=True, **service)
    r = node.get("/r")
    assert r.status_code == 502, r.text
    assert r.json()["message"] == "An invalid response was received from the upstream server"
    line = [x for x in node.log().splitlines() if "upstream failed" in x][-1]
    for word in words:
        assert word in line, line


def test_a_certificate_of_an_unknown_authority_is_refused(tls_node, tmp_path):
    origin = TlsOrigin(Authority(tmp_path / "stranger").issue("tls.test"))
    refused(tls_node, origin, "tls.test", "issuer certificate")
    assert not origin.requests


def test_a_self_signed_certificate_is_refused(tls_node, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    refused(tls_node, TlsOrigin((stranger.cert, stranger.key)), "self-signed")


def test_a_certificate_of_another_name_is_refused(tls_node, authority):
    refused(tls_node, TlsOrigin(authority.issue("other.test")), "tls.test", "hostname mismatch")


def test_an_expired_certificate_is_refused(tls_node, authority):
    refused(tls_node, TlsOrigin(authority.issue("tls.test", days="-1")), "expired")


def test_an_address_is_verified_as_one_and_sends_no_sni(tls_node, authority):
    origin = TlsOrigin(authority.issue("127.0.0.1"))
    serve(tls_node, origin.port, host="127.0.0.1", tls_verify=True)
    assert tls_node.get("/r").status_code == 200
    assert origin.names == [None]
    other = TlsOrigin(authority.issue("127.0.0.2"))
    serve(tls_node, other.port, name="b", host="127.0.0.1", tls_verify=True)
    assert tls_node.get("/b").status_code == 502
    assert "IP address mismatch" in tls_node.log()


@pytest.mark.parametrize("verify", [None, False])
def test_without_tls_verify_any_certificate_serves_as_in_kong(tls_node, tmp_path, verify):
    origin = TlsOrigin(Authority(tmp_path / "stranger").issue("nobody.test"))
    serve(tls_node, origin.port, tls_verify=verify)
    assert tls_node.get("/r").status_code == 200


def test_a_connection_that_was_not_verified_never_serves_one_that_must_be(tls_node, tmp_path):
    origin = TlsOrigin(Authority(tmp_path / "stranger").issue("tls.test"))
    serve(tls_node, origin.port, name="lax")
    serve(tls_node, origin.port, name="strict", tls_verify=True)
    for _ in range(3):
        assert tls_node.get("/lax").status_code == 200
        assert tls_node.get("/strict").status_code == 502


def test_names_do_not_share_a_connection(tls_node, authority):
    origin = TlsOrigin(authority.issue("tls.test"))
    serve(tls_node, origin.port, name="a", tls_verify=True)
    serve(tls_node, origin.port, name="b", host="other.test", tls_verify=True)
    assert tls_node.get("/a").status_code == 200
    assert tls_node.get("/b").status_code == 502
    assert tls_node.get("/a").status_code == 200


def test_the_host_sent_is_the_name_shown(tls_node, authority):
    origin = TlsOrigin(authority.issue("*.shop.test"))
    tls_node.make("/services", {"name": "s", "protocol": "https", "host": "127.0.0.1", "port": origin.port, "tls_verify": True})
    tls_node.make("/services/s/routes", {"paths": ["/r"], "preserve_host": True, "protocols": ["http"]})
    eventually(lambda: tls_node.get("/r", headers={"Host": "eu.shop.test:81"}).status_code == 200, "proxied")
    assert set(origin.names) == {"eu.shop.test"}
    assert tls_node.get("/r", headers={"Host": "bank.test"}).status_code == 502


def test_plain_http_on_the_port_is_said_in_the_log(tls_node):
    origin = Origin(lambda r: reply(b"{}"))
    plain = socket.create_server(("127.0.0.1", 0))

    def answer():
        while True:
            c, _ = plain.accept()
            c.recv(65536)
            c.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    threading.Thread(target=answer, daemon=True).start()
    refused(tls_node, plain.getsockname()[1], "does not speak TLS")
    origin.close()


def test_a_handshake_that_never_answers_ends_with_the_connect_timeout(tls_node):
    silent = socket.create_server(("127.0.0.1", 0))
    serve(tls_node, silent.getsockname()[1], connect_timeout=300)
    assert tls_node.get("/r").status_code == 504


def test_a_handshake_cut_off_is_a_502_and_retried(tls_node, authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("tls.test"))
    listener = socket.create_server(("127.0.0.1", 0))
    seen = []

    def accept():
        while True:
            c, _ = listener.accept()
            seen.append(1)
            if len(seen) % 2:
                c.recv(100)
                c.close()
                continue
            c = context.wrap_socket(c, server_side=True)
            Reader(c, bytearray()).request()
            c.sendall(reply(b"{}", headers=["Connection: close"]))
            c.close()
    threading.Thread(target=accept, daemon=True).start()
    serve(tls_node, listener.getsockname()[1])
    tls_node.admin("PATCH", "/services/s-r", {"retries": 1})
    eventually(lambda: tls_node.get("/r").status_code == 200, "the retry serves")
    assert "upstream failed" in tls_node.log()


def cut(authority, head, says_goodbye):
    """An origin that sends a response's start and then ends the connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("tls.test"))
    listener = socket.create_server(("127.0.0.1", 0))

    def serve_one(c):
        try:
            c = context.wrap_socket(c, server_side=True, suppress_ragged_eofs=True)
            Reader(c, bytearray()).request()
            c.sendall(head)
            if says_goodbye:
                c.unwrap()
        except (OSError, ValueError):
            pass
        c.close()

    def accept():
        while True:
            c, _ = listener.accept()
            threading.Thread(target=serve_one, args=(c,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def test_a_body_cut_by_length_does_not_look_whole(tls_node, authority):
    serve(tls_node, cut(authority, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart", True))
    got = tls_node.raw(b"GET /r HTTP/1.1\r\nHost: x\r\n\r\n")
    assert got.endswith(b"part") and b"Content-Length: 100" in got


def test_a_body_until_close_needs_a_close_notify(tls_node, authority):
    """RFC 9112 9.8: without one it may have been cut by anybody on the way."""
    head = b"HTTP/1.1 200 OK\r\n\r\nwhole?"
    serve(tls_node, cut(authority, head, True), name="good")
    serve(tls_node, cut(authority, head, False), name="bad")
    got = tls_node.raw(b"GET /good HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert got.endswith(b"\r\n0\r\n\r\n"), got
    got = tls_node.raw(b"GET /bad HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"whole?" in got and not got.endswith(b"\r\n0\r\n\r\n"), got


def test_a_kept_connection_that_the_service_closed_is_not_used_again(tls_node, authority):
    """The end of an idle connection is seen through TLS: a POST, sent once only, succeeds."""
    origin = TlsOrigin(authority.issue("tls.test"))
    kept = []
    origin.behave = kept.append
    serve(tls_node, origin.port)
    assert tls_node.post("/r", "1").status_code == 200
    assert len(origin.reused) == 1
    connection = origin.open[0]
    connection.unwrap()
    connection.close()
    assert tls_node.post("/r", "2").status_code == 200
    assert len(origin.reused) == 2 and len(kept) == 2


def test_a_missing_ca_file_stops_the_start_with_its_name(make_node, tmp_path):
    node = make_node(workers="1", lua_ssl_trusted_certificate=str(tmp_path / "nowhere.pem")).start(wait=False)
    eventually(lambda: "nowhere.pem" in node.log(), "the log names the file")
