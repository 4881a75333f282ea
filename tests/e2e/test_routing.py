"""Which route takes a request, and what path and host its service gets."""
import pytest
import requests
from node import Node, SLOW, eventually
from origin import Origin

# name → the fields of its route.  Each has a service of its own whose path is /NAME, so that the target tells the route.
ROUTES = {
    "host": {"hosts": ["x.test"]},
    "host-left": {"hosts": ["*.test"]},
    "host-right": {"hosts": ["example.*"]},
    "host-and-path": {"hosts": ["x.test"], "paths": ["/p"]},
    "path": {"paths": ["/p"]},
    "path-long": {"paths": ["/p/long"]},
    "method-and-path": {"paths": ["/m"], "methods": ["DELETE"]},
    "path-m": {"paths": ["/m"]},
    "regex": {"paths": [r"~/re/(?<id>\d+)/x$"]},
    "regex-high": {"paths": [r"~/rp/\d"], "regex_priority": 10},
    "regex-low": {"paths": [r"~/rp/\d+"], "regex_priority": 1},
    "prefix-rp": {"paths": ["/rp/123456"]},
    "two-paths": {"paths": ["/two", "/two/longer"]},
    "header": {"paths": ["/hd"], "headers": {"X-A": ["one", "two"]}},
    "two-headers": {"paths": ["/hd"], "headers": {"X-A": ["one"], "X-B": ["b"]}},
    "header-regex": {"paths": ["/hd"], "headers": {"X-C": ["~*^ab+$"]}},
    "host-port": {"hosts": ["port.test:PORT"], "paths": ["/hport"]},
    "host-other-port": {"hosts": ["other.invalid:1"], "paths": ["/hport"]},
    "encoded": {"paths": ["/a b"]},
}

# (method, host, path, headers) → name of the route, or None for "no Route matched".
REQUESTS = [
    ("GET", "x.test", "/", {}, "host"),
    ("GET", "X.TEST", "/", {}, "host"),
    ("GET", "x.test:1234", "/", {}, "host"),
    ("GET", "y.test", "/", {}, "host-left"),
    ("GET", "a.b.test", "/", {}, "host-left"),
    ("GET", "example.org", "/", {}, "host-right"),
    ("GET", "example.co.uk", "/", {}, "host-right"),
    ("GET", "test", "/", {}, None),
    ("GET", "none", "/", {}, None),
    ("GET", "x.test", "/p", {}, "host-and-path"),
    ("GET", "none", "/p", {}, "path"),
    ("GET", "none", "/px", {}, "path"),
    ("GET", "none", "/p/long/er", {}, "path-long"),
    ("GET", "x.test", "/p/long", {}, "host-and-path"),
    ("GET", "none", "/P", {}, None),
    ("GET", "none", "//p", {}, "path"),
    ("GET", "none", "/x/../p", {}, "path"),
    ("GET", "none", "/%70", {}, "path"),
    ("GET", "none", "/a%20b", {}, "encoded"),
    ("DELETE", "none", "/m", {}, "method-and-path"),
    ("GET", "none", "/m", {}, "path-m"),
    ("GET", "none", "/re/12/x", {}, "regex"),
    ("GET", "none", "/re/12/xy", {}, None),
    ("GET", "none", "/a/re/12/x", {}, None),
    ("GET", "none", "/rp/123456", {}, "regex-high"),
    ("GET", "none", "/two/longer/x", {}, "two-paths"),
    ("GET", "none", "/hd", {"X-A": "two"}, "header"),
    ("GET", "none", "/hd", {"X-A": "TWO"}, "header"),
    ("GET", "none", "/hd", {"X-A": "one"}, "header"),
    ("GET", "none", "/hd", {"X-A": "one", "X-B": "b"}, "two-headers"),
    ("GET", "none", "/hd", {"X-A": "three"}, None),
    ("GET", "none", "/hd", {}, None),
    ("GET", "none", "/hd", {"X-C": "abbb"}, "header-regex"),
    ("GET", "none", "/hd", {"X-C": "abc"}, None),
    ("GET", "port.test", "/hport", {}, "host-port"),
    ("GET", "port.test:9", "/hport", {}, "host-port"),
    ("GET", "other.invalid", "/hport", {}, None),
]


@pytest.fixture(scope="module")
def routed(tmp_path_factory):
    origin = Origin()
    node = Node(tmp_path_factory.mktemp("routing") / "node")
    try:
        node.start()
        for name, fields in ROUTES.items():
            node.make("/services", {"name": name, "host": "127.0.0.1", "port": origin.port, "path": f"/{name}"})
            fields = {**fields, "hosts": [h.replace("PORT", str(node.proxy_port)) for h in fields.get("hosts", [])] or None}
            node.make(f"/services/{name}/routes", {"name": name, "protocols": ["http"], **fields})
        node.wait_settled()
        yield node
        node.stop()
    finally:
        node.clean_up()
        origin.close()


