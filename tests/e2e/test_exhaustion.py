"""Nothing left: file descriptors, room on the disk, a whole snapshot.  What can serve goes on, and says what is wrong."""
import os
import resource
import socket
import subprocess
import time
from pathlib import Path

import pytest
from node import SLOW, eventually




def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_many(port, n, data=b""):
    held = []
    for _ in range(n):
        s = socket.create_connection(("127.0.0.1", port), timeout=5 * SLOW)
        s.sendall(data)
        held.append(s)
    return held


def first_status(connection):
    try:
        return int(connection.recv(4096).split(b" ", 2)[1])
    except (OSError, IndexError):
        return None


def limit_files(pid, n):
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (n, n))


def test_without_descriptors_a_worker_answers_503_and_admin_and_status_stay_reachable(make_node, origin):
    node = make_node(workers="1")
    node.starter = ["prlimit", "--nofile=80:80"]
    node.start()
    node.route_to(origin, name="r")
    eventually(lambda: node.get("/r").status_code == 200, "proxied")
    worker = node.worker_pids()[0]
    held = open_many(node.proxy_port, 120, b"GET /r HTTP/1.1\r\nHost: x\r\n\r\n")
    seen = {first_status(s) for s in held}
    assert 503 in seen and seen <= {200, 503, None}, seen
    assert node.admin("GET", "/services").status_code == 200 and node.status("/status")
    assert node.worker_pids() == [worker]
    for s in held:
        s.close()
    eventually(lambda: node.get("/r").status_code == 200, "it serves again")


def control_of(node):
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if (proc / "stat").read_text().rsplit(")", 1)[1].split()[1] == str(node.process.pid) and b"sluice-control" in (proc / "cmdline").read_bytes():
                return int(proc.name)
        except OSError:
            pass
    raise AssertionError("no sluice-control")


@pytest.mark.parametrize("which", ["admin", "status"])
def test_without_descriptors_a_listener_rests_instead_of_spinning_and_flooding_the_log(make_node, which):
    node = make_node(workers="1").start()
    pid = control_of(node) if which == "admin" else node.process.pid
    limit_files(pid, len(os.listdir(f"/proc/{pid}/fd")) + 5)
    held = open_many(node.admin_port if which == "admin" else node.status_port, 60)
    before, size = cpu_seconds(pid), len(node.log())
    time.sleep(1)
    assert cpu_seconds(pid) - before < 0.2 * SLOW
    assert len(node.log()) - size < 20000
    assert f"{which}_listen" in node.log()
    for s in held:
        s.close()
    eventually(lambda: node.admin("GET", "/").status_code == 200 and node.status("/status"), "it answers again")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 6 MB, for the whole prefix."""
    mount = tmp_path / "disk"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=755", "tmpfs", mount], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


def fill(path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(fd, bytes(4096)):
            pass
    except OSError:
        pass
    os.close(fd)


def test_a_full_disk_refuses_changes_serves_on_and_serves_after_a_restart(small_disk, make_node, origin):
    node = make_node(prefix=str(small_disk / "prefix"))
    node.prefix = small_disk / "prefix"
    node.start()
    node.route_to(origin, name="r")
    eventually(lambda: node.get("/r").status_code == 200, "proxied")
    fill(small_disk / "ballast")
    answers = [node.admin("POST", "/services", {"name": f"n{i}", "host": "h", "tags": ["t" * 200]}) for i in range(40)]
    refused = [a for a in answers if a.status_code != 201]
    assert refused and "No space left on device" in refused[0].json()["message"]
    assert node.get("/r").status_code == 200
    node.kill()
    node.start(wait=False)
    eventually(lambda: node.get("/r").status_code == 200, "it serves its snapshot on a full disk")
    (small_disk / "ballast").unlink()
    node.wait_up()
    node.route_to(origin, name="later")
    eventually(lambda: node.get("/later").status_code == 200, "there is room again")
    node.stop()


@pytest.mark.parametrize("damage", ["half", "empty", "noise", "no lock file"])
def test_a_damaged_snapshot_is_put_aside_and_the_node_comes_up(make_node, origin, damage):
    node = make_node().start()
    node.route_to(origin, name="r")
    eventually(lambda: node.get("/r").status_code == 200, "proxied")
    node.stop()
    path = node.prefix / "snapshot/data.mdb"
    whole = path.read_bytes()
    if damage == "half":
        path.write_bytes(whole[:len(whole) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "noise":
        path.write_bytes(whole[:8192] + os.urandom(len(whole) - 8192))
    else:
        (node.prefix / "snapshot/lock.mdb").unlink()
    node.start()
    eventually(lambda: node.get("/r").status_code == 200, "the control plane sent everything anew")
    if damage == "noise":
        assert "snapshot was corrupt" in node.log() and list(node.prefix.glob("snapshot.corrupt-*"))


def test_a_lock_file_deleted_in_use_is_said_and_changes_go_on(node, origin):
    node.route_to(origin, name="r")
    eventually(lambda: node.get("/r").status_code == 200, "proxied")
    (node.prefix / "snapshot/lock.mdb").unlink()
    node.route_to(origin, name="later")
    eventually(lambda: node.get("/later").status_code == 200, "a change arrives")
    eventually(lambda: "lock.mdb was deleted" in node.log(), "the loss is logged", 30)
