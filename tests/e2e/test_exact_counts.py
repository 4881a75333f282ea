"""After very many requests every counter of the node says how many there were, exactly: clients, origin, plugin, route, workers.

SLUICE_EXACT_REQUESTS=1000000 for a million of them (a minute or two)."""
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests
from node import eventually, slow

REQUESTS = int(os.environ.get("SLUICE_EXACT_REQUESTS", "100000"))
CLIENTS, BATCH = 20, 50
COUNTS = """
local P = { PRIORITY = 10, VERSION = "1.0" }
function P:access() kong.service.request.set_header("X-Seen", "1") end
function P:header_filter() kong.response.set_header("X-Counted", "1") end
function P:log() end
return P
"""


class CountingOrigin:
    def __init__(self):
        self.process = subprocess.Popen([sys.executable, Path(__file__).with_name("counting_origin.py")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.port = int(self.process.stdout.readline())

    def count(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@pytest.fixture
def counting():
    o = CountingOrigin()
    yield o
    o.process.stdin.close()
    o.process.wait()


def ask(port, n, path=b"/r"):
    """n requests on one connection, BATCH of them at once; every answer is the plugin's and the origin's."""
    with socket.create_connection(("127.0.0.1", port), timeout=60 * slow()) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(n // BATCH):
            s.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path * BATCH)
            got = b""
            while got.count(b"\r\n\r\nok") < BATCH:
                chunk = s.recv(1 << 20)
                assert chunk, got[-500:]
                got += chunk
            assert got.count(b"HTTP/1.1 200 ") == got.count(b"\r\nX-Counted: 1\r\n") == BATCH, got[:500]


def ask_many(port, n):
    assert n % (CLIENTS * BATCH) == 0
    problems = []

    def client():
        try:
            ask(port, n // CLIENTS)
        except (OSError, AssertionError) as problem:
            problems.append(problem)
    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert problems == []


def metric(node, pattern):
    text = requests.get(f"http://127.0.0.1:{node.status_port}/metrics", timeout=10 * slow()).text
    return sum(float(v) for v in re.findall(rf"^{pattern} (\S+)$", text, re.M))


def told(node, origin):
    """What each of them says."""
    latency = {r["phase"]: r for r in node.status("/latency")["plugins"] if r["plugin"] == "counts"}
    route = {r["route"]: r for r in node.status("/traffic")["routes"]}["r"]
    n = {
        "origin": origin.count(),
        "route": route["requests"],
        "route status": route["statuses"].get("200"),
        "route time": route["request"]["count"],
        "service time": route["service_time"]["count"],
        "workers": sum(w["requests_total"] for w in node.workers()),
        "status": node.status("/status")["server"]["total_requests"],
        "kong_http_requests_total": metric(node, r'kong_http_requests_total\{[^}]*route="r",code="200"[^}]*\}'),
    }
    for phase in ("access", "header_filter", "log"):
        n[f"latency {phase}"] = latency.get(phase, {"count": 0})["count"]
        n[f"buckets {phase}"] = sum(b[2] for b in latency.get(phase, {"buckets": []})["buckets"])
        n[f"/metrics {phase}"] = metric(node, rf'sluice_plugin_phase_duration_seconds_count\{{[^}}]*plugin="counts"[^}}]*phase="{phase}"[^}}]*\}}')
    return n


@pytest.mark.long
def test_every_counter_agrees_exactly(make_node, counting):
    node = make_node(workers="4", bpf_pin_dir="").start()
    node.route_to(counting)
    node.plugin("counts", COUNTS)
    node.make("/routes/r/plugins", {"name": "counts"})
    node.wait_plugin("counts")
    node.wait_settled()
    ask_many(node.proxy_port, REQUESTS // 2)
    node.ctl("workers", "restart")  # what the old processes counted is not forgotten, and nothing counts twice
    ask_many(node.proxy_port, REQUESTS // 2)

    def agreed():
        said = told(node, counting)
        assert set(said.values()) == {REQUESTS}, said
        return said
    print(eventually(agreed, "all of them say the same"))
