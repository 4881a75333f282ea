"""systemd keeps the listening sockets of sluiced: a crash and a restart lose no connection that waited."""
import os
import signal
import socket
import threading
import time

import pytest
from clients import MODES, WITHOUT_BPF, all_kinds_of_clients
from load import Load
from node import eventually, processes_below, slow
from systemd_peer import Systemd


@pytest.fixture
def systemd(tmp_path):
    s = Systemd(tmp_path / "notify")
    yield s
    s.close()


@pytest.fixture
def make_service(make_node, origin, systemd):
    def make(how, **conf):
        node = make_node(**{"workers": "2", "bpf_pin_dir": "", "shutdown_timeout_ms": "5000", **how, **conf})
        systemd.start(node)
        node.wait_up()
        if not how and not node.status("/steering")["bpf"]:
            pytest.skip("no BPF here: " + node.status("/steering")["reason"])
        node.route_to(origin)
        node.wait_settled()
        eventually(lambda: node.get("/r").status_code == 200, "it serves")
        return node
    return make


def again(systemd, node):
    systemd.start(node)
    node.wait_up()


@MODES
def test_listeners_are_kept_by_name_and_the_node_says_when_it_is_ready(make_service, systemd, how):
    node = make_service(how)
    names = systemd.names()
    assert [n.split("-")[:2] for n in names if n.startswith("proxy-")] == [["proxy", "000"], ["proxy", "001"]]
    assert ("steering-socks" in names) == (how == {})
    eventually(lambda: systemd.heard("READY") == ["1"], "READY=1")
    assert {m["FDPOLL"] for m in systemd.messages if m.get("FDSTORE") == "1"} == {"0"}
    node.process.send_signal(signal.SIGHUP)
    eventually(lambda: systemd.heard("READY") == ["1", "1"], "READY=1 after the reload")
    reloading = next(m for m in systemd.messages if m.get("RELOADING") == "1")
    assert 0 < int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    node.process.terminate()
    node.process.wait(20 * slow())
    assert systemd.heard("STOPPING") == ["1"]
    assert systemd.names() == names, "a restart finds them"


