"""What the PDK does as clients and services see it: on real connections, byte by byte where it matters."""
import base64
import json
import re

import pytest
from node import eventually

HANDLER = r"""
local cjson = require "cjson"
local P = { PRIORITY = 10, VERSION = "1.0.0" }
local run = {}

function run.error() kong.response.error(403, "no") end
function run.names()
  kong.response.exit(200, "ok", { x_under_score = "1", ["Transfer-Encoding"] = { "chunked", "gzip" }, transfer_encoding = "x",
    ["X-List"] = { "a", "b" } })
end
function run.break_up() kong.response.exit(200, "ok", { ["X-A"] = "1\r\nX-Evil: 2" }) end
function run.consumer()
  local c = kong.client.load_consumer(kong.request.get_query_arg("id"), true)
  kong.response.exit(200, c and c.username or "nobody")
end
function run.up()
  kong.service.request.set_header("x_under_score", "kept")
  kong.service.request.set_headers({ ["X-Many"] = { "1", "2" }, ["Transfer-Encoding"] = "chunked" })
end

function P:access()
  local name = kong.request.get_query_arg("run")
  if name and run[name] then run[name]() end
end

function P:log()
  local s = kong.log.serialize()
  kong.log.notice("SERIAL", ngx.encode_base64(cjson.encode({
    serial = s, source = kong.response.get_source(), addr = ngx.var.upstream_addr, status = ngx.var.upstream_status,
    took = ngx.var.upstream_response_time, sent = ngx.var.body_bytes_sent,
  })))
end
return P
"""


@pytest.fixture
def node(make_node, origin):
    node = make_node(workers="1", log_level="notice", untrusted_lua="lax").start()
    node.route_to(origin)
    node.plugin("wire", HANDLER)
    node.make("/plugins", {"name": "wire"})
    node.ann = node.make("/consumers", {"username": "ann"})["id"]
    node.wait_plugin("wire")
    node.wait_settled()
    return node


def say(node, run, *lines, path="/r"):
    """Head and body of the answer, as bytes."""
    head = "".join(f"{line}\r\n" for line in lines)
    raw = node.raw(f"GET {path}?run={run} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\n".encode())
    head, _, body = raw.partition(b"\r\n\r\n")
    return head.decode().split("\r\n"), body


def last_serial(node, n):
    def there():
        found = re.findall(r"SERIAL([A-Za-z0-9+/=]+)", node.log())
        return found[n] if len(found) > n else None
    return json.loads(base64.b64decode(eventually(there, f"log {n}")))


def test_an_answer_is_what_the_plugin_said_and_nothing_that_breaks_it(node, origin):
    head, body = say(node, "error", "Accept: image/png", "Accept: text/plain;q=0.5")
    assert head[0] == "HTTP/1.1 403 Forbidden" and body.startswith(b"no\nrequest_id: ")
    head, body = say(node, "names")
    assert body == b"ok" and "x-under-score: 1" in [h.lower() for h in head]
    assert [h for h in head if h.lower().startswith("x-list")] == ["X-List: a", "X-List: b"]
    assert not [h for h in head if "transfer" in h.lower()] and "Content-Length: 2" in head
    head, body = say(node, "break_up")
    assert "X-A: 1%0D%0AX-Evil: 2" in head and not [h for h in head if h.startswith("X-Evil")]
    assert say(node, f"consumer&id={node.ann}")[1] == b"ann"
    assert say(node, "consumer&id=ann")[1] == b"ann"
    assert say(node, "consumer&id=11111111-1111-4111-8111-111111111111")[1] == b"nobody"
    say(node, "up")
    sent = origin.raw[-1].partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert "x_under_score: kept" in [h.lower() for h in sent]
    assert [h for h in sent if h.lower().startswith("x-many")] == ["X-Many: 1", "X-Many: 2"]
    assert not [h for h in sent if "transfer" in h.lower()]


def test_a_log_plugin_is_told_the_whole_request(node, origin):
    say(node, "", "Authorization: Basic c2VjcmV0", "X-Two: 1", "X-Two: 2", path="/r/x")
    told = last_serial(node, 0)
    serial = told["serial"]
    assert set(serial) == {"client_ip", "latencies", "request", "response", "route", "service", "source", "started_at", "tries",
                           "upstream_status", "upstream_uri", "workspace", "workspace_name"}
    assert serial["request"]["headers"]["authorization"] == "REDACTED" and serial["request"]["headers"]["x-two"] == ["1", "2"]
    assert serial["request"]["url"].startswith("http://x:") and serial["request"]["size"] > 100
    assert serial["response"]["status"] == 200 and serial["response"]["size"] > 100
    assert serial["upstream_status"] == "200" and serial["source"] == "upstream" and told["source"] == "service"
    [one] = serial["tries"]
    assert (one["ip"], one["port"], one["keepalive"]) == ("127.0.0.1", origin.port, False) and "state" not in one
    latencies = serial["latencies"]
    assert set(latencies) == {"kong", "proxy", "request", "receive"} and latencies["proxy"] >= 0
    assert told["addr"] == f"127.0.0.1:{origin.port}" and told["status"] == "200" and float(told["took"]) >= 0
    say(node, "", path="/r/x")
    assert last_serial(node, 1)["serial"]["tries"][0]["keepalive"] is True


def test_who_made_an_answer_is_told(node, origin):
    say(node, "error")
    say(node, "", path="/nowhere")
    node.make("/services", {"name": "dead", "url": "http://127.0.0.1:1", "retries": 0})
    node.make("/services/dead/routes", {"name": "d", "paths": ["/dead"]})
    node.make("/routes", {"name": "alone", "paths": ["/alone"]})
    node.wait_settled()
    say(node, "", path="/dead")
    say(node, "", path="/alone")
    told = [last_serial(node, n) for n in range(4)]
    assert [t["source"] for t in told] == ["exit", "exit", "error", "exit"]
    assert [t["serial"]["response"]["status"] for t in told] == [403, 404, 502, 503]
    assert {t["serial"]["source"] for t in told} == {"kong"}
    assert [t["serial"]["latencies"]["proxy"] for t in told] == [-1, -1, -1, -1]
    assert not told[0]["serial"]["tries"]
    assert told[2]["serial"]["tries"][0]["state"] == "failed" and told[2]["serial"]["tries"][0]["code"] == 502
