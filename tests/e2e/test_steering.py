"""Who gets a connection: least_conn beside the kernel's hash, workers that are slow, blocked or killed, and nodes without BPF."""
import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from node import BUILD, eventually, slow

WORKERS = 4
# No CAP_BPF, and nothing that stands for it.
WITHOUT_BPF = ["setpriv", "--bounding-set=-bpf,-sys_admin,-perfmon", "--inh-caps=-bpf,-sys_admin,-perfmon"]
GET = b"GET /r HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def steering(node):
    return node.status("/steering")


@pytest.fixture
def make_steered(make_node):
    """A node with WORKERS workers, started; skipped where there is no BPF."""
    def make(**conf):
        node = make_node(**{"workers": str(WORKERS), "bpf_pin_dir": "", **conf}).start()
        now = steering(node)
        if not now["bpf"]:
            pytest.skip(f"no BPF here: {now['failed_step']}: {now['reason']}")
        return node
    return make


@contextlib.contextmanager
def connections(node, n, pause=0.0, burst=False):
    """n clients that stay, each of which a worker has accepted."""
    socks = []
    before = sum(w["connections"] for w in steering(node)["workers"])
    try:
        for i in range(n):
            s = socket.socket()
            socks.append(s)
            if burst:
                s.setblocking(False)
                s.connect_ex(("127.0.0.1", node.proxy_port))
            else:
                s.connect(("127.0.0.1", node.proxy_port))
                if i % 20 == 19:
                    time.sleep(pause)
        eventually(lambda: sum(w["connections"] for w in steering(node)["workers"]) - before == n, "every client is accepted")
        yield socks
    finally:
        for s in socks:
            s.close()
        eventually(lambda: sum(w["connections"] for w in steering(node)["workers"]) <= before, "they are gone")


def shares(node):
    return [w["connections"] for w in steering(node)["workers"]]


def assert_even(node):
    got = shares(node)
    assert max(got) / min(got) <= 1.02, got


@contextlib.contextmanager
def stuttering(pid):
    """A worker that runs for 20 of each 60 ms."""
    over = threading.Event()

    def stutter():
        while not over.is_set():
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.04)
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.02)
    thread = threading.Thread(target=stutter)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_200_long_lived_connections_are_even_with_least_conn_beside_the_kernels_hash(make_steered, record_property):
    node = make_steered()
    ratio = {}
    for mode in ("kernel", "least_conn"):
        node.ctl("steering", mode)
        with connections(node, 200, pause=0.02):
            got = shares(node)
            ratio[mode] = max(got) / max(1, min(got))
            record_property(mode, str(got))
            print(mode, got)
    assert ratio["least_conn"] <= 1.02, ratio
    assert steering(node)["counts"]["kernel"] >= 200


def test_a_burst_of_200_is_even(make_steered):
    node = make_steered()
    with connections(node, 200, burst=True):
        assert_even(node)


def test_one_slow_worker_gets_its_share_and_not_more(make_steered):
    node = make_steered()
    with stuttering(node.worker_pids()[0]), connections(node, 200, pause=0.05):
        assert_even(node)


def test_new_connections_avoid_a_worker_that_is_blocked(make_steered, origin):
    node = make_steered()
    node.route_to(origin)
    node.wait_settled()
    eventually(lambda: node.get("/r").status_code == 200, "the route serves")
    pid, before = node.worker_pids()[1], steering(node)["workers"][1]["assigned"]
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(0.1)
        for _ in range(60):
            assert node.get("/r").status_code == 200
        assert steering(node)["workers"][1]["assigned"] == before
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: node.get("/r") and steering(node)["workers"][1]["assigned"] > before, "it gets its share again")


def test_bursts_onto_a_slow_worker_are_even_beside_the_kernels_hash(make_steered, record_property):
    node = make_steered()
    ratio = {}
    for mode in ("kernel", "least_conn"):
        node.ctl("steering", mode)
        with stuttering(node.worker_pids()[2]), contextlib.ExitStack() as bursts:
            for _ in range(4):
                bursts.enter_context(connections(node, 50, burst=True))
            got = shares(node)
            ratio[mode] = max(got) / max(1, min(got))
            record_property(mode, str(got))
            print(mode, got)
    assert ratio["least_conn"] <= 1.02, ratio