class Waiting:
    """Clients that come one after the other, each with one request; what was answered counts, and what a worker had in hand when it died."""

    def __init__(self, port, n=64):
        self.port, self.goes_on = port, True
        self.answered, self.refused, self.cut = 0, [], []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(n)]
        for t in self.threads:
            t.start()

    def client(self):
        while self.goes_on:
            try:
                connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
            except OSError as error:
                with self.lock:
                    self.refused.append(repr(error))
                time.sleep(0.01)
                continue
            try:
                connection.sendall(b"GET /r HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert Load.read(connection, b"")[0] == 200
                with self.lock:
                    self.answered += 1
            except (OSError, EOFError, ValueError, AssertionError) as error:
                with self.lock:
                    self.cut.append(repr(error))
            finally:
                connection.close()

    def stop(self):
        self.goes_on = False
        for t in self.threads:
            t.join(40)


@MODES
def test_a_killed_master_loses_no_connection_under_load(make_service, systemd, how):
    """Its workers finish what they have; what they have not accepted waits for the next ones."""
    node = make_service(how)
    load = Waiting(node.proxy_port)
    try:
        for _ in range(3):
            answered = load.answered
            eventually(lambda: load.answered > answered + 100, "clients are served")
            old = node.worker_pids()
            node.kill()
            again(systemd, node)
            assert not set(old) & set(node.worker_pids())
        answered = load.answered
        eventually(lambda: load.answered > answered + 100, "clients are served")
    finally:
        load.stop()
    assert load.refused == [] and load.cut == [], (load.refused[:3], load.cut[:3])
    eventually(lambda: len(processes_below(node.prefix)) == 4, "the old workers have ended", 10)


def kill_under_all_kinds_of_clients(make_node, streaming, systemd, how, times):
    node = make_node(workers="2", bpf_pin_dir="", shutdown_timeout_ms="20000", **how)
    systemd.start(node)
    node.wait_up()
    if not how and not node.status("/steering")["bpf"]:
        pytest.skip("no BPF here: " + node.status("/steering")["reason"])
    node.route_to(streaming, name="r", strip_path=False)
    node.route_to(streaming, name="stream", strip_path=False)
    node.wait_settled()
    eventually(lambda: node.get("/r").status_code == 200 and node.get("/stream").status_code == 200, "it serves")
    with all_kinds_of_clients(node) as loads:
        for _ in range(times):
            node.kill()
            again(systemd, node)
            loads[0].wait_for(20)


@MODES
def test_a_killed_master_costs_no_request_of_any_kind_of_client(make_node, streaming, systemd, how):
    kill_under_all_kinds_of_clients(make_node, streaming, systemd, how, 2)


@pytest.mark.long
@MODES
def test_twenty_killed_masters_cost_no_request_of_any_kind_of_client(make_node, streaming, systemd, how):
    kill_under_all_kinds_of_clients(make_node, streaming, systemd, how, 20)


@MODES
def test_what_waits_while_nobody_is_there_is_served_by_the_next_one(make_service, systemd, how):
    node = make_service(how)
    node.kill()
    eventually(lambda: processes_below(node.prefix) == [], "nobody is left", 10)
    clients = [socket.create_connection(("127.0.0.1", node.proxy_port), timeout=30) for _ in range(30)]
    for c in clients:
        c.sendall(b"GET /r HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    again(systemd, node)
    for c in clients:
        assert Load.read(c, b"")[0] == 200
        c.close()
    if not how:
        assert node.status("/steering")["bpf"] and "has no place" not in node.log()


@MODES
def test_a_restart_loses_no_connection(make_service, systemd, how):
    node = make_service(how)
    load = Waiting(node.proxy_port, n=16)
    try:
        for _ in range(2):
            answered = load.answered
            eventually(lambda: load.answered > answered + 50, "clients are served")
            node.process.terminate()
            assert node.process.wait(20 * slow()) == 0
            again(systemd, node)
    finally:
        load.stop()
    assert load.refused == [] and load.cut == [], (load.refused[:3], load.cut[:3])


@MODES
def test_a_killed_worker_s_queue_moves_although_systemd_has_a_copy(make_service, systemd, how):
    """Without eBPF the listener stays, and so does its name."""
    node = make_service(how, worker_restart_delay_ms="3000", worker_hang_ms="60000", **({"steering_mode": "round_robin"} if not how else {}))
    names = systemd.names()
    victim = node.worker_pids()[0]
    os.kill(victim, signal.SIGSTOP)
    clients = [socket.create_connection(("127.0.0.1", node.proxy_port), timeout=30) for _ in range(20)]
    for c in clients:
        c.sendall(b"GET /r HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    began = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    for c in clients:
        assert Load.read(c, b"")[0] == 200
        c.close()
    if not how:
        assert time.monotonic() - began < 2.5, "they did not wait for the next process"
        eventually(lambda: systemd.names() != names, "it was renewed")
    assert len(systemd.names()) == len(names)


@MODES
def test_fewer_workers_than_kept_listeners_lose_nothing(make_service, systemd, how):
    node = make_service(how, workers="4", workers_max="4")
    node.kill()
    eventually(lambda: processes_below(node.prefix) == [], "nobody is left", 10)
    clients = [socket.create_connection(("127.0.0.1", node.proxy_port), timeout=30) for _ in range(40)]
    for c in clients:
        c.sendall(b"GET /r HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    node.conf["workers"] = "1"
    systemd.start(node)
    for c in clients:
        assert Load.read(c, b"")[0] == 200
        c.close()
    eventually(lambda: [w["slot"] for w in node.workers() if w["state"] == "ready"] == [0], "the others were taken away", 20)
    assert node.get("/r").status_code == 200


def test_more_workers_than_kept_listeners_get_new_ones(make_service, systemd):
    node = make_service(WITHOUT_BPF, workers="1", workers_max="3")
    node.kill()
    node.conf["workers"] = "3"
    again(systemd, node)
    assert len(node.worker_pids()) == 3
    assert len([n for n in systemd.names() if n.startswith("proxy-")]) == 3


def test_what_is_foreign_or_of_no_use_is_closed_and_said(make_service, systemd, tmp_path):
    node = make_service(WITHOUT_BPF)
    old_port = node.proxy_port
    node.kill()
    node.proxy_port = node.status_port + 1
    node.conf["proxy_listen"] = f"127.0.0.1:{node.proxy_port}"
    with socket.create_server(("127.0.0.1", 0)) as foreign, open(tmp_path / "file", "wb") as file:
        systemd.start(node, extra=[("somebody.socket", foreign.fileno()), ("proxy-999-0", file.fileno()), ("proxy-000-zz", foreign.fileno())])
        node.wait_up()
    assert node.log().count('msg="a descriptor kept by systemd is of no use now: closed"') == 5
    assert "name=somebody.socket" in node.log() or 'name="somebody.socket"' in node.log()
    assert node.get("/r").status_code == 200
    assert len(systemd.names()) == 2
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", old_port), timeout=5).close()


def test_descriptors_meant_for_another_process_are_left_alone(make_node, origin):
    node = make_node(workers="1", **WITHOUT_BPF)
    os.environ.update(LISTEN_FDS="3", LISTEN_PID="1", LISTEN_FDNAMES="a:b:c")
    try:
        node.start()
    finally:
        for name in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"):
            del os.environ[name]
    assert "kept by systemd" not in node.log()


def test_an_upgrade_keeps_what_is_kept(make_service, systemd):
    node = make_service({})
    names = systemd.names()
    node.ctl("upgrade")
    assert systemd.names() == names
    eventually(lambda: systemd.heard("READY") == ["1", "1"], "ready again")
    node.kill()
    again(systemd, node)
    assert node.get("/r").status_code == 200


def test_a_worker_that_hangs_when_its_master_dies_ends_in_time(make_service, systemd):
    node = make_service(WITHOUT_BPF, workers="1", shutdown_timeout_ms="1000", plugin_limits_cpu_ms="60000", plugin_limits_cpu_ms_max="60000",
                        worker_hang_ms="60000")
    node.plugin("loops", """
        local P = { PRIORITY = 10, VERSION = "1.0" }
        function P:access(conf) if kong.request.get_path() == "/r/loop" then while true do end end end
        return P""")
    node.make("/plugins", {"name": "loops"})
    node.wait_plugin("loops")
    node.wait_settled()
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=20) as client:
        client.sendall(b"GET /r/loop HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)
        node.kill()
        again(systemd, node)
        eventually(lambda: len(processes_below(node.prefix)) == 3, "the one that hung is gone", 12)


@MODES
def test_listeners_of_workers_that_are_taken_away_are_kept_no_longer(make_service, systemd, how):
    """A copy in the store would go on getting connections that nobody accepts."""
    def kept():
        return [n.split("-")[1] for n in systemd.names() if n.startswith("proxy-")]
    node = make_service(how, workers="1", workers_max="3")
    for n in (3, 1, 2, 3):
        node.ctl("workers", "scale", str(n))
        eventually(lambda n=n: kept() == [f"{i:03}" for i in range(n)], f"{n} are kept")
    node.kill()
    node.conf["workers"] = "3"
    again(systemd, node)
    assert node.get("/r").status_code == 200


@pytest.mark.parametrize("before, after", [("127.0.0.1:{}", "0.0.0.0:{}"), ("0.0.0.0:{}", "127.0.0.1:{}"), ("[::]:{}", "[::]:{} ipv6only=off"),
                                           ("[::]:{} ipv6only=off", "0.0.0.0:{}")])
def test_an_address_that_holds_another_s_port_is_given_up_first(make_node, origin, systemd, before, after):
    node = make_node(workers="2", **WITHOUT_BPF)
    node.conf["proxy_listen"] = before.format(node.proxy_port)
    systemd.start(node)
    node.wait_up()
    old = systemd.names()
    node.process.terminate()
    assert node.process.wait(20 * slow()) == 0
    node.conf["proxy_listen"] = after.format(node.proxy_port)
    again(systemd, node)
    node.route_to(origin)
    eventually(lambda: node.get("/r").status_code == 200, "it serves there")
    assert len(systemd.names()) == 2 and not set(old) & set(systemd.names())
