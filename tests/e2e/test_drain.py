"""The node, or one worker, taken out of use: told to balancers, ended answer by answer, undone; nothing is lost."""
import json
import os
import re
import signal
import socket
import threading
import time

import pytest
import requests
from load import Load
from node import eventually, slow
from origin import Origin, Reader, reply

WITHOUT_BPF = {"steering": "off"}
MODES = pytest.mark.parametrize("how", [{}, {"steering_mode": "kernel"}, WITHOUT_BPF], ids=["bpf", "kernel", "off"])
GET = b"GET /r HTTP/1.1\r\nHost: x\r\n\r\n"


class Gated(Origin):
    """/r/slow: the head and a first byte at once, the rest when the gate opens."""

    def __init__(self):
        self.gate = threading.Event()
        super().__init__()

    def serve(self, connection):
        reader = Reader(connection, bytearray())
        try:
            while request := reader.request():
                if request["target"] != "/r/slow":
                    connection.sendall(reply(request["target"].encode()))
                    continue
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\na")
                self.gate.wait(60)
                connection.sendall(b"z")
        except (OSError, ValueError):
            pass
        finally:
            connection.close()


@pytest.fixture
def gated():
    o = Gated()
    yield o
    o.gate.set()
    o.close()


@pytest.fixture
def make_serving(make_node, gated):
    def make(how=WITHOUT_BPF, **conf):
        node = make_node(**{"workers": "2", "bpf_pin_dir": "", **how, **conf}).start()
        if how is not WITHOUT_BPF and not node.status("/steering")["bpf"]:
            pytest.skip("no BPF here: " + node.status("/steering")["reason"])
        node.route_to(gated, name="r", strip_path=False)
        node.wait_settled()
        eventually(lambda: node.get("/r").status_code == 200, "it serves")
        return node
    return make


def ready(node):
    r = requests.get(f"http://127.0.0.1:{node.status_port}/status/ready", timeout=5 * slow())
    return r.status_code, r.json()["message"]


def metric(node, name):
    text = requests.get(f"http://127.0.0.1:{node.status_port}/metrics", timeout=5 * slow()).text
    return {m[1]: float(m[2]) for m in re.finditer(rf"^{name}(\S*) (\S+)$", text, re.M)}


def connect(node):
    return socket.create_connection(("127.0.0.1", node.proxy_port), timeout=20 * slow())


def ask(client, request=GET):
    client.sendall(request)
    return Load.read(client, b"")


def is_kept(headers):
    return headers.get("connection", "").lower() != "close"


# ---- the node ---------------------------------------------------------------------------------

def test_a_draining_node_is_not_ready_and_ends_connections_with_their_answers(make_serving):
    node = make_serving()
    assert ready(node) == (200, "ready")
    busy, idle = connect(node), connect(node)
    assert is_kept(ask(busy)[1]) and is_kept(ask(idle)[1])
    drained = threading.Thread(target=node.ctl, args=("drain", "--timeout", "20s"))
    drained.start()
    eventually(lambda: ready(node) == (503, "draining"), "the balancer is told")
    time.sleep(0.2)  # the workers look every 50 ms
    status, headers, _, _ = ask(busy)
    assert status == 200 and not is_kept(headers) and busy.recv(1) == b""
    with connect(node) as late:  # the balancer has not noticed yet
        status, headers, _, _ = ask(late)
        assert status == 200 and not is_kept(headers)
    assert idle.recv(1) == b"", "an idle one is closed after a while"
    drained.join()
    assert metric(node, "sluice_draining") == {"": 1.0}
    assert ", DRAINING" in node.ctl("status", check=False).stdout
    assert node.status("/status")["sluice"]["draining"] and not node.status("/status")["sluice"]["stopping"]


def test_a_drain_of_the_node_is_undone(make_serving):
    node = make_serving()
    node.ctl("drain")
    assert ready(node)[0] == 503
    node.ctl("drain", "--cancel")
    assert ready(node) == (200, "ready") and metric(node, "sluice_draining") == {"": 0.0}
    time.sleep(0.2)
    with connect(node) as client:
        for _ in range(3):
            status, headers, _, _ = ask(client)
            assert status == 200 and is_kept(headers)
        time.sleep(1.5)
        assert ask(client)[0] == 200
    assert "node drains no longer" in node.log()


def test_a_streaming_client_finishes_and_is_told_as_left_after_the_deadline(make_serving, gated):
    node = make_serving()
    client = connect(node)
    client.sendall(GET.replace(b"/r", b"/r/slow"))
    assert b"200 OK" in client.recv(65536)
    late = node.ctl("drain", "--timeout", "500ms", check=False)
    assert late.returncode == 1 and "left: 1 connections, 1 requests in hand" in late.stdout, late.stdout
    eventually(lambda: 'msg="drain: its time is over" of=node slot=0 connections_left=1 requests_left=1' in node.log(), "the log says it, too")
    gated.gate.set()
    body = b""
    while chunk := client.recv(65536):
        body += chunk
    assert body.endswith(b"z"), "nothing was cut off"
    assert "nothing is left" in node.ctl("drain", "--timeout", "20s").stdout


