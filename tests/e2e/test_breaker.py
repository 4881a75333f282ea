"""A plugin that trips its budgets again and again is suspended on its node, tried, and let in again."""
import os
import re
import signal
import threading
import time

import pytest
from load import Load
from node import eventually, pid_is_alive

WILD = 'if kong.request.get_header("X-Wild") then while true do end end kong.service.request.set_header("X-In", "yes")'
FAST = {"plugin_breaker_trips": "5", "plugin_breaker_window_ms": "60000", "plugin_breaker_retry_ms": "700"}
SUSPENDED = "A plugin of this route is suspended: it went over its limits too often"


def handler(body=WILD, phase="access"):
    return f'local P = {{ PRIORITY = 10, VERSION = "1.0" }}\nfunction P:{phase}(conf)\n  {body}\nend\nreturn P'


def wild(node, path="/r"):
    return node.get(path, headers={"X-Wild": "1"})


@pytest.fixture
def started(make_node, origin):
    def make(phase="access", body=WILD, on_error=None, **conf):
        node = make_node(**{**FAST, **conf}).start()
        node.route_to(origin, name="r")
        node.route_to(origin, name="calm")
        node.plugin("p", handler(body, phase))
        node.make("/routes/r/plugins", {"name": "p", **({"on_error": on_error} if on_error else {})})
        node.wait_plugin("p")
        node.wait_settled()
        return node
    return make


def is_marked(response):
    """The plugin ran: the service saw its header."""
    return "x-in" in {name.lower() for name, _ in response.json()["headers"]}


def breaker(node):
    return next(p for p in node.status("/plugins")["plugins"] if p["name"] == "p")["breaker"]


def told(node):
    return node.plugin_status("p")["nodes"][0]["breaker"]


def metric(node, name):
    text = node.session.get(f"http://127.0.0.1:{node.status_port}/metrics").text
    found = re.search(rf'^{name}{{plugin="p"}} (\d+)$', text, re.M)
    return int(found.group(1)) if found else None  # counters come with a worker's next report


def suspend(node):
    for _ in range(5):
        assert wild(node).status_code == 500
    assert breaker(node)["state"] == "open"


def test_trips_on_all_workers_together_suspend_it_and_everybody_is_told(started):
    node = started(workers="4", plugin_breaker_retry_ms="60000")
    eventually(lambda: told(node) == "closed", "the control plane is told", 3)
    assert metric(node, "sluice_plugin_breaker_state") == 0
    pids = set()
    for i in range(5):
        assert node.get("/r").status_code == 200, f"after {i} trips"
        assert wild(node).status_code == 500
        pids |= set(re.findall(r'pid=(\d+) msg="plugin stopped', node.log()))
    for _ in range(20):
        r = node.get("/r")
        assert (r.status_code, r.json()["message"]) == (503, SUSPENDED), r.text
        assert "request_id" in r.json()
    assert node.get("/calm").status_code == 200
    assert len(pids) > 1, "more than one worker counted"
    shown = breaker(node)
    assert (shown["state"], shown["opens"]) == ("open", 1) and 0 < shown["retry_in_ms"] <= 60000
    eventually(lambda: told(node) == "open", "the control plane is told", 3)
    assert (metric(node, "sluice_plugin_breaker_state"), metric(node, "sluice_plugin_breaker_opens_total")) == (1, 1)
    eventually(lambda: metric(node, "sluice_plugin_held_total") == 20, "those that were held are counted", 5)
    assert node.log().count('msg="plugin suspended: too many trips"') == 1
    out = node.ctl("plugins").stdout
    assert re.search(r"^p\b.*\bopen\b", out, re.M) and "p: suspended after too many trips; tried again in" in out
    assert node.plugin_status("p")["active"], "it is what the workers run; that it is suspended is another matter"