def ask(node, method, host, path, headers=None):
    """The path as it is written: no client library may normalize it."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    head, body = node.raw(("\r\n".join(lines) + "\r\n\r\n").encode()).split(b"\r\n\r\n", 1)
    return int(head.split()[1]), head.decode(), body


@pytest.mark.parametrize("method, host, path, headers, name", REQUESTS)
def test_the_most_specific_route_takes_the_request(routed, method, host, path, headers, name):
    status, _, body = ask(routed, method, host, path, headers)
    seen = requests.models.complexjson.loads(body)
    if name is None:
        assert (status, seen["message"]) == (404, "no Route matched with those values")
    else:
        assert status == 200 and seen["target"].split("/")[1] == name, seen


# (service path, strip_path, request path below or at the route's /pre) → what the service is asked for
PATHS = [
    ("/", True, "/pre", "/"), ("/", True, "/pre/", "/"), ("/", True, "/pre/x", "/x"), ("/", True, "/prex", "/x"),
    ("/s", True, "/pre", "/s"), ("/s", True, "/pre/", "/s/"), ("/s", True, "/pre/x", "/s/x"), ("/s", True, "/prex", "/s/x"),
    ("/s/", True, "/pre", "/s"), ("/s/", True, "/pre/", "/s/"), ("/s/", True, "/pre/x", "/s/x"), ("/s/", True, "/prex", "/s/x"),
    ("/", False, "/pre/x", "/pre/x"), ("/s", False, "/pre/x", "/s/pre/x"), ("/s/", False, "/pre/x", "/s/pre/x"),
    ("/s", True, "/pre/x?a=1&b=%20", "/s/x?a=1&b=%20"), ("/s", True, "/pre/x%2Fy", "/s/x%2Fy"),
    ("/s", True, "/pre?q", "/s?q"), ("/s", True, "/pre../etc", "/s/etc"),
]


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """Every pair of service path and strip_path, told apart by the host."""
    origin = Origin()
    node = Node(tmp_path_factory.mktemp("paths") / "node")
    try:
        node.start()
        for i, (path, strip) in enumerate(sorted({(p, s) for p, s, _, _ in PATHS})):
            node.make("/services", {"name": f"s{i}", "host": "127.0.0.1", "port": origin.port, "path": path})
            node.make(f"/services/s{i}/routes", {"paths": ["/pre"], "strip_path": strip, "protocols": ["http"],
                                                 "hosts": [host_of(path, strip)]})
        node.wait_settled()
        yield node
        node.stop()
    finally:
        node.clean_up()
        origin.close()


def host_of(path, strip):
    return f"p{path.replace('/', '-')}.{'strip' if strip else 'keep'}.test".replace("-.", ".z.")


@pytest.mark.parametrize("service_path, strip, asked, target", PATHS)
def test_paths_are_joined_as_path_handling_v0_says(joined, service_path, strip, asked, target):
    status, _, body = ask(joined, "GET", host_of(service_path, strip), asked)
    assert (status, requests.models.complexjson.loads(body)["target"]) == (200, target)


def test_the_host_is_the_services_unless_it_is_preserved(node, origin):
    node.route_to(origin, name="own")
    node.route_to(origin, name="kept", preserve_host=True)
    node.wait_settled()

    def host(path):
        status, _, body = ask(node, "GET", "client.test:99", path)
        assert status == 200
        return dict(requests.models.complexjson.loads(body)["headers"])["Host"]
    assert host("/own") == f"127.0.0.1:{origin.port}"
    assert host("/kept") == "client.test:99"


def test_captures_reach_plugins(node, origin):
    node.route_to(origin, name="re", paths=[r"~/(?<kind>\w+)/(\d+)"])
    node.plugin("caps", """
        local P = { PRIORITY = 1, VERSION = "1" }
        function P:access()
          local c = kong.request.get_uri_captures()
          kong.response.exit(200, c.named.kind .. " " .. c.unnamed[1] .. " " .. c.unnamed[2] .. " " .. c.unnamed[0])
        end
        return P""")
    node.make("/plugins", {"name": "caps"})
    eventually(lambda: node.get("/thing/42/rest").text == "thing thing 42 /thing/42", "captures")


def test_what_is_missing_behind_a_route_is_said(node, origin):
    node.route_to(origin, name="off", service_extra={"enabled": False})
    node.make("/routes", {"name": "alone", "paths": ["/alone"], "protocols": ["http"]})
    node.make("/services", {"name": "lost", "host": "does-not-exist.invalid"})
    node.make("/services/lost/routes", {"paths": ["/lost"], "protocols": ["http"]})
    node.wait_settled()

    def said(path):
        r = node.get(path)
        assert r.headers["Content-Type"] == "application/json; charset=utf-8" and len(r.json()["request_id"]) == 32
        return r.status_code, r.json()["message"]
    assert said("/off") == (404, "no Route matched with those values")
    assert said("/alone") == (503, "no Service found with those values")
    assert said("/lost") == (503, "name resolution failed")


def test_a_route_for_https_tells_a_client_of_http(node, origin):
    node.route_to(origin, name="tls", protocols=["https"])
    for status in (301, 302, 307, 308):
        node.route_to(origin, name=f"to{status}", protocols=["https"], https_redirect_status_code=status)
    node.wait_settled()
    r = node.get("/tls")
    assert (r.status_code, r.json()["message"]) == (426, "Please use HTTPS protocol")
    assert (r.headers["Connection"], r.headers["Upgrade"]) == ("Upgrade", "TLS/1.2, HTTP/1.1")
    for status in (301, 302, 307, 308):
        r = node.get(f"/to{status}/x?y=1", headers={"Host": "h.test:8000"}, allow_redirects=False)
        assert (r.status_code, r.headers["Location"], r.content) == (status, f"https://h.test/to{status}/x?y=1", b"")
    assert origin.requests == []


def test_names_are_asked_again_after_a_failure(node, origin):
    """localhost comes from the hosts file, which a jailed worker cannot read itself."""
    node.make("/services", {"name": "s", "host": "localhost", "port": origin.port})
    node.make("/services/s/routes", {"paths": ["/s"], "protocols": ["http"]})
    assert eventually(lambda: node.get("/s").status_code == 200, "localhost is found", 5 * SLOW)
