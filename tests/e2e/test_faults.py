"""kill -9 of every process, and what a user notices: as little as can be."""
import os
import signal
import time

import pytest
from load import Load
from node import SLOW, eventually, pid_is_alive, processes_below
from ports import free_port

PLUGIN = """
    local P = {{ PRIORITY = 10, VERSION = "1.0" }}
    function P:header_filter(conf) kong.response.set_header("X-Plugin", "{0} " .. conf.word) end
    return P"""
SCHEMA = 'return { name = "mark", fields = { { config = { type = "record", fields = { { word = { type = "string", required = true } } } } } } }'


@pytest.fixture
def serving(node, origin):
    node.route_to(origin, name="r")
    node.plugin("mark", PLUGIN.format("v0"), SCHEMA)
    node.make("/plugins", {"name": "mark", "config": {"word": "w0"}})
    eventually(lambda: node.get("/r").headers.get("X-Plugin") == "v0 w0", "the plugin acts")
    return node


def control_pid(node):
    return node.status("/status")["sluice"]["control"]["pid"]


def test_a_killed_worker_comes_back_and_the_rest_serves(serving):
    node = serving
    with Load(node.proxy_port, n=8) as load:
        load.wait_for(50)
        for _ in range(5):
            victim = node.worker_pids()[0]
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: len(now := node.worker_pids()) == 2 and victim not in now, "a new worker is ready")
            load.wait_for(50)
    # A request in a killed worker dies with it: at most one per connection and kill.
    assert len(load.problems) <= 5 * 8, load.problems[:5]
    assert node.get("/r").headers["X-Plugin"] == "v0 w0"
    assert sum(w["restarts"] for w in node.workers()) == 5


def test_a_hung_worker_is_found_by_its_heartbeat_and_replaced(make_node, origin):
    node = make_node(worker_hang_ms="1000").start()
    node.route_to(origin, name="r")
    victim = node.worker_pids()[0]
    os.kill(victim, signal.SIGSTOP)
    eventually(lambda: len(now := node.worker_pids()) == 2 and victim not in now, "a new worker is ready", 15)
    assert not pid_is_alive(victim)
    eventually(lambda: node.get("/r").status_code == 200, "it serves")


def test_killed_control_comes_back_and_traffic_does_not_notice(serving):
    node = serving
    with Load(node.proxy_port, n=8) as load:
        load.wait_for(50)
        for _ in range(3):
            victim = control_pid(node)
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: control_pid(node) not in (None, 0, victim), "a new control runs")
            eventually(lambda: node.admin("GET", "/").status_code == 200, "the Admin API answers")
        load.wait_for(50)
    assert load.problems == []
    assert node.admin("PATCH", "/custom-plugins/mark", {"handler": PLUGIN.format("v1")}).status_code == 200
    eventually(lambda: node.get("/r").headers.get("X-Plugin") == "v1 w0", "a change after the restart arrives")


def test_a_killed_master_leaves_no_stray_process_and_its_successor_serves_at_once(serving):
    node = serving
    with Load(node.proxy_port, n=4) as load:
        load.wait_for(20)
        node.kill()
        eventually(lambda: processes_below(node.prefix) == [], "no process is left", 5)
        node.start(wait=False)
        eventually(lambda: node.get("/r").headers.get("X-Plugin") == "v0 w0", "the new one serves from the snapshot", 5, every=0.01)
    node.wait_up()
    assert node.admin("GET", "/custom-plugins/mark").status_code == 200


