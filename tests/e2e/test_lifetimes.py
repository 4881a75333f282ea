"""Workers replaced, added, taken away and drained under load: no request fails."""
import json
import os
import signal
import socket
import time

import pytest
from clients import CHUNK, MODES, STREAM_CHUNKS, WITHOUT_BPF, all_kinds_of_clients, processes
from load import Load
from node import eventually, slow


def replace(node, times):
    for _ in range(times):
        before = set(node.worker_pids())
        shown = json.loads(node.ctl("--json", "workers", "restart").stdout)
        assert shown["replacements"]["failed"] == 0
        now = node.worker_pids()
        assert len(now) == 2 and not before & set(now)


@MODES
def test_replacements_under_load_fail_no_request(make_serving, how):
    node = make_serving(how)
    with all_kinds_of_clients(node):
        replace(node, 3)
    eventually(lambda: processes(node, "draining") == [], "the old ones have ended", 30)
    assert node.status("/workers")["replacements"]["done"] == 6
    assert "worker taken over" in node.log()


@pytest.mark.long
@MODES
def test_twenty_replacements_under_load_fail_no_request(make_serving, how):
    node = make_serving(how)
    with all_kinds_of_clients(node):
        replace(node, 20)


def test_a_replacement_that_cannot_start_is_given_up_and_the_old_process_goes_on(make_serving):
    node = make_serving(WITHOUT_BPF)
    before = node.worker_pids()
    lock = node.prefix / "snapshot/lock.mdb"
    lock.rename(lock.with_suffix(".away"))  # what a worker needs to read the snapshot
    with Load(node.proxy_port, n=4) as load:
        given_up = node.ctl("--json", "workers", "restart", check=False)
        assert given_up.returncode == 1
        assert json.loads(given_up.stdout)["replacements"] == {"waiting": 0, "done": 0, "failed": 2}
        load.wait_for(50)
    assert load.problems == [] and node.worker_pids() == before
    assert 'msg="a replacement did not become ready: the old process goes on" slot=1 reason="it ended"' in node.log()
    lock.with_suffix(".away").rename(lock)
    node.ctl("workers", "restart")
    assert not set(before) & set(node.worker_pids())


def test_one_worker_is_replaced_and_the_counters_stay_exact(make_serving):
    node = make_serving(WITHOUT_BPF)
    for _ in range(30):
        assert node.get("/r").status_code == 200
    counted = {w["slot"]: w["requests_total"] for w in node.workers()}
    other = [w["pid"] for w in node.workers() if w["slot"] == 0]
    node.ctl("workers", "restart", "1")
    eventually(lambda: processes(node, "draining") == [], "the old one has ended", 30)
    assert [w["pid"] for w in node.workers() if w["slot"] == 0] == other
    assert {w["slot"]: w["requests_total"] for w in node.workers()} == counted
    for _ in range(30):
        assert node.get("/r").status_code == 200
    assert sum(w["requests_total"] for w in node.workers()) == sum(counted.values()) + 30
    assert [w["restarts"] for w in node.workers()] == [0, 1]


def test_the_old_process_finishes_what_it_has_while_the_new_one_serves(make_serving):
    node = make_serving(WITHOUT_BPF, workers="1")
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=20) as slow_client:
        slow_client.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: node.workers()[0]["connections_active"] >= 1, "the stream runs")
        node.ctl("workers", "restart")
        assert sorted(w["state"] for w in node.workers()) == ["draining", "ready"]
        assert "draining" in node.ctl("workers").stdout
        assert node.get("/r").status_code == 200
        _, _, body, _ = Load.read(slow_client, b"")
        assert len(body) == len(CHUNK) * STREAM_CHUNKS
    eventually(lambda: [w["state"] for w in node.workers()] == ["ready"], "the old one has ended", 10)