def on_each_worker(node):
    """A connection that stays, by worker; and more of them, so that they stay, too."""
    found, more = {}, []
    eventually(lambda: sum(shares(node)) == 0, "nobody else is there")
    while len(found) < WORKERS:
        before = shares(node)
        more.append(socket.create_connection(("127.0.0.1", node.proxy_port), timeout=20 * slow()))
        now = eventually(lambda b=before: (n := shares(node)) != b and n, "it is accepted")
        found.setdefault(next(i for i in range(WORKERS) if now[i] > before[i]), more[-1])
    return found, more


def answers(sock):
    sock.sendall(b"GET /r HTTP/1.1\r\nHost: x\r\n\r\n")
    return sock.recv(65536).startswith(b"HTTP/1.1 200")


BLOCKS = """
local P = { PRIORITY = 10, VERSION = "1.0" }
function P:access()
  if kong.request.get_path() ~= "/r/block" then return end
  local till = os.clock() + 1
  while os.clock() < till do end
end
return P
"""


@pytest.mark.parametrize("with_bpf", [True, False])
@pytest.mark.parametrize("by", ["a signal", "a plugin"])
def test_a_blocked_worker_makes_no_request_on_another_wait(make_steered, make_node, origin, by, with_bpf):
    """For a second: SIGSTOP, or a plugin whose budget is that long.  Whoever is served elsewhere is answered before it goes on."""
    conf = {"plugin_limits_cpu_ms": "5000", "plugin_limits_cpu_ms_max": "5000"}
    node = make_steered(**conf) if with_bpf else make_node(workers=str(WORKERS), steering="off", **conf).start()
    node.route_to(origin)
    node.plugin("blocks", BLOCKS)
    node.make("/plugins", {"name": "blocks"})
    node.wait_plugin("blocks")
    eventually(lambda: node.get("/r").status_code == 200, "the route serves")
    clients, _others = on_each_worker(node)
    assert all(answers(s) for s in clients.values())
    blocked, pid = clients.pop(1), node.worker_pids()[1]
    if by == "a signal":
        os.kill(pid, signal.SIGSTOP)
    blocked.sendall(b"GET /r/block HTTP/1.1\r\nHost: x\r\n\r\n")
    try:
        time.sleep(0.1)
        assigned, rounds = steering(node)["workers"][1]["assigned"], 0
        while rounds < 50 and not has_answer(blocked, 0):
            assert all(answers(s) for s in clients.values()) and node.get("/r").status_code == 200
            assert steering(node)["workers"][1]["assigned"] == assigned or has_answer(blocked, 0.1), "it got something new"
            rounds += 1
    finally:
        os.kill(pid, signal.SIGCONT)
    assert rounds >= 5, "the others went on while it was blocked"
    assert has_answer(blocked, 20 * slow())


def has_answer(sock, timeout):
    return select.select([sock], [], [], timeout)[0] != []


def test_the_mode_is_shown_and_changed_while_it_runs(make_steered):
    node = make_steered(steering_mode="round_robin")
    assert "round_robin, by eBPF" in node.ctl("steering").stdout
    for mode in ("hash_ip", "cpu", "kernel", "least_conn"):
        node.ctl("steering", mode)
        assert steering(node)["mode"] == node.status("/status")["sluice"]["steering"]["mode"] == mode
        with connections(node, 20):
            if mode == "hash_ip":
                assert sorted(shares(node)) == [0, 0, 0, 20]
    bad = node.ctl("steering", "fastest", check=False)
    assert bad.returncode == 2 and "least_conn, hash_ip, cpu, round_robin, kernel" in bad.stderr
    assert '"mode": "least_conn"' in node.ctl("--json", "steering").stdout
    assert "steering    least_conn, by eBPF" in node.ctl("status", check=False).stdout


def test_handshakes_that_are_given_up_do_not_count_for_long(make_steered):
    node = make_steered()
    for _ in range(40):  # reset before a worker looks
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.connect(("127.0.0.1", node.proxy_port))
        s.close()
    eventually(lambda: all(w["waiting"] == w["connections"] == 0 for w in steering(node)["workers"]), "nothing waits")
    with connections(node, 100, pause=0.02):
        assert_even(node)


# ---- crashes ----------------------------------------------------------------------------------