def test_with_on_error_open_requests_pass_it_by(started):
    node = started(on_error="open", plugin_breaker_retry_ms="60000")
    assert is_marked(node.get("/r"))
    for _ in range(5):
        assert wild(node).status_code == 200
    before = node.log().count("plugin stopped at its limit")
    for _ in range(10):
        r = wild(node)
        assert r.status_code == 200 and not is_marked(r)
    assert node.log().count("plugin stopped at its limit") == before, "it is not run at all"


def test_one_request_tries_it_and_it_works_again(started):
    node = started()
    suspend(node)
    assert node.get("/r").status_code == 503
    time.sleep(0.8)
    # the first to come tries it; it is well
    assert node.get("/r").status_code == 200
    eventually(lambda: breaker(node)["state"] == "closed", "closed", 2)
    for _ in range(10):
        assert node.get("/r").status_code == 200
    eventually(lambda: told(node) == "closed", "the control plane is told", 3)
    for line in ("suspended plugin is tried", "plugin works again"):
        assert node.log().count(f'msg="{line}"') == 1
    # and it takes five trips more to suspend it again
    for _ in range(4):
        assert wild(node).status_code == 500
    assert node.get("/r").status_code == 200
    assert wild(node).status_code == 500
    assert node.get("/r").status_code == 503


def test_while_it_is_ill_ever_fewer_requests_try_it(started):
    node = started(plugin_breaker_retry_ms="200")
    suspend(node)
    tried = []
    end = time.monotonic() + 4
    while time.monotonic() < end:
        code = wild(node).status_code
        assert code in (500, 503)
        if code == 500:
            tried.append(time.monotonic())
    gaps = [b - a for a, b in zip(tried, tried[1:])]
    assert 2 <= len(tried) <= 4, tried
    assert all(later >= 1.7 * earlier for earlier, later in zip(gaps, gaps[1:])), gaps
    assert node.log().count('msg="suspended plugin tripped again"') == len(tried)


def test_a_try_under_load_is_one_request(started):
    # the one that tries takes a second: all others are held meanwhile
    node = started(body='if kong.request.get_header("X-Wild") then while true do end end ngx.sleep(1)', workers="2",
                   plugin_breaker_retry_ms="3000")
    suspend(node)

    def held_or_good(status, _headers, _body):
        return None if status in (200, 503) else f"status {status}"
    with Load(node.proxy_port, "/r", n=16, check=held_or_good) as load:
        eventually(lambda: breaker(node)["state"] == "half_open", "tried", 5)
        eventually(lambda: told(node) == "half_open", "the control plane is told", 3)
        eventually(lambda: breaker(node)["state"] == "closed", "well again", 5)
        load.wait_for(50)
    assert load.problems == []
    assert node.log().count('msg="suspended plugin is tried"') == 1


def test_a_try_that_takes_longer_than_the_wait_still_counts(started):
    node = started(body='if kong.request.get_header("X-Wild") then while true do end end ngx.sleep(1)', plugin_breaker_retry_ms="300")
    suspend(node)
    time.sleep(0.4)
    assert node.get("/r").status_code == 200
    eventually(lambda: breaker(node)["state"] == "closed", "closed", 1)


def test_a_client_that_leaves_while_it_tries_says_nothing_of_the_plugin(started):
    node = started(body='if kong.request.get_header("X-Wild") then while true do end end ngx.sleep(tonumber(kong.request.get_header("X-Sleep") or 0))',
                   workers="1", plugin_breaker_retry_ms="1500")
    suspend(node)
    time.sleep(1.6)
    node.raw(b"GET /r HTTP/1.1\r\nHost: x\r\nX-Sleep: 30\r\n\r\n", timeout=0.1)
    eventually(lambda: node.get("/r").status_code == 200, "the next one tries", 5)
    assert node.log().count('msg="suspended plugin is tried"') == 2
    node.process.kill()  # it would end the sleeper's phase first