def test_a_process_that_starts_while_the_node_drains_drains_too(make_serving):
    node = make_serving(workers="1")
    node.ctl("drain", "--timeout", "0", check=False)
    node.ctl("workers", "restart")
    time.sleep(0.2)
    with connect(node) as client:
        assert not is_kept(ask(client)[1])
    assert ready(node)[0] == 503


def test_no_request_fails_while_the_node_drains_under_load_and_is_undone(make_serving):
    node = make_serving()
    with Load(node.proxy_port, n=6) as kept, Load(node.proxy_port, n=4, keep_alive=False) as single:
        kept.wait_for(50)
        assert node.ctl("drain", "--timeout", "1s", check=False).returncode == 1
        kept.wait_for(50)
        node.ctl("drain", "--cancel")
        kept.wait_for(50)
    assert kept.problems == [] and single.problems == []


# ---- one worker -------------------------------------------------------------------------------

def states(node):
    return {w["slot"]: w["state"] for w in node.workers()}


def accepted(node, worker):
    return sum(w["connections_accepted"] for w in node.workers() if w["slot"] == worker)


@MODES
def test_a_draining_worker_gets_nothing_new_until_it_is_undone(make_serving, how):
    node = make_serving(how, workers="4")
    for out in ((1,), (0, 3)):
        for w in out:
            node.ctl("drain", str(w), "--timeout", "20s")
            assert states(node)[w] == "drained"
        assert ready(node) == (200, "ready")
        before = {w: accepted(node, w) for w in range(4)}
        for _ in range(60):
            assert node.get("/r").status_code == 200
        for w in range(4):
            assert (accepted(node, w) == before[w]) == (w in out), (w, out)
        for w in out:
            node.ctl("drain", str(w), "--cancel")
        before = {w: accepted(node, w) for w in out}
        for _ in range(100):
            assert node.get("/r").status_code == 200
        for w in out:
            assert states(node)[w] == "ready" and accepted(node, w) > before[w]


def test_a_draining_worker_finishes_what_it_has(make_serving, gated):
    node = make_serving(workers="2")
    clients = [connect(node) for _ in range(8)]
    for c in clients:
        c.sendall(GET.replace(b"/r", b"/r/slow"))
        assert b"200 OK" in c.recv(65536)
    n = [w["connections_active"] for w in node.workers()][1]
    left = node.ctl("--json", "drain", "1", "--timeout", "100ms", check=False)
    assert left.returncode == (1 if n else 0)
    assert json.loads(left.stdout)["workers"][1]["state"] == ("draining" if n else "drained")
    gated.gate.set()
    for c in clients:
        assert c.recv(65536) == b"z"
    node.ctl("drain", "1", "--timeout", "20s")
    assert states(node) == {0: "ready", 1: "drained"}
    assert metric(node, "sluice_worker_state")['{worker="1",state="drained"}'] == 1.0


def test_a_drained_worker_stays_so_through_a_crash_and_ends_with_its_restart(make_serving):
    node = make_serving(workers="2")
    node.ctl("drain", "1", "--timeout", "20s")
    old = node.workers()[1]["pid"]
    node.may_crash = True
    os.kill(old, signal.SIGKILL)
    eventually(lambda: states(node)[1] == "drained" and node.workers()[1]["pid"] not in (0, old), "it is back, drained")
    node.ctl("workers", "restart", "1")
    assert states(node)[1] == "ready"
    before = accepted(node, 1)
    for _ in range(60):
        assert node.get("/r").status_code == 200
    assert accepted(node, 1) > before


def test_what_cannot_be_drained_is_refused(make_serving):
    node = make_serving(workers="2")
    refused = node.ctl("drain", "7", check=False)
    assert refused.returncode == 2 and "there is no worker 7; there are 0 to 1" in refused.stderr
    refused = node.ctl("drain", "x", check=False)
    assert refused.returncode == 2 and '"x" is not the number of a worker' in refused.stderr
    assert node.ctl("drain", "--timeout", "soon", check=False).returncode == 2
    node.ctl("drain", "0")
    refused = node.ctl("drain", "1", check=False)
    assert refused.returncode == 1 and "worker 1 is the last that takes connections" in refused.stderr
    node.ctl("drain", "1", "--cancel")  # it does not drain: nothing to undo
    assert states(node) == {0: "drained", 1: "ready"}


# ---- ready ------------------------------------------------------------------------------------

def test_a_node_stays_ready_while_workers_are_added_replaced_and_killed(make_serving):
    node = make_serving(workers="2", workers_max="8")
    seen, over = set(), threading.Event()

    def watch():
        while not over.is_set():
            seen.add(ready(node))
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for n in ("8", "3", "2", "6"):
            node.ctl("workers", "scale", n)
        node.ctl("workers", "restart")
        node.route_to(node.status_port, name="another")
        node.wait_settled()
    finally:
        over.set()
        watcher.join()
    assert seen == {(200, "ready")}
