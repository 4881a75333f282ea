"""What plugins cost, as a node tells it: counted exactly, true within the error of a bucket."""
import json
import os
import re
import signal
import subprocess

import pytest
import requests
from load import Load
from node import eventually

SPIN = """
local P = { PRIORITY = 10, VERSION = "1.0" }
function P:access()
  local till = os.clock() + 0.003
  while os.clock() < till do end
end
function P:log() end
return P
"""
WAIT = """
local P = { PRIORITY = 5, VERSION = "1.0" }
function P:access() ngx.sleep(0.05) end
return P
"""


def rows(node):
    return {(r["plugin"], r["phase"]): r for r in node.status("/latency")["plugins"]}


def count(node, plugin, phase):
    return rows(node).get((plugin, phase), {"count": 0})["count"]


def quantile(row, part):
    """The bucket (from, to) that the part-th value is in."""
    seen = 0
    for low, high, n in row["buckets"]:
        seen += n
        if seen >= part * row["count"]:
            return low, high
    raise AssertionError("no buckets")


def add(node, name, handler, route="r"):
    node.plugin(name, handler)
    node.make(f"/routes/{route}/plugins", {"name": name})
    node.wait_plugin(name)
    node.wait_settled()


def test_every_run_is_counted_once_in_its_phase_and_its_time_is_true(make_node, origin):
    node = make_node(workers="2").start()
    node.route_to(origin)
    add(node, "spin", SPIN)
    with requests.Session() as s:
        for _ in range(120):
            assert s.get(node.url("/r"), timeout=10).status_code == 200
    eventually(lambda: count(node, "spin", "log") == 120, "every log phase is counted")
    access = rows(node)["spin", "access"]
    assert access["count"] == 120 == sum(n for _, _, n in access["buckets"])
    # The clock it spins by is the CPU's: on a busy machine the wall's goes further, never less far.
    low, high = quantile(access, 0.1)
    assert high > 3e6 and low < 3e6 * 1.5, (low, high)
    assert access["buckets"][0][1] > 3e6, "nothing can be faster than it spins"
    for low, high, _ in access["buckets"]:
        assert high <= low * 1.25 + 1
    assert access["sum_ns"] >= 120 * 3e6
    assert rows(node)["spin", "log"]["p50_ns"] < 1e6


def test_the_time_a_plugin_waits_is_its_time_and_is_one_run(make_node, origin):
    node = make_node(workers="1").start()
    node.route_to(origin)
    add(node, "sleeper", WAIT)
    for _ in range(5):
        assert node.get("/r").status_code == 200
    row = eventually(lambda: rows(node).get(("sleeper", "access")), "it is counted")
    assert row["count"] == 5
    assert row["sum_ns"] >= 5 * 45e6


def test_counts_equal_requests_over_workers_their_deaths_and_new_code(make_node, origin):
    node = make_node(workers="4").start()
    node.route_to(origin)
    add(node, "spin", SPIN.replace("0.003", "0.0001"))
    with Load(node.proxy_port, "/r", n=8) as load:
        load.wait_for(300)
        node.admin("PATCH", "/custom-plugins/spin", {"handler": SPIN.replace("0.003", "0.0002")})
        node.wait_plugin("spin")
        load.wait_for(300)
    assert load.problems == []
    eventually(lambda: count(node, "spin", "access") == load.done, "as many runs as requests")
    before = count(node, "spin", "access")
    os.kill(node.worker_pids()[0], signal.SIGKILL)
    eventually(lambda: len(node.worker_pids()) == 4, "it is back")
    for _ in range(40):
        assert node.get("/r").status_code == 200
    eventually(lambda: count(node, "spin", "access") == before + 40, "what a dead worker counted stays")


def test_metrics_have_it_as_a_histogram_whose_buckets_add_up(make_node, origin):
    node = make_node(workers="2").start()
    node.route_to(origin)
    add(node, "spin", SPIN)
    for _ in range(10):
        node.get("/r")
    eventually(lambda: count(node, "spin", "access") == 10, "all are counted")
    text = requests.get(f"http://127.0.0.1:{node.status_port}/metrics", timeout=10).text
    found = re.findall(r'^sluice_plugin_phase_duration_seconds_bucket\{plugin="spin",phase="access",le="([^"]+)"\} (\d+)$',
                       text, re.M)
    numbers = [int(n) for _, n in found]
    assert found[-1][0] == "+Inf" and numbers[-1] == 10 and numbers == sorted(numbers)
    assert [float(le) for le, _ in found[:-1]] == sorted(float(le) for le, _ in found[:-1])
    below_2ms = max(n for (le, _), n in zip(found, numbers) if float(le) < 0.0029)
    assert below_2ms == 0, "it spins for 3 ms"
    assert re.search(r'^sluice_plugin_phase_duration_seconds_count\{plugin="spin",phase="access"\} 10$', text, re.M)


