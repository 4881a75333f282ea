"""sluicectl trace: events of real workers through their probes."""
import json
import os
import re
import shutil
import subprocess
import time

import pytest
from node import BUILD, eventually

SPIN = """
local P = { PRIORITY = 10, VERSION = "1.0" }
function P:access()
  local till = os.clock() + 0.0025  -- its clock and that of probes differ by microseconds
  while os.clock() < till do end
end
function P:log() end
return P
"""
FAST = 'return { PRIORITY = 11, VERSION = "1.0", access = function() if kong.request.get_query_arg("fail") then error("x") end end }'
LOOP = 'return { PRIORITY = 9, VERSION = "1.0", access = function() if kong.request.get_query_arg("loop") then while true do end end end }'


def can_trace():
    """Why not; "" = it can."""
    if os.geteuid() != 0:
        return "tracing needs root"
    words = (BUILD / "config.h").read_text()
    if "#define WITH_BPF 1" not in words:
        return "built --without-bpf"
    if "#define HAVE_SYS_SDT_H 1" not in words:
        return "built without probes (systemtap-sdt-dev)"
    probe = subprocess.run(["bpftool", "prog", "show"], capture_output=True, text=True, check=False)
    return "" if probe.returncode == 0 else "no BPF here: " + probe.stderr.strip()[:200]


@pytest.fixture
def traced(make_node, origin):
    reason = can_trace()
    if reason:
        pytest.skip(reason)
    node = make_node(workers="2").start()
    for route in ("r", "other"):
        node.route_to(origin, name=route)
    for name, handler in (("spin", SPIN), ("fast", FAST), ("loop", LOOP)):
        node.plugin(name, handler)
        node.make("/routes/r/plugins", {"name": name})
        node.wait_plugin(name)
    node.wait_settled()
    return node


def test_probes_are_one_byte_nops_behind_semaphores():
    """No longer nop: some kernels patch those into calls that clobber the red zone."""
    if not shutil.which("readelf") or "#define HAVE_SYS_SDT_H 1" not in (BUILD / "config.h").read_text():
        pytest.skip("needs readelf, and a build with probes")
    worker = BUILD / "worker/sluice-worker"
    read = lambda *words: subprocess.run(["readelf", "-W", *words, worker], capture_output=True, text=True, timeout=30, check=True).stdout
    notes = re.findall(r"Provider: (\S+)\s+Name: (\S+)\s+Location: (0x\w+), Base: \S+, Semaphore: (0x\w+)", read("-n"))
    assert {provider for provider, *_ in notes} == {"sluice"}
    assert {name for _, name, *_ in notes} == {"request_start", "request_done", "plugin_start", "plugin_done", "budget_trip", "reload"}
    loads = [[int(n, 16) for n in row] for row in re.findall(r"LOAD\s+(0x\w+) (0x\w+) 0x\w+ (0x\w+)", read("-l"))]
    code = worker.read_bytes()
    for _, name, location, semaphore in notes:
        at = int(location, 16)
        offset = next(at - address + offset for offset, address, size in loads if address <= at < address + size)
        assert int(semaphore, 16) != 0 and code[offset] == 0x90, name


class Trace:
    """Lines of a running trace; started when the kernel side is attached."""

    def __init__(self, node, *options):
        self.process = subprocess.Popen([BUILD / "tools/sluicectl", "--prefix", node.prefix, "trace", "--json", *options],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.node = node
        line = self.process.stderr.readline()  # once it is attached
        assert line.startswith("tracing 2 workers"), line + self.process.stderr.read()

    def end(self):
        time.sleep(0.5)
        self.process.terminate()
        out, err = self.process.communicate(timeout=20)
        assert self.process.returncode == 0, err
        return [json.loads(line) for line in out.splitlines()]


def test_each_phase_and_each_request_is_a_line_with_the_requests_id(traced):
    trace = Trace(traced)
    ids = [traced.get("/r").headers["X-Kong-Request-Id"] for _ in range(4)]
    events = trace.end()
    for request_id in ids:
        mine = [e for e in events if e.get("request_id") == request_id]
        assert sorted((e["plugin"], e["phase"]) for e in mine if e["event"] == "plugin") == \
            [("fast", "access"), ("loop", "access"), ("spin", "access"), ("spin", "log")]
        spin = next(e for e in mine if e["event"] == "plugin" and e["phase"] == "access" and e["plugin"] == "spin")
        assert spin["took_ns"] >= 2e6 and spin["route"] == "r" and not spin["failed"]
        (request,) = [e for e in mine if e["event"] == "request"]
        assert request["status"] == 200 and request["took_ns"] > spin["took_ns"] and request["route"] == "r"
    assert {e["worker_pid"] for e in events} <= set(traced.worker_pids())


def test_filters_are_kept_by_the_kernel_side(traced):
    trace = Trace(traced, "--plugin", "spin", "--slower-than", "1ms")
    for _ in range(3):
        traced.get("/r")
        traced.get("/other")
    events = trace.end()
    assert len(events) == 3 and {(e["plugin"], e["phase"]) for e in events} == {("spin", "access")}
    trace = Trace(traced, "--route", "other")
    for _ in range(2):
        traced.get("/r")
        traced.get("/other")
    assert [(e["event"], e["route"]) for e in trace.end()] == [("request", "other")] * 2


def test_who_asks_for_a_plugin_or_route_sees_nothing_of_others(traced):
    for wanted in (("--plugin", "fast"), ("--route", "other"), ("--phase", "log")):
        trace = Trace(traced, *wanted)
        assert traced.get("/r?loop=1").status_code == 500
        traced.make("/services", {"host": "127.0.0.1"})
        traced.wait_settled()
        kinds = {e["event"] for e in trace.end()}
        assert not kinds & {"trip", "reload"}, (wanted, kinds)


def test_failures_trips_and_new_generations_are_shown(traced):
    trace = Trace(traced)
    assert traced.get("/r?fail=1").status_code == 500
    assert traced.get("/r?loop=1").status_code == 500
    traced.make("/services", {"name": "another", "host": "127.0.0.1"})
    traced.wait_settled()
    events = trace.end()
    assert any(e["event"] == "plugin" and e["plugin"] == "fast" and e["failed"] for e in events)
    assert any(e["event"] == "trip" and e["plugin"] == "loop" and e["limit"].startswith("cpu_ms=") for e in events)
    assert any(e["event"] == "reload" and e["generation"] > 0 for e in events)


def test_it_ends_after_a_count_and_leaves_no_probe_behind(traced):
    trace = Trace(traced, "--count", "2")
    for _ in range(3):
        traced.get("/r")
    out, _ = trace.process.communicate(timeout=20)
    assert trace.process.returncode == 0 and len(out.splitlines()) == 2

    def forgotten():
        shown = subprocess.run(["bpftool", "prog", "show", "-j"], capture_output=True, text=True, check=True).stdout
        return not any(p.get("name", "").startswith("on_plugin_done") for p in json.loads(shown or "[]"))
    eventually(forgotten, "no program of the tracer is left")
    assert traced.get("/r").status_code == 200


def test_wrong_options_are_told(make_node):
    node = make_node()
    for options in (["--slower-than", "soon"], ["--phase", "lunch"], ["--count", "0"]):
        r = node.ctl("trace", *options, check=False)
        assert r.returncode == 2 and options[0] in r.stderr
    assert node.ctl("trace", check=False).returncode == 3
