"""Spans and log records at a collector: OTLP/HTTP decoded by hand, and what a bad collector does (nothing)."""
import re
import struct
import time
from email.utils import formatdate

import pytest
import requests
from node import eventually, free_port
from origin import Origin, reply
from tls_origin import Authority, TlsOrigin

PARENT = "0af7651916cd43dd8448eb211c80319c"
HANDLER = """
local P = { PRIORITY = %d, VERSION = "1" }
function P:access(conf)
  local s = kong.tracing.start_span("by %s", { attributes = { number = 7, flag = true, text = "a\\255b" } })
  s:add_event("seen", { n = 1.5 })
  s:finish()
end
function P:log(conf)
  kong.telemetry.log("%s", { plugin_instance_name = "mine" }, "result", "done", { status = kong.response.get_status() })
  kong.log.err("trace is ", kong.log.serialize().trace_id.w3c)
end
return P
"""


def fields(data):
    """[(number, value)] of a protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    found = []
    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value = varint()
        elif kind == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif kind == 2:
            size = varint()
            value, at = data[at:at + size], at + size
            assert len(value) == size
        else:
            raise ValueError(f"wire type {kind}")
        found.append((key >> 3, value))
    return found


def all_of(message, number):
    return [v for n, v in fields(message) if n == number]


def one_of(message, number, default=None):
    return (all_of(message, number) or [default])[-1]


def any_value(message):
    (number, value), = fields(message)
    if number == 1:
        return value.decode()
    if number == 4:
        return struct.unpack("<d", struct.pack("<Q", value))[0]
    return bool(value) if number == 2 else value


def attributes(message, number):
    return {one_of(p, 1).decode(): any_value(one_of(p, 2)) for p in all_of(message, number)}


def span_of(message):
    return {"trace": one_of(message, 1).hex(), "id": one_of(message, 2).hex(), "parent": one_of(message, 4, b"").hex(),
            "name": one_of(message, 5).decode(), "kind": one_of(message, 6), "start": one_of(message, 7),
            "end": one_of(message, 8), "attributes": attributes(message, 9),
            "events": [one_of(e, 2).decode() for e in all_of(message, 11)],
            "status": one_of(one_of(message, 15, b""), 3, 0)}


class Collector:
    """What it got, decoded; behave(request) may answer otherwise."""

    def __init__(self, behave=None, origin=None):
        self.origin = origin or Origin(lambda r: behave(r) if behave and behave(r) is not None else reply(b""))
        self.port = self.origin.port

    def parts(self, path):
        found = []
        for request in list(self.origin.requests):
            if request["target"] != path:
                continue
            resource = one_of(request["body"].encode("latin-1"), 1)
            about = attributes(one_of(resource, 1), 1)
            assert about["service.name"] == "sluice" and about["host.name"], about
            found += all_of(one_of(resource, 2), 2)
        return found

    def spans(self, name=None):
        spans = [span_of(s) for s in self.parts("/v1/traces")]
        return [s for s in spans if name in (None, s["name"])]

    def logs(self):
        return [(any_value(one_of(r, 5)), attributes(r, 6), one_of(r, 9, b"").hex()) for r in self.parts("/v1/logs")]


def start(make_node, port, scheme="http", host="127.0.0.1", **conf):
    conf = {"tracing_instrumentations": "all", "tracing_sampling_rate": "1", "tracing_otlp_delay_ms": "100", **conf}
    return make_node(workers="1", tracing_otlp_endpoint=f"{scheme}://{host}:{port}", **conf).start()


def counter(node, name):
    text = requests.get(f"http://127.0.0.1:{node.status_port}/metrics", timeout=10).text
    found = re.findall(rf"^sluice_worker_{name}(?:_total)?\{{.*?\}} (\d+)", text, re.M)
    return sum(map(int, found))


def test_two_plugins_and_the_gateway_make_one_trace_below_the_clients(make_node, origin):
    collector = Collector()
    node = start(make_node, collector.port, tracing_otlp_headers="x-key=secret,x-other=1")
    node.route_to(origin)
    for name, priority in ("one", 2), ("two", 1):
        node.plugin(name, HANDLER % (priority, name, name))
        node.make("/routes/r/plugins", {"name": name})
        node.wait_plugin(name)
    node.wait_settled()
    headers = {"traceparent": f"00-{PARENT}-b7ad6b7169203331-01", "tracestate": "vendor=1"}
    answer = eventually(lambda: (r := node.get("/r?q", headers=headers)).status_code == 200 and r, "it answers").json()
    sent = {n.lower(): v for n, v in answer["headers"]}
    eventually(lambda: collector.spans("by two") and len(collector.logs()) >= 2, "spans and logs arrive")
    spans = collector.spans()
    by_name = {s["name"]: s for s in spans}
    root, child = by_name["kong"], by_name["by one"]
    assert {s["trace"] for s in spans} == {PARENT}
    assert root["parent"] == "b7ad6b7169203331" and root["kind"] == 2
    assert root["attributes"]["http.status_code"] == 200 and root["attributes"]["http.method"] == "GET"
    assert root["attributes"]["http.url"].endswith("/r?q") and root["attributes"]["kong.route.name"] == "r"
    assert child["parent"] == by_name["kong.access.plugin.one"]["id"]
    assert by_name["by two"]["parent"] == by_name["kong.access.plugin.two"]["id"]
    assert child["attributes"] == {"number": 7, "flag": True, "text": "a?b"} and child["events"] == ["seen"]
    for name in "kong.router", "kong.balancer", "kong.access.plugin.one", "kong.log.plugin.two":
        assert by_name[name]["parent"] == root["id"], name
    for name in "kong.upstream.ttfb", "kong.upstream.read_response":
        assert by_name[name]["parent"] == by_name["kong.balancer"]["id"], name
    assert all(s["start"] <= s["end"] for s in spans)
    assert sent["traceparent"] == f"00-{PARENT}-{by_name['kong.balancer']['id']}-01" and sent["tracestate"] == "vendor=1"
    message, about, trace = collector.logs()[0]
    assert (message, trace) == ("done", PARENT) and about["plugin.name"] == "one"
    assert about["message.type"] == "result" and about["status"] == 200 and about["plugin.instance.name"] == "mine"
    assert f"trace is {PARENT}" in node.log()
    posted = {n.lower(): v for n, v in collector.origin.requests[0]["headers"]}
    assert posted["x-key"] == "secret" and posted["x-other"] == "1" and posted["content-type"] == "application/x-protobuf"
    assert eventually(lambda: counter(node, "otlp_spans_exported") == len(collector.spans()), "they are counted")


def test_the_clients_decision_holds_and_a_bad_header_begins_a_new_trace(make_node, origin):
    collector = Collector()
    node = start(make_node, collector.port)
    node.route_to(origin)
    node.wait_settled()
    eventually(lambda: node.get("/r").status_code == 200, "it answers")

    def sent(**headers):
        return {n.lower(): v for n, v in node.get("/r", headers=headers).json()["headers"]}

    unsampled = f"00-{PARENT}-b7ad6b7169203331-00"
    assert sent(traceparent=unsampled)["traceparent"] == unsampled
    bad = sent(traceparent=f"00-{PARENT.upper()}-b7ad6b7169203331-01", tracestate="vendor=1")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", bad["traceparent"]) and PARENT not in bad["traceparent"]
    assert "tracestate" not in bad
    eventually(lambda: bad["traceparent"][3:35] in {s["trace"] for s in collector.spans()}, "the new trace arrives")
    assert PARENT not in {s["trace"] for s in collector.spans()}


def test_each_failed_try_is_a_span_and_the_service_knows_the_last(make_node):
    collector = Collector()
    node = start(make_node, collector.port)
    node.route_to(free_port(), service_extra={"retries": 1})
    node.wait_settled()
    eventually(lambda: node.get("/r").status_code == 502, "nobody listens")
    eventually(lambda: collector.spans("kong.balancer"), "spans arrive")
    tries = [s for s in collector.spans("kong.balancer") if s["trace"] == collector.spans("kong")[0]["trace"]]
    assert [t["attributes"]["try_count"] for t in tries] == [1, 2] and {t["status"] for t in tries} == {2}
    assert len({t["id"] for t in tries}) == 2 and all(t["events"] == ["exception"] for t in tries)
    assert collector.spans("kong")[0]["status"] == 2


def test_ten_thousand_spans_are_bounded_and_the_rest_is_counted(make_node, origin):
    collector = Collector()
    node = start(make_node, collector.port)
    node.route_to(origin)
    node.plugin("many", "local P = { PRIORITY = 1, VERSION = '1' } function P:access() for i = 1, 10000 do "
                        "kong.tracing.start_span('many'):finish() end end return P")
    node.make("/routes/r/plugins", {"name": "many"})
    node.wait_plugin("many")
    node.wait_settled()
    assert eventually(lambda: node.get("/r").status_code == 200, "it answers")
    eventually(lambda: len(collector.spans("many")) > 900, "spans arrive")
    root = next(s for s in collector.spans("kong") if "sluice.spans_dropped" in s["attributes"])
    assert len(collector.spans()) <= 1100 and root["attributes"]["sluice.spans_dropped"] > 8000


@pytest.mark.parametrize("how", ["down", "silent", "garbage", "endless"])
def test_a_bad_collector_delays_nobody_and_what_is_lost_is_counted(make_node, origin, how):
    answers = {"silent": None, "garbage": b"\x00\x01 what\r\n\r\n", "endless": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20000}

    def behave(request):
        if how == "silent":
            time.sleep(30)
        return answers[how]

    port = free_port() if how == "down" else Collector(behave).port
    node = start(make_node, port, tracing_otlp_queue_size="65536", tracing_otlp_timeout_ms="300", tracing_otlp_batch_size="1")
    node.route_to(origin)
    node.wait_settled()
    eventually(lambda: node.get("/r").status_code == 200, "it answers")
    for _ in range(150):
        assert node.get("/r").status_code == 200
    eventually(lambda: counter(node, "otlp_failures") >= 2 and counter(node, "otlp_spans_dropped") > 0, "losses are counted")
    assert node.log().count('msg="the collector does not take telemetry"') == 1
    assert node.log().count('msg="telemetry is dropped"') == 1
    assert counter(node, "otlp_spans_exported") == 0


def test_a_collector_that_comes_back_gets_what_waited(make_node, origin):
    state = {"status": "503 Service Unavailable"}
    collector = Collector(lambda r: reply(b"", status=state["status"]))
    node = start(make_node, collector.port)
    node.route_to(origin)
    node.wait_settled()
    eventually(lambda: node.get("/r").status_code == 200, "it answers")
    eventually(lambda: counter(node, "otlp_failures") >= 1, "it fails")
    state["status"] = "200 OK"
    eventually(lambda: counter(node, "otlp_spans_exported") > 0, "it is tried again")
    assert counter(node, "otlp_spans_dropped") == 0 and "takes telemetry again" in node.log()


@pytest.mark.parametrize("form", ["seconds", "date", "nonsense"])
def test_a_collector_that_asks_for_time_gets_it(make_node, origin, form):
    def behave(_):
        times.append(time.monotonic())
        if len(times) > 1:
            return reply(b"")
        value = {"seconds": "3", "date": formatdate(time.time() + 4, usegmt=True), "nonsense": "soon"}[form]
        return reply(b"", status="429 Too Many Requests", headers=[f"Retry-After: {value}"])

    times = []
    node = start(make_node, Collector(origin=Origin(behave)).port)
    node.route_to(origin)
    node.wait_settled()
    eventually(lambda: node.get("/r").status_code == 200, "it answers")
    eventually(lambda: len(times) >= 2, "it is tried again", 10)
    assert (times[1] - times[0] >= 2.5) == (form != "nonsense")
    eventually(lambda: counter(node, "otlp_spans_exported") > 0, "and taken")


def test_what_plugins_ask_of_others_is_in_the_trace(make_node, origin):
    collector = Collector()
    other = Origin(lambda r: reply(b"hello", status="404 Not Found" if r["target"].startswith("/none") else "200 OK"))
    node = start(make_node, collector.port, untrusted_lua="lax", plugin_egress="any,127.0.0.0/8")
    node.route_to(origin, name="r")
    node.make("/consumers", {"username": "joe"})
    node.plugin("asker", """
