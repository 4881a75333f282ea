"""Plugins appear and change under load; no request fails, and none sees half a version."""
import os
import re
import shutil
import subprocess
import time

import pytest
from load import Load
from node import SLOW, eventually


def stamper(version):
    """Stamps its version in two phases: a request that saw both must have seen one version."""
    return f"""
        local P = {{ PRIORITY = 10, VERSION = "1.0" }}
        function P:access() kong.ctx.plugin.v = {version}; kong.service.request.set_header("X-In", "{version}") end
        function P:header_filter()
          kong.response.set_header("X-Access", kong.ctx.plugin.v)
          kong.response.set_header("X-Filter", {version})
        end
        return P"""


def whole(status, headers, _body):
    if status != 200:
        return f"status {status}"
    if headers.get("x-access") != headers.get("x-filter"):
        return f"mixed versions: access {headers.get('x-access')}, header_filter {headers.get('x-filter')}"
    return None


def rss_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Rss:\s+(\d+)", f.read(), re.M).group(1))


def test_a_plugin_created_under_load_is_active_on_all_workers_within_a_second(node, origin):
    node.route_to(origin, name="r")
    eventually(lambda: node.get("/r").status_code == 200, "proxied")
    with Load(node.proxy_port, n=16, check=whole) as load:
        load.wait_for(100)
        node.plugin("stamp", stamper(1))
        node.make("/plugins", {"name": "stamp"})
        created = time.monotonic()
        node.wait_plugin("stamp")
        eventually(lambda: all(node.get("/r").headers.get("X-Filter") == "1" for _ in range(8)), "it acts on every request", every=0.01)
        waited = time.monotonic() - created
        load.wait_for(100)
    assert load.problems == []
    assert waited < 1.0 * SLOW
    status = node.plugin_status("stamp")
    assert re.fullmatch(r"[0-9a-f]{64}", status["version"])
    assert [(n["workers_active"], n["workers_total"], n["error"]) for n in status["nodes"]] == [(2, 2, None)]


@pytest.mark.long
def test_two_hundred_replacements_under_load_lose_nothing_mix_nothing_and_leak_nothing(node, origin):
    node.route_to(origin, name="r")
    node.plugin("stamp", stamper(0))
    node.make("/plugins", {"name": "stamp"})
    node.wait_plugin("stamp")
    with Load(node.proxy_port, n=16, check=whole) as load:
        for version in range(1, 31):
            assert node.admin("PATCH", "/custom-plugins/stamp", {"handler": stamper(version)}).status_code == 200
        load.wait_for(500)
        eventually(lambda: node.get("/r").headers["X-Filter"] == "30", "version 30 is in force")
        before = {pid: rss_kb(pid) for pid in node.worker_pids()}
        for version in range(31, 231):
            assert node.admin("PATCH", "/custom-plugins/stamp", {"handler": stamper(version)}).status_code == 200
        eventually(lambda: node.get("/r").headers["X-Filter"] == "230", "version 230 is in force")
        load.wait_for(500)
    assert load.problems == []

    def given_back():
        after = {pid: rss_kb(pid) for pid in node.worker_pids()}
        assert after.keys() == before.keys()
        assert all(after[pid] <= before[pid] * 1.05 for pid in before), (before, after)
        return True
    if SLOW == 1:  # a sanitizer's quarantine keeps memory by design
        eventually(given_back, "the memory of replaced versions is back", 20)


def test_a_plugin_and_its_instances_change_in_one_generation(node, origin):
    """The schema's new field is required: the old handler never sees it, the new one always does."""
    schema = 'return {{ name = "pair", fields = {{ {{ config = {{ type = "record", fields = {{ {} }} }} }} }} }}'
    code = 'local P = {{ PRIORITY = 1, VERSION = "1" }} function P:access(conf) kong.response.exit(200, "{} " .. tostring(conf.{})) end return P'
    node.route_to(origin, name="r")
    node.plugin("pair", code.format("old", "a"), schema.format('{ a = { type = "string", default = "A" } }'))
    node.make("/plugins", {"name": "pair"})
    eventually(lambda: node.get("/r").text == "old A", "the first version acts")

    def one_of_two(status, _headers, body):
        return None if status == 200 and body in (b"old A", b"new B") else f"{status} {body!r}"
    with Load(node.proxy_port, n=8, check=one_of_two) as load:
        load.wait_for(50)
        r = node.admin("PATCH", "/custom-plugins/pair", {
            "handler": code.format("new", "b"),
            "schema": schema.format('{ a = { type = "string" } }, { b = { type = "string", default = "B" } }')})
        assert r.status_code == 200, r.text
        eventually(lambda: node.get("/r").text == "new B", "the second version acts")
        load.wait_for(50)
    assert load.problems == []


def test_deleting_the_instance_under_load_stops_the_plugin(node, origin):
    node.route_to(origin, name="r")
    node.plugin("stamp", stamper(1))
    instance = node.make("/plugins", {"name": "stamp"})
    eventually(lambda: "X-Filter" in node.get("/r").headers, "it acts")
    with Load(node.proxy_port, n=8, check=whole) as load:
        assert node.admin("DELETE", f"/plugins/{instance['id']}").status_code == 204
        eventually(lambda: "X-Filter" not in node.get("/r").headers, "it is gone")
        load.wait_for(100)
    assert load.problems == []
    assert node.admin("DELETE", "/custom-plugins/stamp").status_code == 204
    assert node.plugin_status("stamp").get("message") == "Not found"


