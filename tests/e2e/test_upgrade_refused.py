"""A binary that cannot take over, before exec or after it: the old one serves on."""
import json
import socket
import subprocess

from clients import MODES, WITHOUT_BPF, all_kinds_of_clients
from node import BUILD
from upgrades import old_ones_end, running, serves_as_before, upgrade

REFUSED = {
    "missing": (None, "No such file"),
    "a directory": ("", "is not a file"),
    "not executable": ("#!/bin/sh\n", "cannot be executed"),
    "no program": ("no program at all\n", "Exec format error"),
    "something else": ("#!/bin/sh\nexit 0\n", "is not a sluiced, or one that cannot take over"),
    "an older sluiced": ("#!/bin/sh\necho \"sluiced: unrecognized option '$3'\" >&2\nexit 2\n", "unrecognized option '--handover-check'"),
    "another format": ("#!/bin/sh\necho sluice-handover 99 9.9.9 abc\n", "takes over by format 99"),
    "crashes": ("#!/bin/sh\nkill -SEGV $$\n", "ended in signal 11"),
    "hangs": ("#!/bin/sh\nexec sleep 60\n", "did not say within 1000 ms"),
    "talks without end": ("#!/bin/sh\nexec yes\n", "did not say within 1000 ms"),
    "says why": ("#!/bin/sh\necho not today >&2\nexit 1\n", "not today"),
}


def place(binary, what, text):
    if text == "":
        binary.mkdir()
    elif text is not None:
        binary.write_text(text)
        binary.chmod(0o644 if what == "not executable" else 0o755)


def ask(node, what, binary):
    """What the operator is told."""
    if what in ("missing", "not executable"):  # the command itself would look for it
        answer = subprocess.run(["curl", "-s", "--unix-socket", node.prefix / "sluiced.sock", "-XPOST", f"http://x/upgrade?binary={binary}"],
                                capture_output=True, text=True, check=True)
        return json.loads(answer.stdout)["message"]
    refused = node.ctl("upgrade", "--timeout", "1s", str(binary), check=False)
    assert refused.returncode == 1, what
    return refused.stderr


def test_a_binary_that_cannot_take_over_is_refused_and_nothing_changes(make_node, origin, tmp_path):
    node = make_node(workers="1", **WITHOUT_BPF).start()
    node.route_to(origin)
    node.wait_settled()
    pid, workers = node.process.pid, node.worker_pids()
    for i, (what, (text, reason)) in enumerate(REFUSED.items()):
        binary = tmp_path / f"other{i}"
        place(binary, what, text)
        assert reason in ask(node, what, binary), what
        shown = node.status("/upgrade")
        assert shown["state"] == "refused" and reason in shown["reason"] and shown["upgrades"] == 0, what
        assert node.log().count('msg="upgrade refused: nothing has changed"') == i + 1
        assert node.worker_pids() == workers
        serves_as_before(node, pid)


def test_a_configuration_that_cannot_be_taken_over_is_refused(make_serving, install):
    node = make_serving(WITHOUT_BPF)
    pid, binary = node.process.pid, install()
    for key, value, reason in (("traffic_routes", "2000", 'traffic_routes: is "1024" in the running sluiced, "2000" in the configuration now'),
                               ("workers_max", "9", "workers_max: is "), ("nonsense", "1", "nonsense")):
        before = dict(node.conf)
        node.conf[key] = value
        node.write_conf()
        refused = node.ctl("upgrade", str(binary), check=False)
        assert refused.returncode == 1 and reason in refused.stderr, refused.stderr
        node.conf = before
    node.write_conf()
    serves_as_before(node, pid)
    upgrade(node, binary)


@MODES
def test_an_image_that_cannot_begin_gives_the_process_back(make_serving, install, how):
    """Its status port is taken, which no check sees."""
    node = make_serving(how)
    pid, workers = node.process.pid, node.worker_pids()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        node.conf["status_listen"] += f", 127.0.0.1:{taken.getsockname()[1]}"
        node.write_conf()
        with all_kinds_of_clients(node):
            failed = node.ctl("upgrade", str(install()), check=False)
        assert failed.returncode == 1 and "cannot listen on" in failed.stderr, failed.stderr
    assert node.worker_pids() == workers and running(pid) == str(BUILD / "master/sluiced")
    assert node.status("/upgrade")["state"] == "failed"
    assert "going back to the image before this one" in node.log()
    serves_as_before(node, pid)
    upgrade(node, install())


@MODES
def test_workers_that_cannot_begin_are_given_up_with_their_master(make_serving, install, how):
    node = make_serving(how)
    pid, workers = node.process.pid, node.worker_pids()
    with all_kinds_of_clients(node):
        failed = node.ctl("upgrade", str(install(replace={"sluice-worker": "#!/bin/sh\nexit 3\n"})), check=False)
    assert failed.returncode == 1 and "its first worker did not become ready" in failed.stderr, failed.stderr
    assert node.worker_pids() == workers and running(pid) == str(BUILD / "master/sluiced")
    serves_as_before(node, pid)
    upgrade(node, install("good"))
    old_ones_end(node)


def test_an_old_binary_that_is_gone_can_still_be_gone_back_to(make_serving, install):
    node = make_serving(WITHOUT_BPF)
    first = install("first")
    upgrade(node, first)
    first.unlink()
    bad = install("bad", replace={"sluice-worker": "#!/bin/sh\nexit 3\n"})
    assert node.ctl("upgrade", str(bad), check=False).returncode == 1
    assert running(node.process.pid) == f"{first} (deleted)"
    serves_as_before(node, node.process.pid)