def test_a_plugin_that_waits_finishes_in_the_old_process(make_serving):
    node = make_serving(WITHOUT_BPF, workers="1")
    node.plugin("waits", """
        local P = { PRIORITY = 10, VERSION = "1.0" }
        function P:access(conf) ngx.sleep(1) kong.response.set_header("X-Waited", "yes") end
        return P""", 'return { name = "waits", fields = { { config = { type = "record", fields = {} } } } }')
    node.make("/plugins", {"name": "waits"})
    eventually(lambda: node.get("/r").headers.get("X-Waited") == "yes", "the plugin acts")
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=20) as client:
        client.sendall(b"GET /r HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: node.workers()[0]["connections_active"] >= 1, "it waits")
        node.ctl("workers", "restart")
        status, headers, _, _ = Load.read(client, b"")
        assert status == 200 and headers["x-waited"] == "yes"


def test_refusals_say_what_there_is(make_serving):
    node = make_serving(WITHOUT_BPF)
    refused = node.ctl("workers", "restart", "7", check=False)
    assert refused.returncode == 2 and "there is no worker 7; there are 0 to 1" in refused.stderr
    refused = node.ctl("workers", "restart", "x", check=False)
    assert refused.returncode == 2 and '"x" is not the number of a worker' in refused.stderr


def test_a_worker_that_is_killed_while_it_is_replaced_leaves_the_other(make_serving):
    node = make_serving(WITHOUT_BPF, workers="1")
    old = node.worker_pids()[0]
    os.kill(old, signal.SIGSTOP)  # its replacement starts, and it never finishes by itself
    node.ctl("workers", "restart")
    assert node.get("/r").status_code == 200
    os.kill(old, signal.SIGKILL)
    eventually(lambda: [w["state"] for w in node.workers()] == ["ready"], "the old one is gone", 10 * slow())
    assert node.get("/r").status_code == 200

LOOP = """
    local P = { PRIORITY = 10, VERSION = "1.0" }
    function P:access(conf) if kong.request.get_path() == "/r/loop" then while true do end end end
    return P"""
NO_CONFIG = 'return { name = "%s", fields = { { config = { type = "record", fields = {} } } } }'


def test_a_worker_that_hangs_says_where_before_it_is_replaced(make_serving):
    """A budget of CPU so large that the heartbeat is first."""
    node = make_serving(WITHOUT_BPF, workers="1", worker_hang_ms="1000", plugin_limits_cpu_ms="60000", plugin_limits_cpu_ms_max="60000")
    node.may_crash = True
    node.plugin("loops", LOOP, NO_CONFIG % "loops")
    node.make("/plugins", {"name": "loops"})
    node.wait_plugin("loops")
    old = node.worker_pids()[0]
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=20) as client:
        client.sendall(b"GET /r/loop HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: node.worker_pids() not in ([], [old]), "a new worker is ready", 15 * slow())
    log = node.log()
    assert f'pid={old} msg="worker aborted" signal=SIGABRT plugin=loops phase=access request_id=' in log
    assert "sluice-worker(+0x" in log or "sluice-worker() [0x" in log, "a native stack"
    assert node.get("/r").status_code == 200


def test_a_worker_that_crashes_says_where(make_serving):
    node = make_serving(WITHOUT_BPF, workers="1")
    node.may_crash = True
    old = node.worker_pids()[0]
    os.kill(old, signal.SIGSEGV)
    eventually(lambda: node.worker_pids() not in ([], [old]), "a new worker is ready", 15 * slow())
    if "AddressSanitizer" not in node.log():
        assert f'pid={old} msg="worker crashed" signal=SIGSEGV stack=follows' in node.log()
        assert "sluice-worker(+0x" in node.log(), "a native stack"
    assert node.get("/r").status_code == 200


def scale(node, *counts):
    for n in counts:
        node.ctl("workers", "scale", str(n))
        assert len(node.worker_pids()) == n
        assert node.status("/status")["sluice"]["workers"]["total"] == n
        time.sleep(0.2)


@MODES
def test_scale_changes_under_load_fail_no_request(own_network, make_serving, how):
    node = make_serving(how, workers_max="6")
    with all_kinds_of_clients(node):
        scale(node, 4, 1, 3, 2)
    eventually(lambda: processes(node, "draining") == [], "those taken away have ended", 30)
    assert [w["slot"] for w in node.workers()] == [0, 1]
    eventually(lambda: node.status("/status/ready")["message"] == "ready", "the node is ready")


@pytest.mark.long
@MODES
def test_twenty_scale_changes_under_load_fail_no_request(own_network, make_serving, how):
    node = make_serving(how, workers_max="6")
    with all_kinds_of_clients(node):
        for _ in range(5):
            scale(node, 4, 2, 3, 1)


def test_a_worker_that_was_taken_away_not_long_ago_goes_on_with_its_process(make_serving):
    """Without eBPF it accepts until no handshake can be on its way any more (here: about a minute)."""
    node = make_serving(WITHOUT_BPF, workers="3", workers_max="3")
    before = {w["slot"]: w["pid"] for w in node.workers()}
    node.ctl("workers", "scale", "1")
    assert {w["slot"]: (w["pid"], w["state"]) for w in node.workers()} == {0: (before[0], "ready"), 1: (before[1], "draining"), 2: (before[2], "draining")}
    counted = [w["connections_accepted"] for w in node.workers()]
    for _ in range(60):
        assert node.get("/r").status_code == 200
    now = [w["connections_accepted"] for w in node.workers()]
    assert now[1:] == counted[1:] and now[0] >= counted[0] + 60
    os.kill(before[2], signal.SIGKILL)  # its listener is still there: another process accepts
    eventually(lambda: [w["pid"] for w in node.workers()][2] not in (0, before[2]), "it is back")
    node.ctl("workers", "scale", "3")
    assert {w["slot"]: w["state"] for w in node.workers()} == {0: "ready", 1: "ready", 2: "ready"}
    assert node.workers()[1]["pid"] == before[1]
    for _ in range(100):
        assert node.get("/r").status_code == 200
    assert all(b > a for a, b in zip(now, [w["connections_accepted"] for w in node.workers()]))
    assert node.status("/status/ready")["message"] == "ready"
    node.may_crash = True


@MODES
def test_what_waits_for_a_worker_that_is_taken_away_is_served(own_network, make_serving, how):
    """The worker that goes is stopped (SIGSTOP) with connections in its queue; it gives them up when it runs again."""
    node = make_serving({**how, **({"steering_mode": "round_robin"} if not how else {})}, workers="4", worker_hang_ms="60000")
    stopped = [w["pid"] for w in node.workers() if w["slot"] > 0]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    clients = [socket.create_connection(("127.0.0.1", node.proxy_port), timeout=20) for _ in range(40)]
    for c in clients:
        c.sendall(b"GET /r HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    node.ctl("workers", "scale", "1")
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    for c in clients:
        assert Load.read(c, b"")[0] == 200
        c.close()
    eventually(lambda: [w["slot"] for w in node.workers()] == [0], "they have ended", 10 * slow())


def test_scaling_refuses_more_than_there_is_room_for(make_serving):
    node = make_serving(WITHOUT_BPF, workers_max="3")
    refused = node.ctl("workers", "scale", "4", check=False)
    assert refused.returncode == 2 and "there may be 1 to 3 here" in refused.stderr and "workers_max" in refused.stderr
    assert node.ctl("workers", "scale", "0", check=False).returncode == 2
    assert node.ctl("workers", "scale", "many", check=False).returncode == 2
    assert len(node.workers()) == 2