def test_replaced_code_starts_closed_and_so_do_other_limits(started):
    node = started(plugin_breaker_retry_ms="60000")
    for change in ({"handler": handler(WILD + "\n  -- another")}, {"limits": {"cpu_ms": 30}}):
        suspend(node)
        assert node.get("/r").status_code == 503
        assert node.admin("PATCH", "/custom-plugins/p", change).status_code == 200
        node.wait_plugin("p")
        assert node.get("/r").status_code == 200
        assert breaker(node)["state"] == "closed"
    # tags are no other code
    suspend(node)
    assert node.admin("PATCH", "/custom-plugins/p", {"tags": ["a"]}).status_code == 200
    node.wait_settled()
    assert node.get("/r").status_code == 503


def test_it_stays_suspended_when_workers_die_and_the_new_ones_know(started):
    node = started(workers="2", plugin_breaker_retry_ms="60000")
    node.may_crash = True  # we kill them
    suspend(node)
    old = node.worker_pids()
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(pid_is_alive(p) for p in old) and len(node.worker_pids()) == 2, "other workers", 15)
    for _ in range(6):
        assert node.get("/r").status_code == 503


def test_a_worker_killed_in_the_middle_of_a_try_does_not_hold_it_for_ever(started):
    node = started(body='if kong.request.get_header("X-Wild") then while true do end end ngx.sleep(tonumber(kong.request.get_header("X-Sleep") or 0))',
                   workers="1")
    node.may_crash = True
    suspend(node)
    time.sleep(0.8)

    def tries():
        try:
            node.get("/r", headers={"X-Sleep": "30"})
        except OSError:
            pass  # its worker is killed
    t = threading.Thread(target=tries)
    t.start()
    eventually(lambda: breaker(node)["state"] == "half_open", "it is tried", 3)
    os.kill(node.worker_pids()[0], signal.SIGKILL)
    t.join()
    eventually(lambda: node.get("/r").status_code == 200, "another request tries it", 10)


def test_errors_are_no_trips(started):
    node = started(body='error("no")', plugin_breaker_trips="2")
    for _ in range(10):
        assert node.get("/r").status_code == 500
    assert breaker(node) == {"state": "closed", "opens": 0, "retry_in_ms": 0}


@pytest.mark.parametrize("phase", ["header_filter", "body_filter", "log"])
def test_a_suspended_later_phase_is_left_out(started, phase):
    node = started(phase=phase, plugin_breaker_retry_ms="60000")
    for _ in range(5):
        assert wild(node).status_code == 200
    eventually(lambda: breaker(node)["state"] == "open", "suspended", 2)
    before = node.log().count("plugin stopped at its limit")
    for _ in range(5):
        assert wild(node).status_code == 200
    assert node.log().count("plugin stopped at its limit") == before


def test_memory_wall_and_output_trips_suspend_too(started):
    node = started(body='''local what = kong.request.get_header("X-Wild")
  if what == "wall" then ngx.sleep(60) end
  if what == "output" then kong.response.exit(200, ("x"):rep(9000)) end
  if what == "memory" then local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(10000) .. i end end''',
                   plugin_breaker_trips="3", plugin_breaker_retry_ms="60000", plugin_limits_wall_ms="100",
                   plugin_limits_output_kb="8", plugin_limits_memory_mb="8", plugin_limits_cpu_ms="300")
    for what in ("wall", "output", "memory"):
        assert node.get("/r").status_code == 200
        assert node.get("/r", headers={"X-Wild": what}).status_code == 500
    assert node.get("/r").status_code == 503


def test_zero_trips_switch_it_off(started):
    node = started(plugin_breaker_trips="0")
    for _ in range(30):
        assert wild(node).status_code == 500
    assert node.get("/r").status_code == 200 and breaker(node)["state"] == "closed"


def test_its_neighbours_do_not_notice(started):
    node = started(workers="1", plugin_breaker_retry_ms="100")
    with Load(node.proxy_port, "/calm", n=4) as calm:
        calm.wait_for(50)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            wild(node)
        calm.wait_for(50)
    assert calm.problems == []
    assert breaker(node)["opens"] >= 2
