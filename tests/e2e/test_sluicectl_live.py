"""sluicectl latency and top: what a person at a terminal and a script see."""
import json
import os
import pty
import re
import select
import subprocess
import time

import pytest
from load import Load
from node import BUILD, eventually

SPIN = """
local P = { PRIORITY = 10, VERSION = "1.0" }
function P:access()
  local till = os.clock() + 0.001
  while os.clock() < till do end
end
return P
"""
FAST = 'return { PRIORITY = 11, VERSION = "1.0", access = function() end, log = function() end }'


@pytest.fixture
def busy(make_node, origin):
    node = make_node(workers="2").start()
    node.route_to(origin)
    for name, handler in (("spin", SPIN), ("fast", FAST)):
        node.plugin(name, handler)
        node.make("/routes/r/plugins", {"name": name})
        node.wait_plugin(name)
    node.wait_settled()
    with Load(node.proxy_port, "/r", n=2) as load:
        load.wait_for(50)
        yield node


def test_latency_is_a_table_of_quantiles_that_filters_narrow(busy):
    text = busy.ctl("latency").stdout
    row = re.search(r"^spin +access +(\d+) +\S+ [µm]?s .*\|(.{24})\|$", text, re.M)
    assert row and int(row[1]) > 20, text
    assert re.search(r"^r +request ", text, re.M) and re.search(r"^r +service ", text, re.M), text
    only = busy.ctl("latency", "--plugin", "fast", "--phase", "log").stdout
    assert re.search(r"^fast +log ", only, re.M) and "spin" not in only and "access" not in only
    route = busy.ctl("latency", "--route", "r").stdout
    assert "PLUGIN" not in route and re.search(r"^r +gateway ", route, re.M)
    assert "nothing was counted" in busy.ctl("latency", "--plugin", "nobody").stdout
    doc = json.loads(busy.ctl("latency", "--json").stdout)
    spin = next(p for p in doc["plugins"] if (p["plugin"], p["phase"]) == ("spin", "access"))
    assert spin["p50_ns"] >= 0.87e6 and doc["routes"][0]["route"] in ("r", "")


def test_watched_latency_shows_only_what_came_since_and_ends_on_a_signal(busy):
    p = subprocess.Popen([BUILD / "tools/sluicectl", "--prefix", busy.prefix, "latency", "--watch", "--interval", "0.3",
                          "--plugin", "spin"], stdout=subprocess.PIPE, text=True)
    time.sleep(2)
    p.terminate()
    out, _ = p.communicate(timeout=10)
    assert p.returncode == 0
    counts = [int(n) for n in re.findall(r"^spin +access +(\d+)", out, re.M)]
    total = next(r["count"] for r in busy.status("/latency")["plugins"] if r["plugin"] == "spin" and r["phase"] == "access")
    assert len(counts) >= 2 and sum(counts) < total


def test_top_once_tells_scripts_who_is_busy(busy):
    doc = json.loads(busy.ctl("top", "--once", "--json", "--interval", "0.7").stdout)
    assert [p["name"] for p in doc["plugins"]] == ["spin", "fast"], "by share"
    spin = doc["plugins"][0]
    assert spin["share_percent"] > 50 and spin["runs_per_second"] > 5 and spin["breaker"] == "closed"
    assert len(doc["workers"]) == 2 and sum(w["requests_per_second"] for w in doc["workers"]) > 5
    assert all(w["rss_bytes"] > 1e6 for w in doc["workers"])
    assert doc["routes"][0]["name"] == "r" and doc["routes"][0]["failed_per_second"] == 0
    by_name = json.loads(busy.ctl("top", "--once", "--json", "--interval", "0.2", "--sort", "name").stdout)
    assert [p["name"] for p in by_name["plugins"]] == ["fast", "spin"]
    assert busy.ctl("top", "--once", "--sort", "beauty", check=False).returncode == 2
    assert busy.ctl("top", "--once", "--interval", "soon", check=False).returncode == 2


def test_top_on_a_terminal_takes_keys_and_leaves_it_as_it_was(busy):
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(BUILD / "tools/sluicectl", ["sluicectl", "--prefix", str(busy.prefix), "top", "--interval", "0.2"])
    seen = b""

    def read_until(words):
        nonlocal seen
        if select.select([fd], [], [], 0.1)[0]:
            try:
                seen += os.read(fd, 65536)
            except OSError:
                pass
        return words in seen
    eventually(lambda: read_until(b"plugins by share"), "the first picture", every=0)
    os.write(fd, b"s")
    eventually(lambda: read_until(b"plugins by runs"), "another order", every=0)
    os.write(fd, b"q")
    eventually(lambda: read_until(b"\x1b[?1049l"), "the terminal's own screen again", every=0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(fd)
    assert b"\x1b[?1049h" in seen and b"spin" in seen


def test_without_a_node_they_say_so(make_node):
    node = make_node()
    for verb in ("latency", "top"):
        r = node.ctl(verb, check=False)
        assert r.returncode == 3 and "sluicectl: " in r.stderr
