"""TLS to clients: certificates by server name, changed in place; sessions; what hostile clients get."""
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
import requests

from node import eventually, slow
from ports import free_port
from tls_origin import Authority


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