def test_plugins_past_the_slots_share_a_row_until_one_is_free(make_node, origin):
    node = make_node(workers="1", plugin_latency_slots="64").start()
    node.route_to(origin)
    names = [f"p{i}" for i in range(64)]  # the last of 64 rows is the shared one
    instances = {}
    for name in names:
        node.plugin(name, 'return { PRIORITY = 1, VERSION = "1.0", access = function() end }')
        instances[name] = node.make("/routes/r/plugins", {"name": name})["id"]
    node.wait_plugin(names[-1])
    node.wait_settled()
    node.get("/r")
    eventually(lambda: count(node, "(others)", "access") == 1, "one has no row of its own")
    (shares,) = set(names) - {name for name, _ in rows(node)}
    gone = names[0] if shares != names[0] else names[1]
    assert node.admin("DELETE", f"/plugins/{instances[gone]}").status_code == 204
    assert node.admin("DELETE", f"/custom-plugins/{gone}").status_code == 204
    node.wait_settled()
    node.get("/r")
    eventually(lambda: count(node, shares, "access") == 1, "it has the row that became free")
    assert (gone, "access") not in rows(node)


# ---- the same for bpftool and cat ------------------------------------------------------------------

@pytest.fixture
def pinned(make_node, origin, bpffs):
    """A node whose maps are pinned, with 20 requests behind it."""
    node = make_node(workers="2", bpf_pin_dir=str(bpffs / "sluice"), bpf_pin_mode="0644").start()
    if not (bpffs / "sluice/plugin_latency").exists():
        pytest.skip("no BPF here: " + next((line for line in node.log().splitlines() if "BPF" in line or "bpftool" in line), ""))
    node.route_to(origin)
    add(node, "spin", SPIN)
    for _ in range(20):
        assert node.get("/r").status_code == 200
    eventually(lambda: count(node, "spin", "access") == 20, "all are counted")
    return node


def test_bpftool_prints_the_rows_by_name_of_field(pinned, bpffs):
    dump = subprocess.run(["bpftool", "map", "dump", "pinned", bpffs / "sluice/plugin_latency", "-j"], capture_output=True,
                          text=True, check=True)
    rows_with_values = [e["formatted"]["value"] for e in json.loads(dump.stdout) if e["formatted"]["value"]["max_ns"]]
    assert sum(sum(v["bucket"]) for v in rows_with_values) >= 40  # access and log
    names = subprocess.run(["bpftool", "map", "dump", "pinned", bpffs / "sluice/plugin_names", "-j"], capture_output=True,
                           text=True, check=True)
    assert "spin" in names.stdout


def test_cat_prints_prometheus_text_also_for_who_has_no_rights(pinned, bpffs):
    iterator = bpffs / "sluice/plugin_latency_prom"
    if not iterator.exists():
        pytest.skip("no iterator here: CAP_PERFMON is missing")
    text = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", iterator], capture_output=True,
                          text=True, check=True).stdout
    counts = [int(n) for n in re.findall(
        r'^sluice_plugin_phase_duration_nanoseconds_count\{worker="\d",plugin="spin",phase="access"\} (\d+)$', text, re.M)]
    assert sum(counts) == 20
    for worker in set(re.findall(r'worker="(\d)",plugin="spin",phase="access"', text)):
        found = re.findall(rf'_bucket\{{worker="{worker}",plugin="spin",phase="access",le="([^"]+)"\}} (\d+)$', text, re.M)
        numbers = [int(n) for _, n in found]
        assert numbers == sorted(numbers) and found[-1][0] == "+Inf"
        assert all(n == 0 for (le, n) in [(float(le), int(n)) for le, n in found] if le < 2.9e6), "it spins for 3 ms"
    told = rows(pinned)["spin", "access"]["sum_ns"]
    sums = [int(n) for n in re.findall(r'_sum\{worker="\d",plugin="spin",phase="access"\} (\d+)$', text, re.M)]
    assert sum(sums) == told, "the status API and the kernel read the same memory"
