"""Paths on their way: what routes match, what plugins see, what an origin gets."""
import json

import pytest
from node import eventually
from origin import Origin, reply

SEEN = """
local P = { PRIORITY = 10, VERSION = "1" }
function P:access(conf)
  kong.service.request.set_header("x-path", (kong.request.get_path():gsub("[^%w/%%]", function(c)
    return ("<%d>"):format(c:byte())
  end)))
end
return P
"""


def got_by(origin):
    request = origin.requests[-1]
    return request["target"], {k.lower(): v for k, v in request["headers"]}


@pytest.fixture
def rig(make_node):
    origin = Origin(lambda r: reply(json.dumps({k.lower(): v for k, v in r["headers"]}).encode()))
    node = make_node(workers="1").start()
    node.route_to(origin, name="r", paths=["/p", "~/x/[^/]*/y"], strip_path=False)
    node.route_to(origin, name="s", paths=["/s p"], strip_path=True)
    node.plugin("seen", SEEN)
    node.wait_plugin("seen")
    node.make("/plugins", {"name": "seen"})
    node.wait_settled()
    eventually(lambda: "x-path" in node.get("/p").json(), "the plugin acts")
    yield node, origin


def ask(node, target):
    return node.raw(b"GET " + target.encode("latin-1") + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("target, sent, seen", [
    ("/p/a%20b", "/p/a%20b", "/p/a<32>b"),
    ("/%70/%7e", "/p/~", "/p/<126>"),
    ("/p/%2f%3F%23%25", "/p/%2F%3F%23%25", "/p/%2F%3F%23%25"),
    ("/p/%c3%a9", "/p/%C3%A9", "/p/<195><169>"),
    ("/p/%0d%0aEvil:%201", "/p/%0D%0AEvil:%201", "/p/<13><10>Evil<58><32>1"),
    ("/p/%5c%22", "/p/%5C%22", "/p/<92><34>"),
    ("/q/%2e%2e/p//b", "/p/b", "/p/b"),
    ("/x/%0d%0a/y", "/x/%0D%0A/y", "/x/<13><10>/y"),
])
def test_a_path_is_decoded_for_routes_and_plugins_and_escaped_for_the_origin(rig, target, sent, seen):
    node, origin = rig
    got = ask(node, target)
    assert got.startswith(b"HTTP/1.1 200 "), got
    got, headers = got_by(origin)
    assert got == sent
    assert headers["x-path"] == seen
    assert "evil" not in headers


def test_a_stripped_prefix_is_told_escaped(rig):
    node, origin = rig
    assert ask(node, "/s%20p/a%20b").startswith(b"HTTP/1.1 200 ")
    got, headers = got_by(origin)
    assert got == "/a%20b"
    assert headers["x-forwarded-prefix"] == "/s%20p"


@pytest.mark.parametrize("target", ["/p/%00", "/p/%", "/p/%0", "/p/%zz", "/p/\u00e9"])
def test_a_path_that_cannot_be_decoded_is_refused(rig, target):
    node, origin = rig
    n = len(origin.requests)
    assert ask(node, target).startswith(b"HTTP/1.1 400 ")
    assert len(origin.requests) == n