@pytest.mark.long
@pytest.mark.skipif(shutil.which("wrk") is None, reason="needs wrk")
def test_wrk_with_64_connections_sees_no_error_and_nothing_is_left_open(node, origin):
    node.route_to(origin, name="r")
    eventually(lambda: node.get("/r").status_code == 200, "proxied")
    wrk = subprocess.Popen(["wrk", "-t1", "-c64", "-d8s", node.url("/r")], stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    node.plugin("stamp", stamper(0))
    node.make("/plugins", {"name": "stamp"})
    node.wait_plugin("stamp", 1)
    for version in range(1, 101):
        assert node.admin("PATCH", "/custom-plugins/stamp", {"handler": stamper(version)}).status_code == 200
    said = wrk.communicate()[0]
    assert wrk.returncode == 0 and int(re.search(r"(\d+) requests in", said).group(1)) > 0, said
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    pids = [node.process.pid, *node.worker_pids()]

    def open_files():
        return [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]
    before = eventually(lambda: open_files() if max(open_files()[1:]) < 64 + 40 else None, "the clients' sockets are closed")
    for version in range(101, 151):
        assert node.admin("PATCH", "/custom-plugins/stamp", {"handler": stamper(version)}).status_code == 200
    node.wait_settled()
    assert all(now <= then + 2 for now, then in zip(open_files(), before)), (before, open_files())
    states = subprocess.run(["ps", "-o", "stat=", "--ppid", str(node.process.pid)], capture_output=True, text=True, check=True).stdout
    assert "Z" not in states, states


MEGABYTE = "local t = {} for i = 1, 10 do t[i] = ('x'):rep(100000) .. i end"


def rss_of_all(node):
    return {pid: rss_kb(pid) for pid in [node.process.pid, *node.worker_pids()]}


@pytest.mark.long
def test_a_thousand_replacements_leave_master_and_workers_as_large_as_they_were(make_node, origin):
    """Flat: within 6 %, or 2 MB, of what it was after the first hundred; each version holds a megabyte and more."""
    node = make_node(plugin_limits_cpu_ms="500").start()
    node.route_to(origin, name="r")
    node.plugin("stamp", MEGABYTE + stamper(0))
    node.make("/plugins", {"name": "stamp"})
    node.wait_plugin("stamp")
    before = None
    with Load(node.proxy_port, n=4, check=whole) as load:
        for version in range(1, 1101):
            assert node.admin("PATCH", "/custom-plugins/stamp", {"handler": MEGABYTE + stamper(version)}).status_code == 200
            if version == 100:
                eventually(lambda: node.get("/r").headers["X-Filter"] == "100", "version 100 is in force", 30)
                before = rss_of_all(node)
        eventually(lambda: node.get("/r").headers["X-Filter"] == "1100", "the last version is in force", 30)
        load.wait_for(100)
    assert load.problems == []

    def flat():
        after = rss_of_all(node)
        assert after.keys() == before.keys()
        assert all(after[pid] <= max(before[pid] * 1.06, before[pid] + 2048) for pid in before), (before, after)
        return True
    if SLOW == 1:  # a sanitizer's quarantine keeps memory by design
        eventually(flat, "the memory of replaced versions is back", 20)


def test_a_removed_plugin_gives_its_memory_back(node, origin):
    node.route_to(origin, name="r")
    eventually(lambda: node.get("/r").status_code == 200, "proxied")
    before = rss_of_all(node)
    names = [f"fat{i}" for i in range(8)]
    for name in names:
        node.make("/custom-plugins", {
            "name": name, "limits": {"cpu_ms": 200},
            "schema": f'return {{ name = "{name}", fields = {{ {{ config = {{ type = "record", fields = {{}} }} }} }} }}',
            "handler": 'local keep = {} for i = 1, 10 do keep[i] = ("x"):rep(1000000) .. i end\n'
                       'local P = { PRIORITY = 1, VERSION = "1" } function P:access() kong.ctx.plugin.n = #keep end return P'})
        node.make("/plugins", {"name": name})
    node.wait_plugin(names[-1])
    for _ in range(20):
        assert node.get("/r").status_code == 200
    grown = eventually(lambda: (now := rss_of_all(node)) and min(now[p] - before[p] for p in node.worker_pids()) > 50000 and now, "they hold memory")
    for p in node.admin("GET", "/plugins").json()["data"]:
        assert node.admin("DELETE", f"/plugins/{p['id']}").status_code == 204
    for name in names:
        assert node.admin("DELETE", f"/custom-plugins/{name}").status_code == 204

    def back():
        now = rss_of_all(node)
        assert all(now[p] - before[p] < (grown[p] - before[p]) * 0.1 + 4096 for p in node.worker_pids()), (before, grown, now)
        return True
    if SLOW == 1:
        eventually(back, "it is back", 20)