def test_with_control_down_the_node_restarts_and_serves_from_its_snapshot(make_node, origin):
    control = make_node("control", role="control_plane", workers="1")
    cluster = free_port()
    control.conf.update(cluster_listen=f"127.0.0.1:{cluster}", proxy_listen="off")
    control.start(wait=False)
    eventually(lambda: control.admin("GET", "/").status_code == 200, "the control plane answers", 15)
    data = make_node("data", role="data_plane", cluster_control_plane=f"127.0.0.1:{cluster}").start()
    control.route_to(origin, name="r")
    control.plugin("mark", PLUGIN.format("v0"), SCHEMA)
    control.make("/plugins", {"name": "mark", "config": {"word": "w0"}})
    eventually(lambda: data.get("/r").headers.get("X-Plugin") == "v0 w0", "the data plane serves")
    control.stop()
    assert data.get("/r").headers["X-Plugin"] == "v0 w0"
    data.stop()
    data.start()
    assert data.get("/r").headers["X-Plugin"] == "v0 w0"
    control.start(wait=False)
    eventually(lambda: control.admin("PATCH", "/custom-plugins/mark", {"handler": PLUGIN.format("v1")}).status_code == 200, "control is back", 15)
    eventually(lambda: data.get("/r").headers.get("X-Plugin") == "v1 w0", "the change arrives after the reconnect", 40)


@pytest.mark.long
def test_a_hundred_kills_of_the_master_in_mid_update_always_leave_a_whole_generation(serving):
    """Handler and instance change together; what is served after each kill must be one of the wholes."""
    node = serving
    import threading
    stop = threading.Event()
    count = [0]

    def change():
        while not stop.is_set():
            n = count[0] + 1
            try:
                r = node.admin("PATCH", "/custom-plugins/mark", {"handler": PLUGIN.format(f"v{n}") + f"\n--{n % 7}" * 2000})
                if r.status_code == 200:
                    count[0] = n
            except OSError:
                time.sleep(0.005)
    changer = threading.Thread(target=change, daemon=True)
    changer.start()
    newest = -1
    for _ in range(100 if SLOW == 1 else 20):
        time.sleep(0.03)
        node.kill()
        node.start(wait=False)

        def whole():
            mark = node.get("/r").headers["X-Plugin"].split()
            assert mark[0].startswith("v") and mark[1] == "w0", mark
            return int(mark[0][1:]) + 1
        seen = eventually(whole, "a whole generation serves", 15, every=0.01) - 1
        assert seen >= newest, "an older generation came back"
        newest = seen
    stop.set()
    changer.join(30)
    node.wait_up()
    eventually(lambda: node.get("/r").headers["X-Plugin"] == f"v{count[0]} w0" or node.get("/r").headers["X-Plugin"] == f"v{count[0] + 1} w0",
               "the newest change is in force", 15)
    eventually(lambda: len(processes_below(node.prefix)) == 4, "master, control and two workers, nothing else")


def test_a_second_node_with_its_own_prefix_and_ports_runs_beside(make_node, origin):
    first, second = make_node().start(), make_node().start()
    first.route_to(origin, name="one")
    second.route_to(origin, name="two")
    eventually(lambda: first.get("/one").status_code == second.get("/two").status_code == 200, "both serve")
    assert first.get("/two").status_code == second.get("/one").status_code == 404


def test_a_second_master_on_the_same_prefix_is_refused_with_a_reason(node):
    import subprocess
    from node import BUILD
    r = subprocess.run([BUILD / "master/sluiced", "-c", node.conf_path], capture_output=True, text=True, timeout=20, check=False)
    assert r.returncode != 0
    assert str(node.prefix) in r.stderr and "already" in r.stderr
    assert node.worker_pids()


def test_a_graceful_stop_finishes_the_request_in_hand(make_node):
    from origin import Origin, reply
    slow = Origin(lambda request: time.sleep(1.0) or reply(b"late"))
    node = make_node(workers="1").start()
    node.route_to(slow, name="r")
    eventually(lambda: node.get("/r").text == "late", "proxied", 15)
    import threading
    got = []
    client = threading.Thread(target=lambda: got.append(node.get("/r").text))
    client.start()
    time.sleep(0.4)
    # as a service manager or Ctrl-C does it: to every process of the group
    for pid in node.worker_pids():
        os.kill(pid, signal.SIGTERM)
    node.stop()
    client.join(10)
    assert got == ["late"]
    slow.close()
