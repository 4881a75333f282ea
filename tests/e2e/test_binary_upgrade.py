"""sluiced becomes another binary in place: the same pid, and no client notices."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
import requests
from clients import CHUNK, MODES, STREAM_CHUNKS, WITHOUT_BPF, all_kinds_of_clients
from load import Load
from node import BUILD, ROOT, eventually, slow
from ports import free_port
from stream_ends import make_certificates
from upgrades import old_ones_end, running, script, upgrade

COUNTER = """
    local P = { PRIORITY = 10, VERSION = "1.0" }
    function P:access(conf)
        local dict, counter = sluice.dict("kept"), sluice.counter("requests")
        kong.response.set_header("X-Count", counter:incr(1))
        kong.response.set_header("X-Kept", dict:get("kept") or "nothing")
        if kong.request.get_query_arg("keep") then dict:set("kept", kong.request.get_query_arg("keep")) end
    end
    return P"""


@MODES
def test_upgrades_under_load_fail_no_request(make_serving, install, how):
    node = make_serving(how)
    pid = node.process.pid
    binaries = [install("a"), install("b")]
    with all_kinds_of_clients(node):
        for i in range(3):
            before = set(node.worker_pids())
            shown = upgrade(node, binaries[i % 2])
            now = set(node.worker_pids())
            assert len(now) == 2 and not before & now
            assert shown["upgrades"] == i + 1
            assert running(pid) == str(binaries[i % 2])
            assert {running(p) for p in now} == {str(binaries[i % 2].parent / "sluice-worker")}
    old_ones_end(node)
    assert node.process.pid == pid
    assert node.log().count('msg="upgraded"') == 3
    eventually(lambda: node.admin("GET", "/").status_code == 200, "the Admin API answers")
    assert running(node.status("/status")["sluice"]["control"]["pid"]).startswith(str(binaries[0].parent))


@pytest.mark.long
@MODES
def test_twenty_upgrades_under_load_fail_no_request(make_serving, install, how):
    node = make_serving(how)
    binaries = [install("a"), install("b")]
    with all_kinds_of_clients(node):
        for i in range(20):
            upgrade(node, binaries[i % 2])
    old_ones_end(node)
    assert node.status("/upgrade")["upgrades"] == 20
    assert "\nsluice_upgrades_total 20\n" in requests.get(f"http://127.0.0.1:{node.status_port}/metrics", timeout=20).text


@MODES
def test_counters_values_breakers_and_sessions_go_on(make_serving, install, how):
    node = make_serving(how, workers_max="4")
    node.plugin("counts", COUNTER)
    node.make("/plugins", {"name": "counts"})
    node.wait_plugin("counts")
    node.wait_settled()
    eventually(lambda: "X-Count" in node.get("/r").headers, "the plugin acts")
    for _ in range(20):
        last = int(node.get("/r?keep=this").headers["X-Count"])
    node.ctl("workers", "scale", "3")
    eventually(lambda: node.status("/plugins")["plugins"][0]["counters"]["runs"] >= 20, "the counts have come")
    total = node.status("/status")["server"]["total_requests"]
    runs = node.status("/plugins")["plugins"][0]["counters"]["runs"]
    spent = sum(p["count"] for p in node.status("/latency")["plugins"])
    routes = sum(r["requests"] for r in node.status("/traffic")["routes"])
    upgrade(node, install())
    assert len(node.worker_pids()) == 3, "scaled by hand before"
    assert node.status("/status")["server"]["total_requests"] == total
    assert node.status("/plugins")["plugins"][0]["counters"]["runs"] == runs
    assert sum(p["count"] for p in node.status("/latency")["plugins"]) == spent
    assert sum(r["requests"] for r in node.status("/traffic")["routes"]) == routes
    answer = node.get("/r")
    assert int(answer.headers["X-Count"]) == last + 1 and answer.headers["X-Kept"] == "this"
    eventually(lambda: node.status("/plugins")["plugins"][0]["counters"]["runs"] == runs + 1, "new workers count on")
    assert node.status("/status")["server"]["total_requests"] == total + 1


def test_tls_sessions_are_resumed_by_the_new_workers(make_serving, install):
    node = make_serving(WITHOUT_BPF, workers="1")
    port = node.proxy_port
    node.stop()
    tls_port = node.status_port + 1
    node.conf["proxy_listen"] = f"127.0.0.1:{port}, 127.0.0.1:{tls_port} ssl"
    node.start()
    session = BUILD / f"session-{os.getpid()}"
    def connect(*args):
        return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{tls_port}", "-ign_eof", *args], capture_output=True, text=True,
                              input="GET /r HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", timeout=20, check=False).stdout
    try:
        assert "\nNew, TLS" in connect("-sess_out", session)
        upgrade(node, install())
        assert "\nReused, TLS" in connect("-sess_in", session)
    finally:
        session.unlink(missing_ok=True)


def test_a_stream_ends_in_the_old_process(make_serving, install):
    node = make_serving(WITHOUT_BPF, workers="1")
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=20) as client:
        client.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: node.workers()[0]["connections_active"] >= 1, "the stream runs")
        upgrade(node, install())
        assert sorted(w["state"] for w in node.workers()) == ["draining", "ready"]
        assert node.get("/r").status_code == 200
        _, _, body, _ = Load.read(client, b"")
        assert len(body) == len(CHUNK) * STREAM_CHUNKS
    old_ones_end(node)


def test_an_old_process_that_does_not_end_is_cut_off_in_time(make_serving, install):
    node = make_serving(WITHOUT_BPF, workers="1", shutdown_timeout_ms="1500")
    with socket.create_connection(("127.0.0.1", node.proxy_port), timeout=20) as client:
        client.sendall(b"POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        eventually(lambda: node.workers()[0]["connections_active"] >= 1, "it waits for the body")
        upgrade(node, install())
        old_ones_end(node)
        assert client.recv(1000) == b""


def test_keys_that_workers_read_are_taken_from_the_file_as_it_is_now(make_serving, install):
    node = make_serving(WITHOUT_BPF)
    assert "X-Kong-Upstream-Status" not in node.get("/r").headers
    node.conf["headers"] = "X-Kong-Upstream-Status"
    node.write_conf()
    upgrade(node, install())
    assert node.get("/r").headers["X-Kong-Upstream-Status"] == "200"


def test_sigusr2_takes_what_is_at_its_path_now(make_serving, install):
    node = make_serving(WITHOUT_BPF)
    binary = install("place")
    upgrade(node, binary)
    inode = os.stat(f"/proc/{node.process.pid}/exe").st_ino
    fresh = install("fresh")
    os.rename(fresh, binary)  # as a package manager does
    node.process.send_signal(signal.SIGUSR2)
    eventually(lambda: node.status("/upgrade")["upgrades"] == 2 and node.status("/upgrade")["state"] == "done", "it is replaced")
    assert os.stat(f"/proc/{node.process.pid}/exe").st_ino != inode
    assert running(node.process.pid) == str(binary)


def test_a_symbolic_link_is_followed_anew_each_time(make_serving, install, tmp_path):
    node, link = make_serving(WITHOUT_BPF), tmp_path / "current"
    link.symlink_to(install("v1").parent)
    upgrade(node, link / "sluiced")
    assert running(node.process.pid) == str(tmp_path / "v1/sluiced")
    install("v2")
    link.unlink()
    link.symlink_to(tmp_path / "v2")
    node.ctl("upgrade")
    assert running(node.process.pid) == str(tmp_path / "v2/sluiced")
    assert {running(p) for p in node.worker_pids()} == {str(tmp_path / "v2/sluice-worker")}


def test_two_upgrades_at_once_are_one(make_serving, install, tmp_path):
    node = make_serving(WITHOUT_BPF)
    slow_one = script(tmp_path / "slow", f"#!/bin/sh\nsleep 1\nexec {install()} \"$@\"\n")
    with subprocess.Popen([BUILD / "tools/sluicectl", "--prefix", node.prefix, "upgrade", slow_one], stderr=subprocess.PIPE) as first:
        eventually(lambda: node.status("/upgrade")["state"] == "checking", "the first is under way")
        refused = node.ctl("upgrade", str(install("other")), check=False)
        assert refused.returncode == 1 and "is under way" in refused.stderr
        node.process.send_signal(signal.SIGUSR2)
        assert first.wait(30 * slow()) == 0
    assert node.status("/upgrade")["upgrades"] == 1
    assert node.get("/r").status_code == 200


@MODES
def test_an_upgrade_in_the_middle_of_a_replacement(make_serving, install, how):
    node, binary = make_serving(how), install()
    with all_kinds_of_clients(node):
        with subprocess.Popen([BUILD / "tools/sluicectl", "--prefix", node.prefix, "workers", "restart"], stdout=subprocess.DEVNULL) as restart:
            eventually(lambda: len(node.workers()) > 2, "a replacement is there", every=0.005)
            upgrade(node, binary)
            assert restart.wait(60 * slow()) == 0
    old_ones_end(node)
    assert {running(p) for p in node.worker_pids()} == {str(binary.parent / "sluice-worker")}


def test_terminated_right_after_it_was_asked_to_upgrade_it_ends_orderly(make_serving, install):
    for delay in (0, 0.02, 0.04, 0.06, 0.1):
        node = make_serving(WITHOUT_BPF)
        subprocess.run(["curl", "-s", "--unix-socket", node.prefix / "sluiced.sock", "-XPOST", f"http://x/upgrade?binary={install()}"],
                       capture_output=True, check=True)
        time.sleep(delay)
        node.process.terminate()
        assert node.process.wait(20 * slow()) == 0
        assert 'msg="stopping"' in node.log()


def test_a_drained_worker_and_the_steering_mode_stay_as_they_were_set(make_serving, install):
    node = make_serving({})
    node.ctl("steering", "round_robin")
    node.ctl("drain", "1", "--timeout", "1s")
    upgrade(node, install())
    old_ones_end(node)
    assert node.status("/steering")["mode"] == "round_robin"
    assert {w["slot"]: w["state"] for w in node.workers()} == {0: "ready", 1: "drained"}
    node.ctl("drain", "1", "--cancel")
    assert all(w["state"] == "ready" for w in node.workers())


def test_upgraded_while_its_control_plane_is_away(make_serving, install):
    """Half an installation: sluice-control does not even start."""
    node = make_serving(WITHOUT_BPF)
    binary = install(replace={"sluice-control": "#!/bin/sh\nexit 1\n"})
    os.kill(node.status("/status")["sluice"]["control"]["pid"], signal.SIGSTOP)
    with all_kinds_of_clients(node):
        upgrade(node, binary)
    assert node.get("/r").status_code == 200
    eventually(lambda: not node.status("/status")["sluice"]["control_stream"]["connected"], "no stream")
    upgrade(node, install("whole"))
    eventually(lambda: node.admin("GET", "/").status_code == 200, "the Admin API is back", 20)


def test_the_snapshot_does_not_grow_by_what_old_images_read(make_serving, install):
    node = make_serving(WITHOUT_BPF, workers="1")
    binaries = [install("a"), install("b")]
    for i in range(6):
        upgrade(node, binaries[i % 2])
        eventually(lambda: node.admin("GET", "/").status_code == 200, "the Admin API answers")
    def change(i):
        node.make("/services/s-r", {"tags": [f"t{i}"]}, "PATCH")
        node.wait_settled()
        return node.status("/status")["sluice"]["snapshot"]["used_bytes"]
    sizes = [change(i) for i in range(30)]
    assert max(sizes[10:]) <= max(sizes[:10]), sizes


@MODES
def test_workers_that_were_just_taken_away_end_as_they_would_have(make_serving, install, how):
    """Without eBPF they accept for another minute."""
    node = make_serving(how, workers="4", workers_max="4", shutdown_timeout_ms="5000")
    with all_kinds_of_clients(node):
        node.ctl("workers", "scale", "2")
        upgrade(node, install())
        assert len(node.worker_pids()) == 2
        node.ctl("workers", "scale", "4")
        assert len(node.worker_pids()) == 4
        upgrade(node, install("again"))
    assert sorted(w["slot"] for w in node.workers() if w["state"] == "ready") == [0, 1, 2, 3]


def test_pinned_maps_go_on_and_are_removed_by_the_last_image(make_serving, install, bpffs):
    node = make_serving({}, bpf_pin_dir=str(bpffs / "sluice"), bpf_pin_mode="0644")
    pins = bpffs / "sluice"
    node.plugin("counts", COUNTER)
    node.make("/plugins", {"name": "counts"})
    node.wait_plugin("counts")
    eventually(lambda: "X-Count" in node.get("/r").headers, "the plugin acts")
    before = sorted(p.name for p in pins.iterdir())
    def program():
        shown = subprocess.run(["bpftool", "-j", "prog", "show", "pinned", pins / "steer"], capture_output=True, text=True, timeout=20, check=True)
        return json.loads(shown.stdout)["id"]
    def counted():
        text = (pins / "plugin_latency_prom").read_text()
        return sum(int(line.split()[-1]) for line in text.splitlines() if "_count{" in line and 'plugin="counts"' in line)
    old, spent = program(), counted() if "plugin_latency_prom" in before else 0
    upgrade(node, install())
    assert sorted(p.name for p in pins.iterdir()) == before
    assert program() != old, "the new image's program"
    assert node.get("/r").status_code == 200
    if "plugin_latency_prom" in before:
        eventually(lambda: counted() == spent + 1, "one access phase more in the same rows")
    assert node.status("/steering")["pin_dir"] == str(pins)
    node.stop()
    assert not pins.exists()


def test_changes_that_come_meanwhile_are_in_force_afterwards(make_serving, install):
    node = make_serving(WITHOUT_BPF)
    handler = 'local P = { PRIORITY = 10, VERSION = "1.0" } function P:access(conf) kong.response.set_header("X-Plugin", "%d") end return P'
    node.plugin("marks", handler % 0)
    node.make("/plugins", {"name": "marks"})
    node.wait_plugin("marks")
    stop, newest = threading.Event(), [0]

    def change():
        while not stop.is_set():
            with contextlib.suppress(OSError):  # the Admin API goes away for a moment each time
                if node.admin("PATCH", "/custom-plugins/marks", {"handler": handler % (newest[0] + 1) + "\n--" + "x" * 50000}).status_code == 200:
                    newest[0] += 1
    changer = threading.Thread(target=change, daemon=True)
    changer.start()
    try:
        with all_kinds_of_clients(node):
            for i in range(3):
                upgrade(node, install(f"n{i}"))
    finally:
        stop.set()
        changer.join(30)
    assert newest[0] > 3
    eventually(lambda: node.get("/r").headers.get("X-Plugin") in (str(newest[0]), str(newest[0] + 1)), "the newest is in force", 15)


def test_every_role_can_be_upgraded(make_node, origin, install, tmp_path):
    certs, port = make_certificates(tmp_path), free_port()

    def tls(name):
        return {"cluster_cert": str(certs / f"{name}.pem"), "cluster_cert_key": str(certs / f"{name}.key"), "cluster_ca_cert": str(certs / "ca.pem")}
    control = make_node("control", role="control_plane", cluster_listen=f"127.0.0.1:{port}", **tls("server")).start()
    node = make_node("data", role="data_plane", cluster_control_plane=f"127.0.0.1:{port}", workers="1", **WITHOUT_BPF, **tls("node")).start()
    control.route_to(origin)
    eventually(lambda: node.get("/r").status_code == 200, "it serves")
    with Load(node.proxy_port, n=4) as load:
        upgrade(control, install("a"))
        upgrade(node, install("b"))
        eventually(lambda: control.admin("GET", "/").status_code == 200, "the Admin API is back")
        eventually(lambda: node.status("/status")["sluice"]["control_stream"]["connected"], "the stream is back")
        control.route_to(origin, name="s")
        eventually(lambda: node.get("/s").status_code == 200, "changes arrive")
    assert load.problems == [], load.problems[:3]
    control.process.send_signal(signal.SIGUSR2)
    eventually(lambda: control.status("/upgrade")["upgrades"] == 2 and control.status("/upgrade")["state"] == "done", "again")


def test_nothing_is_left_open_by_upgrades(make_serving, install):
    node, binaries = make_serving({}), [install("a"), install("b")]

    def descriptors():
        return sorted(os.readlink(f"/proc/{node.process.pid}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{node.process.pid}/fd"))

    def settled():
        old_ones_end(node)
        eventually(lambda: node.admin("GET", "/").status_code == 200, "the Admin API answers")
        eventually(lambda: node.status("/status")["sluice"]["control_stream"]["connected"], "the stream is there")
        return True
    upgrade(node, binaries[0])
    settled()
    before = len(descriptors())
    for i in range(4):
        upgrade(node, binaries[1 - i % 2])
        settled()
    eventually(lambda: len(descriptors()) <= before, "no more are open than before")
    assert len([p for p in os.listdir("/proc") if p.isdigit() and is_zombie_of(p, node.process.pid)]) == 0


def is_zombie_of(pid, parent):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return False
    return fields[0] == "Z" and int(fields[1]) == parent


NOT_SHARED = {"CHANNEL", "CONF", "WAKE", "LISTENERS"}


@MODES
def test_new_workers_have_the_very_memory_that_the_old_ones_had(make_serving, install, how):
    """Every area that a worker inherits, also one that is added to the table later."""
    table = dict(re.findall(r"\tX\((\w+), (\d+), ", (ROOT / "shm/ipc.h").read_text().split("IPC_INHERIT_TABLE(X)")[1]))
    areas = {name: int(fd) for name, fd in table.items() if name not in NOT_SHARED}
    assert len(areas) >= 6
    node, binary = make_serving(how), install()

    def looks(pid):
        """A memfd by its inode, a BPF map by its id."""
        found = {}
        for name, fd in areas.items():
            with contextlib.suppress(OSError):
                info = open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii").read()
                bpf = re.search(r"^map_id:\s(\d+)$", info, re.M)
                found[name] = f"map {bpf[1]}" if bpf else os.stat(f"/proc/{pid}/fd/{fd}").st_ino
        return found
    before = looks(node.worker_pids()[0])
    if os.getuid() != 0:
        pytest.skip("workers are not dumpable: root alone looks at what they have open")
    assert set(before) >= {"STAT", "DICT", "TRAFFIC", "BREAKER"}
    upgrade(node, binary)
    assert looks(node.worker_pids()[0]) == before
    node.ctl("workers", "scale", "3")
    assert looks(node.worker_pids()[2]) == before
    assert running(node.worker_pids()[2]) == str(binary.parent / "sluice-worker")


def test_a_worker_that_is_down_at_that_moment_comes_back_as_the_new_binary_s(make_serving, install):
    node, binary = make_serving(WITHOUT_BPF, worker_restart_delay_ms="3000"), install()
    os.kill(node.worker_pids()[0], signal.SIGKILL)
    eventually(lambda: len(node.worker_pids()) == 1, "one is down")
    upgrade(node, binary)
    eventually(lambda: len(node.worker_pids()) == 2, "it is back")
    assert {running(p) for p in node.worker_pids()} == {str(binary.parent / "sluice-worker")}
    with all_kinds_of_clients(node):
        pass