def ask(port, timeout):
    """One request on a connection of its own: "ok", or what happened."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
            s.sendall(GET)
            answer = b""
            while chunk := s.recv(65536):
                answer += chunk
            return "ok" if answer.startswith(b"HTTP/1.1 200") else "cut off"
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "timed out"
    except OSError:
        return "cut off"


@contextlib.contextmanager
def clients(node, n):
    """n clients, a connection for each request; what they saw."""
    over, seen, lock = threading.Event(), {}, threading.Lock()

    def run():
        while not over.is_set():
            outcome = ask(node.proxy_port, 20 * slow())
            with lock:
                seen[outcome] = seen.get(outcome, 0) + 1
    threads = [threading.Thread(target=run) for _ in range(n)]
    for t in threads:
        t.start()
    try:
        yield seen
    finally:
        over.set()
        for t in threads:
            t.join()


def accepted(node):
    return sum(w["connections_accepted"] for w in node.workers())


def assert_none_was_lost(node, seen, before, kills):
    """Every connection was accepted by some worker.  A worker can die between accept() and its count: once in many kills."""
    attempts = sum(seen.values())
    assert "refused" not in seen and "timed out" not in seen, seen
    assert attempts - (accepted(node) - before) <= kills // 20, (seen, attempts, accepted(node) - before)
    assert seen["ok"] > 0


def kill_workers(node, rounds, n, every):
    for k in range(rounds):
        pids = eventually(node.worker_pids, "a worker is there")
        for pid in pids if n == WORKERS else pids[k % len(pids):][:1]:
            os.kill(pid, signal.SIGKILL)
        time.sleep(every)
    eventually(lambda: all(w["state"] == "ready" for w in node.workers()), "every worker is back", 20)


@pytest.mark.parametrize("with_bpf", [True, False])
def test_killed_workers_lose_no_connection_that_none_had_accepted(make_steered, make_node, origin, with_bpf):
    node = make_steered() if with_bpf else make_node(workers=str(WORKERS), steering="off").start()
    node.route_to(origin)
    node.wait_settled()
    before = accepted(node)
    with clients(node, 16) as seen:
        kill_workers(node, 20, 1, 0.15)
    assert_none_was_lost(node, seen, before, 20)


@pytest.mark.parametrize("with_bpf", [True, False])
def test_all_workers_killed_at_once_lose_no_connection_that_none_had_accepted(make_steered, make_node, origin, with_bpf):
    conf = {"worker_restart_delay_ms": "300"}
    node = make_steered(**conf) if with_bpf else make_node(workers=str(WORKERS), steering="off", **conf).start()
    node.route_to(origin)
    node.wait_settled()
    before = accepted(node)
    with clients(node, 16) as seen:
        kill_workers(node, 1, WORKERS, 1.5)
    assert_none_was_lost(node, seen, before, WORKERS)


def test_what_waits_for_a_worker_that_dies_is_served_by_the_others_at_once(make_steered, origin):
    node = make_steered(steering_mode="round_robin", worker_restart_delay_ms="5000")
    node.route_to(origin)
    node.wait_settled()
    pid = node.worker_pids()[2]
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(40) as pool:
        answers = [pool.submit(ask, node.proxy_port, 4) for _ in range(40)]
        time.sleep(0.5)
        os.kill(pid, signal.SIGKILL)
        assert [a.result() for a in answers] == ["ok"] * 40
    assert steering(node)["counts"]["migrated"] >= 1


def handshakes_in_flight(tmp_path, *arguments):
    run = subprocess.run(["unshare", "--net", sys.executable, Path(__file__).with_name("handshake_in_flight.py"), tmp_path, *arguments],
                         capture_output=True, text=True, timeout=120 * slow(), check=False)
    if "unshare failed" in run.stderr:
        pytest.skip("no network namespace can be made here: " + run.stderr.strip())
    assert run.returncode == 0, run.stderr[-3000:]
    seen = json.loads(run.stdout.splitlines()[-1])
    if "skip" in seen:
        pytest.skip(seen["skip"])
    return seen


def test_a_handshake_in_flight_when_its_worker_dies_ends_at_another(tmp_path):
    seen = handshakes_in_flight(tmp_path, "8")
    assert seen["served"] == 8 and seen["migrated"] >= 8, seen


def test_a_handshake_in_flight_when_its_worker_is_taken_away_without_bpf_ends_there(tmp_path):
    seen = handshakes_in_flight(tmp_path, "16", "scale")
    assert seen["served"] == 16 and seen["held"] > 0 and seen["listeners"] == 1, seen


@pytest.mark.long
def test_100_kills_under_64_clients_lose_no_connection_that_none_had_accepted(make_steered, origin):
    # more of them: each is slower to come back every time it is killed
    node = make_steered(workers="16", worker_restart_delay_ms="300")
    node.route_to(origin)
    node.wait_settled()
    before = accepted(node)
    with clients(node, 64) as seen:
        kill_workers(node, 100, 1, 0.25)
    print(seen, steering(node)["counts"])
    assert_none_was_lost(node, seen, before, 100)


# ---- without BPF ------------------------------------------------------------------------------

def without_bpf(make_node, **conf):
    node = make_node(workers=str(WORKERS), **conf)
    node.starter = WITHOUT_BPF
    return node


def test_a_node_without_the_capability_says_which_step_failed_and_serves(make_node, origin):
    node = without_bpf(make_node).start()
    node.route_to(origin)
    node.wait_settled()
    assert node.get("/r").status_code == 200
    now = steering(node)
    assert not now["bpf"] and now["mode"] == "kernel" and now["mode_wanted"] == "least_conn"
    assert now["failed_step"] and now["errno"] != 0 and now["reason"]
    status = node.ctl("status").stdout
    assert re.search(r"^steering    kernel, without eBPF \(.*step: " + now["failed_step"], status, re.M), status
    assert f'step="{now["failed_step"]}" errno={now["errno"]}' in node.log()
    refused = node.ctl("steering", "least_conn", check=False)
    assert refused.returncode == 1 and "needs BPF" in refused.stderr
    with connections(node, 40):
        assert sum(shares(node)) == 40


def test_mode_cpu_needs_no_bpf(make_node):
    node = without_bpf(make_node, steering_mode="cpu").start()
    assert steering(node)["mode"] == "cpu"
    node.ctl("steering", "kernel")
    node.ctl("steering", "cpu")
    with connections(node, 40):
        assert sum(shares(node)) == 40


def test_steering_on_refuses_to_start_without_bpf(make_node):
    node = without_bpf(make_node, steering="on")
    node.start(wait=False)
    assert node.process.wait(20 * slow()) == 1
    assert "steering: is \"on\", but there is no BPF" in node.log()


# ---- pins -------------------------------------------------------------------------------------

def test_pins_belong_to_the_node_that_lives_and_are_reclaimed_from_one_that_is_gone(make_steered, make_node, bpffs):
    pins = {"bpf_pin_dir": str(bpffs / "sluice")}
    node = make_steered(**pins)
    assert steering(node)["pin_dir"] == pins["bpf_pin_dir"]
    assert {p.name for p in (bpffs / "sluice").iterdir()} >= {"owner", "board", "steer", "socks"}
    assert os.readlink(bpffs / "sluice/owner") == f"node={node.status('/status')['sluice']['node_id']},pid={node.process.pid}"

    second = make_node(workers="1", steering="on", **pins)
    second.start(wait=False)
    assert second.process.wait(20 * slow()) == 1
    assert "belongs to another node that runs" in second.log() and str(node.process.pid) in second.log()
    third = make_node(workers="1", **pins).start()  # auto: serves, without pins
    assert steering(third)["bpf"] and "belongs to another node" in steering(third)["pin_error"]
    third.stop()
    assert (bpffs / "sluice/board").exists()

    node.kill()
    heir = make_node(workers="1", steering="on", **pins).start()
    assert os.readlink(bpffs / "sluice/owner").endswith(f"pid={heir.process.pid}")
    heir.stop()
    assert not (bpffs / "sluice").exists()


def test_a_directory_with_foreign_pins_is_left_alone(make_steered, bpffs):
    (bpffs / "sluice/theirs").mkdir(parents=True)
    node = make_steered(bpf_pin_dir=str(bpffs / "sluice"))
    assert "holds what no node has pinned" in steering(node)["pin_error"]
    assert (bpffs / "sluice/theirs").exists()
