"""Traffic by route, as the status API and /metrics tell it."""
import re
import time

import requests
from node import eventually


def metrics(node):
    return requests.get(f"http://127.0.0.1:{node.status_port}/metrics", timeout=10).text


def sample(text, name, **labels):
    """The value of the series that has these labels; 0 = there is none."""
    for line in text.splitlines():
        if line.startswith(name + "{") and all(f'{k}="{v}"' in line for k, v in labels.items()):
            return float(line.rsplit(" ", 1)[1])
    return 0


def routes(node):
    return {r["route"]: r for r in node.status("/traffic")["routes"]}


def test_each_request_counts_once_for_its_route_its_status_and_who_answered(make_node, origin):
    node = make_node(workers="3").start()
    node.route_to(origin, name="good")
    node.route_to(origin, name="bad")
    node.plugin("fails", 'return { PRIORITY = 1, VERSION = "1.0", access = function() error("no") end }')
    node.plugin("exits", 'return { PRIORITY = 1, VERSION = "1.0", access = function() kong.response.exit(418, "x") end }')
    node.make("/routes/bad/plugins", {"name": "fails"})
    node.wait_plugin("exits")
    node.wait_settled()
    for _ in range(30):
        assert node.get("/good").status_code == 200  # a connection each: every worker gets some
    for _ in range(3):
        assert node.get("/bad").status_code == 500
    assert node.get("/nowhere").status_code == 404
    assert b" 400 " in node.raw(b"nonsense\r\n\r\n")
    node.make("/routes/good/plugins", {"name": "exits"})
    node.wait_settled()
    assert node.get("/good").status_code == 418
    seen = eventually(lambda: (r := routes(node))["good"]["requests"] == 31 and r, "all are counted")
    assert seen["good"]["statuses"] == {"200": 30, "418": 1}
    assert seen["good"]["service"] == "s-good"
    assert seen["good"]["service_time"]["count"] == 30 and seen["good"]["request"]["count"] == 31
    assert seen["bad"]["statuses"] == {"500": 3}
    assert seen[""]["statuses"] == {"404": 1, "400": 1} and seen[""]["id"] == ""
    text = metrics(node)
    assert sample(text, "kong_http_requests_total", service="s-good", route="good", code="200", source="service") == 30
    assert sample(text, "kong_http_requests_total", route="good", code="418", source="kong") == 1
    assert sample(text, "kong_http_requests_total", route="bad", code="500", source="custom") == 3
    assert sample(text, "kong_http_requests_total", route="", code="404", source="kong") == 1
    assert sample(text, "kong_bandwidth_bytes", route="good", direction="egress") > 30 * 50
    assert sample(text, "kong_bandwidth_bytes", route="good", direction="ingress") > 30 * 20


def test_the_services_time_and_the_gateways_are_told_apart(make_node, origin):
    node = make_node(workers="2").start()
    node.route_to(origin)
    node.wait_settled()
    origin.behave = lambda request: time.sleep(0.12)  # and then its usual answer
    for _ in range(5):
        assert node.get("/r").status_code == 200
    eventually(lambda: routes(node)["r"]["requests"] == 5, "all are counted")
    r = routes(node)["r"]
    assert r["service_time"]["sum_ns"] >= 5 * 115e6
    assert r["request"]["sum_ns"] >= r["service_time"]["sum_ns"] + r["gateway"]["sum_ns"]
    text = metrics(node)
    assert sample(text, "kong_upstream_latency_ms_bucket", route="r", le="100") == 0
    assert sample(text, "kong_upstream_latency_ms_bucket", route="r", le="+Inf") == 5
    assert sample(text, "kong_upstream_latency_ms_count", route="r") == 5
    assert sample(text, "kong_upstream_latency_ms_sum", route="r") >= 5 * 115
    assert sample(text, "kong_kong_latency_ms_count", route="r") == 5


def test_a_renamed_route_goes_on_and_hostile_names_cannot_forge_lines(make_node, origin):
    node = make_node(workers="1").start()
    node.route_to(origin)
    node.wait_settled()
    node.get("/r")
    node.admin("PATCH", "/routes/r", {"name": "renamed"})
    node.wait_settled()
    node.get("/r")
    eventually(lambda: routes(node)["renamed"]["requests"] == 2, "both are counted under the new name")
    for line in metrics(node).splitlines():
        assert re.match(r'^(#.*|[a-z_:][a-z_:0-9]*(\{([a-z_]+="([^"\\]|\\.)*",?)*\})? [-+0-9.eInfNa]+)$', line), line


def test_routes_past_the_limit_are_counted_together(make_node, origin):
    node = make_node(workers="1", traffic_routes="16").start()
    for i in range(20):
        node.route_to(origin, name=f"r{i}")
    node.wait_settled()
    for i in range(20):
        assert node.get(f"/r{i}").status_code == 200
    eventually(lambda: sum(r["requests"] for r in routes(node).values()) == 20, "none is lost")
    assert routes(node)["(others)"]["requests"] == 5
