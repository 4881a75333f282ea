"""What a plugin may use of time, memory, log and output; who decides; that no pcall gets around it."""
import threading
import time

import pytest
from node import eventually, slow

BUSY = "local t = os.clock() while os.clock() - t < {} do end"


def handler(body, phase="access"):
    return f'local P = {{ PRIORITY = 10, VERSION = "1.0" }}\nfunction P:{phase}(conf)\n  {body}\nend\nreturn P'


def install(node, body, phase="access", limits=None, instance=None):
    """Plugin p on route /r; a request that names no limit is the plugin's business."""
    node.make("/custom-plugins", {
        "name": "p", "handler": handler(body, phase), **({"limits": limits} if limits else {}),
        "schema": 'return { name = "p", fields = { { config = { type = "record", fields = {} } } } }'})
    made = node.make("/routes/r/plugins", {"name": "p", **(instance or {})})
    node.wait_plugin("p")
    node.wait_settled()
    return made


def counters(node, name="p"):
    return next(p for p in node.status("/plugins")["plugins"] if p["name"] == name)["counters"]


def limits_shown(node, name="p"):
    return next(p for p in node.status("/plugins")["plugins"] if p["name"] == name)["limits"]


@pytest.fixture
def routed(make_node, origin):
    def make(**conf):
        node = make_node(workers="1", plugin_breaker_trips="0", **conf).start()
        node.route_to(origin, name="r")
        node.route_to(origin, name="calm")
        return node
    return make


# ---- wall time ----

def test_a_phase_that_waits_too_long_is_ended_and_its_waiting_costs_no_cpu(routed):
    node = routed(plugin_limits_wall_ms=300, plugin_limits_cpu_ms=50)
    install(node, 'local s = ngx.req.get_uri_args().s\n'
                  '  while true do pcall(ngx.sleep, tonumber(s)) if s == "0.1" then return end end')
    assert node.get("/r?s=0.1").status_code == 200
    for forever in ("0.05", "3600"):
        began = time.monotonic()
        r = node.get(f"/r?s={forever}")
        took = time.monotonic() - began
        assert r.status_code == 500 and r.json()["message"] == "An unexpected error occurred"
        assert 0.3 <= took < 0.3 + 2 * slow()
    assert "limit=wall_ms=300" in node.log() and "was not done after its 300 ms" in node.log()
    assert "limit=cpu_ms" not in node.log()
    eventually(lambda: counters(node)["wall_trips"] == 2, "both are counted")
    assert counters(node)["cpu_trips"] == 0
    assert node.get("/calm").status_code == 200


def test_on_error_open_goes_on_after_a_wait_that_was_ended(routed):
    node = routed(plugin_limits_wall_ms=100)
    install(node, "ngx.sleep(3600)", instance={"on_error": "open"})
    assert node.get("/r").status_code == 200
    assert node.post("/r", "a body").json()["body"] == "a body"


def test_the_wait_for_a_slow_clients_body_is_the_clients_time(routed):
    node = routed(plugin_limits_wall_ms=200)
    install(node, 'kong.response.exit(200, kong.request.get_raw_body())')

    def slowly():
        for piece in (b"one ", b"two ", b"three"):
            time.sleep(0.25)
            yield piece
    r = node.post("/r", slowly())
    assert (r.status_code, r.text) == (200, "one two three")
    assert "wall_ms" not in node.log()


def test_a_wait_after_a_slow_body_still_has_its_end(routed):
    node = routed(plugin_limits_wall_ms=200)
    install(node, 'kong.request.get_raw_body() ngx.sleep(3600)')

    def slowly():
        time.sleep(0.5)
        yield b"late"
    assert node.post("/r", slowly()).status_code == 500
    assert "limit=wall_ms=200" in node.log()


# ---- output ----

@pytest.mark.parametrize("what", [
    "kong.response.exit(200, ('x'):rep(n))",
    "kong.response.exit(200, { t = ('x'):rep(n) })",
    "for i = 1, n / 1000 do ngx.print(('x'):rep(1000)) end",
    "kong.service.request.set_raw_body(('x'):rep(n))",
    "for i = 1, n / 100 do kong.service.request.add_header('X-A' .. i, ('x'):rep(95)) end",
    "for i = 1, n / 1000 do kong.response.set_header('X-A', { ('x'):rep(1000) }) end",
    "for i = 1, n / 1000 do kong.response.set_headers({ ['X-A'] = ('x'):rep(1000) }) end",
    "ngx.req.init_body() for i = 1, n / 1000 do ngx.req.append_body(('x'):rep(1000)) end",
    "for i = 1, n / 1000 do ngx.header['X-A'] = ('x'):rep(1000) end",
    "for i = 1, n / 1000 do kong.service.request.set_raw_query(('x'):rep(1000)) end",
])
def test_a_phase_that_makes_too_much_is_ended_whatever_it_makes(routed, what):
    node = routed(plugin_limits_output_kb=16, plugin_limits_cpu_ms=200)
    install(node, f'local n = tonumber(ngx.req.get_uri_args().n)\n  for i = 1, 2 do pcall(function() {what} end) if n < 10000 then return end end')
    assert node.get("/r?n=4000").status_code == 200, node.log()[-1000:]
    r = node.get("/r?n=40000")
    assert r.status_code == 500 and r.json()["message"] == "An unexpected error occurred"
    assert "limit=output_kb=16" in node.log() and "made more output than it may" in node.log()
    eventually(lambda: counters(node)["output_trips"] == 1, "it is counted")