local P = { PRIORITY = 1, VERSION = "1" }
function P:access()
  local http = require "resty.http"
  kong.db.consumers:select_by_username("joe")
  kong.db.services:select{ id = "no uuid" }
  http.new():request_uri("http://127.0.0.1:%d/none?x=1", { method = "POST", headers = { ["User-Agent"] = "mine" } })
  http.new():request_uri("http://127.0.0.1:%d/")
end
return P
""" % (other.port, free_port()))
    node.make("/plugins", {"name": "asker"})
    node.wait_plugin("asker")
    node.wait_settled()
    eventually(lambda: node.get("/r").status_code == 200, "it answers")
    eventually(lambda: len(collector.spans("kong.internal.request")) >= 2, "spans arrive")
    phase = next(s for s in collector.spans() if s["name"].startswith("kong.access.plugin"))
    good, bad = (s for s in collector.spans("kong.internal.request") if s["trace"] == phase["trace"])
    assert good["parent"] == phase["id"] and good["kind"] == 3 and good["attributes"] == {
        "http.url": f"http://127.0.0.1:{other.port}/none?x=1", "http.method": "POST", "http.flavor": "1.1", "http.user_agent": "mine",
        "http.status_code": 404}
    assert bad["events"] == ["exception"] and bad["status"] == 2 and "http.status_code" not in bad["attributes"]
    (query,) = (s for s in collector.spans("kong.database.query") if s["trace"] == phase["trace"])
    assert query["parent"] == phase["id"] and query["end"] >= query["start"]
    assert query["attributes"] == {"db.system": "lmdb", "db.statement": "consumers:select_by_username"}


def test_https_collectors_are_verified(make_node, origin, tmp_path):
    authority = Authority(tmp_path / "authority")
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 tls.test\n")
    server = TlsOrigin(authority.issue("tls.test"))
    collector = Collector(origin=server)
    node = start(make_node, collector.port, "https", "tls.test", dns_hostsfile=str(hosts), lua_ssl_trusted_certificate=authority.cert)
    node.route_to(origin)
    node.wait_settled()
    eventually(lambda: node.get("/r").status_code == 200, "it answers")
    eventually(lambda: counter(node, "otlp_spans_exported") > 0, "spans arrive")
    assert collector.spans("kong")


def test_off_adds_nothing(make_node, origin):
    node = make_node(workers="1").start()
    node.route_to(origin)
    node.wait_settled()
    answer = eventually(lambda: (r := node.get("/r")).status_code == 200 and r, "it answers")
    assert "traceparent" not in {n.lower() for n, v in answer.json()["headers"]}


def test_a_stop_sends_what_waits(make_node, origin):
    collector = Collector()
    node = start(make_node, collector.port, tracing_otlp_delay_ms="50000")
    node.route_to(origin)
    node.wait_settled()
    eventually(lambda: node.get("/r").status_code == 200, "it answers")
    node.stop()
    assert collector.spans("kong")
