"""The disk below prefix is full, then has room again; a snapshot is damaged."""
import os
import subprocess

import pytest
from node import eventually
from ports import free_port
from test_hostile_control import Hostile, proto  # noqa: F401 (a fixture)


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir(mode=0o755)
    os.chmod(tmp_path, 0o755)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=755", "tmpfs", disk], capture_output=True).returncode != 0:
        pytest.skip("cannot mount a tmpfs")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk):
    with open(disk / "filler", "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError:
            pass


def test_a_node_without_room_refuses_serves_on_and_recovers(proto, make_node, origin, small_disk):  # noqa: F811
    port = free_port()
    h = Hostile(proto, port)
    node = make_node("node", role="data_plane", cluster_control_plane=f"127.0.0.1:{port}", workers="1",
                     prefix=str(small_disk / "prefix")).start()
    h.plane.wait("hello", 20)
    good = [h.service("s", origin.port), h.route("r", "s")]
    assert not h.ack(h.send(good)).refused_for
    eventually(lambda: node.get("/").status_code == 200, "it serves")
    more = [*good, *(h.service(f"s-{i:04}", 1) for i in range(3000))]
    fill(small_disk)
    ack = h.ack(h.send(more, generation=11))
    assert ack.refused_for == "store" and "space" in ack.error_text.lower(), ack
    assert node.get("/").status_code == 200
    os.unlink(small_disk / "filler")
    assert not h.ack(h.send(more, generation=11)).refused_for
    assert node.get("/").status_code == 200
    h.plane.close()
    node.stop()


def test_a_control_plane_without_room_says_so_and_changes_nothing(make_node, origin, small_disk):
    node = make_node("node", workers="1", prefix=str(small_disk / "prefix")).start()
    node.route_to(origin, name="r")
    eventually(lambda: node.get("/r").status_code == 200, "it serves")
    fill(small_disk)
    answers = [node.admin("POST", "/services", {"name": f"s{i}", "host": "h" * 200}) for i in range(100)]
    failed = [a for a in answers if a.status_code != 201]
    assert failed and all(a.status_code in (500, 507) for a in failed)
    assert "space" in failed[0].json()["message"].lower(), failed[0].text
    assert node.get("/r").status_code == 200
    os.unlink(small_disk / "filler")
    assert node.admin("POST", "/services", {"name": "later", "host": "127.0.0.1", "port": origin.port}).status_code == 201
    node.make("/routes", {"name": "again", "paths": ["/again"], "service": {"name": "later"}})
    eventually(lambda: node.get("/again").status_code == 200, "it goes on", 20)
    node.stop()


@pytest.mark.parametrize("damage", ["truncated", "overwritten"])
def test_a_damaged_snapshot_is_moved_aside_and_fetched_again(make_node, origin, damage):
    node = make_node("node", workers="1").start()
    node.route_to(origin, name="r")
    eventually(lambda: node.get("/r").status_code == 200, "it serves")
    node.stop()
    data = node.prefix / "snapshot" / "data.mdb"
    size = data.stat().st_size
    with open(data, "r+b") as f:
        if damage == "truncated":
            f.truncate(5 * 4096)
        else:
            f.seek(2 * 4096)  # behind LMDB's two meta pages
            f.write(os.urandom(min(size, 400_000) - 2 * 4096))
    node.start()
    eventually(lambda: node.get("/r").status_code == 200, "it serves again", 20)
    assert list(node.prefix.glob("snapshot.corrupt-*"))