def test_what_a_plugin_printed_before_it_was_stopped_is_not_sent(routed):
    node = routed()
    install(node, 'ngx.print("half an answer") if ngx.req.get_uri_args().loop then while true do end end error("no")')
    for path in ("/r", "/r?loop=1"):
        r = node.get(path)
        assert r.status_code == 500 and "half" not in r.text
    node.admin("PATCH", f"/plugins/{node.admin('GET', '/plugins').json()['data'][0]['id']}", {"on_error": "open"})
    node.wait_settled()
    r = node.get("/r")
    assert r.status_code == 200 and "half" not in r.text


def test_a_body_filter_that_makes_too_much_of_a_piece_changes_nothing_of_it(routed):
    node = routed(plugin_limits_output_kb=1)
    install(node, "if ngx.arg[1] ~= '' then ngx.arg[1] = ('y'):rep(2000) end", phase="body_filter")
    r = node.get("/r")
    assert r.status_code == 200 and r.json()["target"] == "/"
    assert "limit=output_kb=1" in node.log()


# ---- log lines ----

def test_log_lines_are_counted_per_run_however_runs_interleave(routed):
    node = routed(plugin_limits_log_lines=10)
    install(node, 'local who = ngx.req.get_uri_args().who\n'
                  '  for i = 1, 6 do kong.log.err("line of ", who) ngx.sleep(0.02) end\n'
                  '  for i = 1, 6 do kong.log.err("line of ", who) end')
    threads = [threading.Thread(target=node.get, args=(f"/r?who=w{i}e",)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i in range(4):
        assert node.log().count(f"line of w{i}e") == 10
    assert node.log().count("printed too many log lines") == 4


# ---- whose limits ----

def test_the_instances_limits_go_over_the_plugins_and_those_over_the_nodes(routed):
    node = routed(plugin_limits_cpu_ms=10)
    made = install(node, BUSY.format(0.03))
    assert node.get("/r").status_code == 500
    assert node.admin("PATCH", "/custom-plugins/p", {"limits": {"cpu_ms": 500}}).status_code == 200
    eventually(lambda: node.get("/r").status_code == 200, "the plugin's own limit")
    assert node.admin("PATCH", f"/plugins/{made['id']}", {"limits": {"cpu_ms": 5}}).status_code == 200
    eventually(lambda: node.get("/r").status_code == 500, "the instance's own limit")
    assert "limit=cpu_ms=5" in node.log()
    shown = limits_shown(node)
    assert (shown["cpu_ms"], shown["memory_mb"], shown["capped"]) == (500, 64, [])
    assert [(i["id"], i["cpu_ms"], i["wall_ms"]) for i in shown["instances"]] == [(made["id"], 5, 60000)]
    assert node.admin("PATCH", f"/plugins/{made['id']}", {"limits": None}).status_code == 200
    eventually(lambda: node.get("/r").status_code == 200, "the plugin's again")
    assert node.admin("PATCH", "/custom-plugins/p", {"limits": None}).status_code == 200
    eventually(lambda: node.get("/r").status_code == 500, "the node's again")


def test_a_change_of_limits_is_in_force_once_the_admin_api_says_active(routed):
    node = routed(plugin_limits_cpu_ms=10)
    install(node, BUSY.format(0.03))
    for cpu_ms, status in ((500, 200), (10, 500)) * 3:
        assert node.admin("PATCH", "/custom-plugins/p", {"limits": {"cpu_ms": cpu_ms}}).status_code == 200
        node.wait_plugin("p")
        assert node.get("/r").status_code == status


def test_memory_and_output_and_wall_of_a_plugin_alone(routed):
    node = routed(plugin_limits_cpu_ms=500)
    fill = "local t = {} for i = 1, 40 do t[i] = ('x'):rep(250000) .. i end kong.response.exit(200, ('x'):rep(5000))"
    install(node, fill)
    assert node.get("/r").status_code == 200
    for limits, logged in (({"memory_mb": 4}, "limit=memory_mb=4"), ({"output_kb": 4}, "limit=output_kb=4"),
                           ({"log_lines": 7}, None)):
        assert node.admin("PUT", "/custom-plugins/p", {**node.admin("GET", "/custom-plugins/p").json(), "limits": limits}).status_code == 200
        node.wait_plugin("p")
        assert node.get("/r").status_code == (500 if logged else 200), limits
        assert logged is None or logged in node.log()
    assert limits_shown(node)["log_lines"] == 7


# ---- the operator's cap ----

def test_what_is_asked_for_above_the_cap_is_capped_logged_once_and_shown(routed):
    node = routed(plugin_limits_cpu_ms=10, plugin_limits_cpu_ms_max=20, plugin_limits_memory_mb_max=100)
    made = install(node, BUSY.format(0.2), limits={"cpu_ms": 5000, "memory_mb": 1000, "wall_ms": 1000},
                   instance={"limits": {"cpu_ms": 3000}})
    assert node.get("/r").status_code == 500
    assert "limit=cpu_ms=20" in node.log()
    shown = limits_shown(node)
    assert (shown["cpu_ms"], shown["memory_mb"], shown["wall_ms"]) == (20, 100, 1000)
    assert shown["capped"] == ["cpu_ms", "memory_mb"]
    assert [(i["id"], i["cpu_ms"], i["capped"]) for i in shown["instances"]] == [(made["id"], 20, ["cpu_ms"])]
    # the entity keeps what was asked for
    assert node.admin("GET", "/custom-plugins/p").json()["limits"]["cpu_ms"] == 5000
    node.make("/consumers", {"username": "another generation"})
    node.wait_settled()
    lines = [line for line in node.log().splitlines() if "limit capped by this node" in line]
    assert sorted((("instance=" in line), "limit=cpu_ms" in line) for line in lines) == [(False, False), (False, True), (True, True)]
    assert any("asked=5000 given=20" in line for line in lines)
    out = node.ctl("plugins").stdout
    assert "p: cpu_ms capped at 20 by the node" in out and f"p instance {made['id']}: cpu_ms capped at 20" in out


def test_a_node_whose_own_default_is_above_the_cap_means_its_default(routed):
    node = routed(plugin_limits_cpu_ms=300, plugin_limits_cpu_ms_max=20)
    install(node, BUSY.format(0.1), limits={"cpu_ms": 5000})
    assert node.get("/r").status_code == 200
    assert limits_shown(node)["cpu_ms"] == 300 and limits_shown(node)["capped"] == ["cpu_ms"]


# ---- the Admin API and the file ----

@pytest.mark.parametrize("limits, field, message", [
    ({"cpu_ms": 0}, "cpu_ms", "value should be between 1 and 60000"),
    ({"cpu_ms": "fast"}, "cpu_ms", "expected an integer"),
    ({"wall_ms": -1}, "wall_ms", "value should be between 1 and 86400000"),
    ({"output_kb": 1.5}, "output_kb", "expected an integer"),
    ({"cpu": 1}, "cpu", "unknown field"),
])
def test_limits_that_are_none_are_refused_with_field_and_reason(routed, limits, field, message):
    node = routed()
    install(node, "")
    for path in ("/custom-plugins/p", f"/plugins/{node.admin('GET', '/plugins').json()['data'][0]['id']}"):
        r = node.admin("PATCH", path, {"limits": limits})
        assert r.status_code == 400
        assert r.json()["fields"]["limits"][field] == message
    assert node.get("/r").status_code == 200


def test_memory_of_an_instance_alone_is_refused_and_the_message_says_what_to_do(routed):
    node = routed()
    install(node, "")
    r = node.admin("POST", "/plugins", {"name": "p", "limits": {"memory_mb": 8}})
    assert r.status_code == 400
    assert "set limits.memory_mb on the custom plugin" in r.json()["fields"]["limits"]["memory_mb"]


def test_a_form_sets_them_and_the_schemas_show_them(routed):
    node = routed()
    install(node, "")
    r = node.session.patch(f"http://127.0.0.1:{node.admin_port}/custom-plugins/p", data={"limits.cpu_ms": "33"}, timeout=10 * slow())
    assert r.status_code == 200 and r.json()["limits"]["cpu_ms"] == 33
    for entity, names in (("custom_plugins", {"cpu_ms", "wall_ms", "memory_mb", "log_lines", "output_kb"}),
                          ("plugins", {"cpu_ms", "wall_ms", "log_lines", "output_kb"})):
        fields = node.admin("GET", f"/schemas/{entity}").json()["fields"]
        limits = next(f["limits"] for f in fields if "limits" in f)
        assert names <= {name for f in limits["fields"] for name in f}


def test_a_declarative_file_sets_them(make_node, origin):
    source = handler(BUSY.format(0.05)).replace("\n", "\n      ")
    node = make_node(workers="1", database="off", plugin_breaker_trips="0")
    path = node.directory / "kong.yaml"
    text = f"""
_format_version: "3.0"
services:
- name: s
  url: http://127.0.0.1:{origin.port}
  routes:
  - name: a
    paths: [/a]
    plugins:
    - name: p
      limits: {{ cpu_ms: 5 }}
  - name: b
    paths: [/b]
    plugins:
    - name: p
custom_plugins:
- name: p
  limits: {{ cpu_ms: 400, output_kb: 9 }}
  schema: 'return {{ name = "p", fields = {{ {{ config = {{ type = "record", fields = {{}} }} }} }} }}'
  handler: |
      {source}
"""
    path.write_text(text)
    node.conf["declarative_config"] = str(path)
    node.start()
    eventually(lambda: (node.get("/a").status_code, node.get("/b").status_code) == (500, 200), "each has its limit")
    assert limits_shown(node)["output_kb"] == 9
