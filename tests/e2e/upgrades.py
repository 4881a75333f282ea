"""Programs installed beside each other, and sluiced that becomes one of them."""
import json
import os
import shutil

from clients import processes
from node import BUILD, eventually

PROGRAMS = ("master/sluiced", "worker/sluice-worker", "control/sluice-control", "plugin/sluice-check")


def install_into(directory, replace=()):
    """Every program, as a package would put it there; replace: name → text of a script instead."""
    directory.mkdir(exist_ok=True)
    for program in PROGRAMS:
        shutil.copy2(BUILD / program, directory / program.split("/")[1])
    for program, text in dict(replace).items():
        (directory / program).unlink()
        script(directory / program, text)
    return directory / "sluiced"


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


def running(pid):
    return os.readlink(f"/proc/{pid}/exe")


def upgrade(node, binary, *args):
    shown = json.loads(node.ctl("--json", "upgrade", str(binary), *args).stdout)
    assert shown["state"] == "done" and shown["to"]["program"] == str(binary)
    return shown


def old_ones_end(node):
    eventually(lambda: processes(node, "draining") == [], "the old workers have ended", 40)


def serves_as_before(node, pid):
    assert node.process.pid == pid and node.process.poll() is None
    assert node.get("/r").status_code == 200
    assert all(w["state"] == "ready" for w in node.workers())
