"""What dist/ ships: units that systemd takes and rates, a configuration that sluiced takes, a dashboard over metrics that exist."""
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from node import BUILD, ROOT, Node, eventually, processes_below

DIST = ROOT / "dist"
UNITS = ("sluice", "sluice-control")
EXPOSURE_MAX = 3.0
UID = 65533


def analyze(*words):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze (package systemd) is not installed")
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_takes_the_unit_as_it_is(unit, tmp_path):
    text = (DIST / f"systemd/{unit}.service").read_text()
    text = text.replace("/usr/sbin/sluiced", str(BUILD / "master/sluiced")).replace("/usr/bin/sluicectl", str(BUILD / "tools/sluicectl"))
    (tmp_path / f"{unit}.service").write_text(text)
    checked = analyze("verify", "--man=no", str(tmp_path / f"{unit}.service"))
    said = [line for line in (checked.stdout + checked.stderr).splitlines() if f"{unit}.service" in line]
    assert (checked.returncode, said) == (0, [])


@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_leaves_little_open(unit):
    rated = analyze("security", "--offline=true", "--no-pager", str(DIST / f"systemd/{unit}.service"))
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", rated.stdout + rated.stderr)
    assert exposure, rated.stdout + rated.stderr
    assert float(exposure[1]) <= EXPOSURE_MAX, rated.stdout


@pytest.mark.parametrize("name", ["sluice.yaml", "control.yaml"])
def test_sluiced_takes_the_configuration_that_comes_with_the_package(name):
    checked = subprocess.run([BUILD / "master/sluiced", "--check", "-c", DIST / "etc" / name], capture_output=True, text=True, timeout=30, check=False)
    assert checked.returncode == 0, checked.stderr


def test_the_dashboard_asks_for_metrics_that_exist():
    printed = subprocess.run([BUILD / "master/sluiced", "--help-metrics"], capture_output=True, text=True, timeout=30, check=True).stdout
    table = {row.split("\t")[0]: row.split("\t") for row in printed.splitlines()}
    board = json.loads((DIST / "grafana/sluice.json").read_text())
    asked = [t["expr"] for p in board["panels"] for t in p.get("targets", [])]
    asked += [v["query"]["query"] for v in board["templating"]["list"] if v["type"] == "query"]
    assert len(asked) > 30
    for expr in asked:
        names = re.findall(r"\b(?:kong|sluice)_\w+", expr)
        assert names, expr
        for name in names:
            base = name if name in table else name.removesuffix("_bucket")
            assert base in table, (name, expr)
            assert base == name or table[base][1] == "histogram", expr
            labels = set(table[base][2].split(",")) | {"instance", "le", "class"}
            for group in re.findall(r"by \(([^)]*)\)", expr):
                assert {g.strip() for g in group.split(",")} <= labels, expr


def test_make_dist_takes_everything_that_git_knows(tmp_path):
    if not shutil.which("git") or not (ROOT / ".git").exists() or not (BUILD / "Makefile").exists():
        pytest.skip("needs git and its tree")
    known = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout.split("\n")[:-1]
    made = subprocess.run(["make", "-s", "-C", BUILD, "distdir", f"distdir={tmp_path}/d"], capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    there = {str(f.relative_to(tmp_path / "d")) for f in (tmp_path / "d").rglob("*") if f.is_file()}
    assert [f for f in known if f not in there and f != ".gitignore" and (ROOT / f).exists()] == []
    assert [f for f in there if f.endswith((".pyc", ".Po", ".o"))] == []


def test_lintian_finds_no_error_in_a_package_that_was_built():
    built = sorted((ROOT / "build-package").glob("sluice_*.deb"))
    if not built or not shutil.which("lintian"):
        pytest.skip("needs lintian and dist/build-deb's package")
    said = subprocess.run(["lintian", "--profile", "debian", built[-1]], capture_output=True, text=True, timeout=120, check=False).stdout
    assert [line for line in said.splitlines() if line.startswith("E:")] == []


@pytest.fixture
def as_the_unit():
    """A node under another uid with no more than the unit's capabilities."""
    if os.getuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv")
    for path in (BUILD, *BUILD.parents):
        if not os.stat(path).st_mode & 1:
            pytest.skip(f"{path} is closed to other users")
    unit = (DIST / "systemd/sluice.service").read_text()
    caps = ",".join(re.search(r"^AmbientCapabilities=(.*)$", unit, re.M)[1].lower().replace("cap_", "+").split())
    directory = tempfile.mkdtemp(prefix="sluice-unit-", dir="/var/tmp")
    node = Node(directory, workers="2", steering="auto", bpf_pin_dir="")
    node.prefix.mkdir()
    for path in (node.directory, node.prefix):
        os.chown(path, UID, UID)
    node.starter = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs", f"--bounding-set=-all,{caps}",
                    f"--inh-caps=-all,{caps}", f"--ambient-caps=-all,{caps}"]
    yield node
    node.clean_up()
    shutil.rmtree(directory)


def test_a_node_as_the_unit_runs_it_steers_by_bpf_and_runs_plugins(as_the_unit, origin):
    node = as_the_unit.start()
    node.plugin("mark", 'return { PRIORITY = 1, VERSION = "1", header_filter = function() kong.response.set_header("X-Mark", "1") end }')
    node.make("/plugins", {"name": "mark"})
    node.route_to(origin)
    eventually(lambda: node.get("/r").headers.get("X-Mark") == "1", "the plugin acts on a proxied request")
    for pid in node.worker_pids():
        status = Path(f"/proc/{pid}/status").read_text()
        assert re.search(r"^CapEff:\s0+$", status, re.M) and re.search(r"^Seccomp:\s2$", status, re.M), status
        assert re.search(rf"^Uid:\s{UID}\s", status, re.M), status
    for pid in node.worker_pids() + [p for p in processes_below(node.prefix) if Path(f"/proc/{p}/comm").read_text() == "sluice-control\n"]:
        effective = re.search(r"^CapEff:\s(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.M)[1]
        assert int(effective, 16) & ~(1 << 10) == 0, "what sluiced alone needs went on to its children"
    steering = node.status("/steering")
    if not steering["bpf"]:
        pytest.skip(f"no BPF here: {steering['reason']}")


def test_a_node_as_the_unit_runs_it_upgrades_in_place_and_steers_on(as_the_unit, origin):
    node = as_the_unit.start()
    node.route_to(origin)
    eventually(lambda: node.get("/r").status_code == 200, "it serves")
    before, workers = node.status("/steering"), set(node.worker_pids())
    node.ctl("upgrade")
    assert node.status("/steering")["bpf"] == before["bpf"]
    assert not workers & set(node.worker_pids())
    assert node.get("/r").status_code == 200
