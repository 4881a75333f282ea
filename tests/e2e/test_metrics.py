"""/metrics: what promtool says of it, that all of it is declared, and that it says what the node does."""
import os
import re
import shutil
import signal
import subprocess

import pytest
import requests
from node import BUILD, ROOT, eventually

HEAVY = 'return { PRIORITY = 1, VERSION = "1", access = function() end, log = function() end }'


def metrics(node):
    return requests.get(f"http://127.0.0.1:{node.status_port}/metrics", timeout=10).text


def value(node, line):
    """Of the sample with this name and labels; None = there is none."""
    found = re.search("^" + re.escape(line) + r" (\S+)$", metrics(node), re.M)
    return float(found[1]) if found else None


def declared():
    printed = subprocess.run([BUILD / "master/sluiced", "--help-metrics"], capture_output=True, text=True, timeout=30, check=True).stdout
    return {row.split("\t")[0]: row.split("\t")[1:3] for row in printed.splitlines()}


@pytest.fixture
def busy(make_node, origin):
    node = make_node().start()
    node.plugin("heavy", HEAVY)
    node.make("/plugins", {"name": "heavy"})
    node.route_to(origin, paths=["/x"])
    eventually(lambda: node.get("/x").status_code == 200, "the route is in force")
    node.wait_plugin("heavy")
    for _ in range(20):
        node.get("/x")
    return node


def test_promtool_objects_to_nothing_but_the_units_in_names_that_kong_gave(busy):
    if not shutil.which("promtool"):
        pytest.skip("promtool (package prometheus) is not installed")
    text = eventually(lambda: 'sluice_plugin_runs_total{plugin="heavy"}' in metrics(busy) and metrics(busy), "plugins are told", 5)
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode in (0, 3), checked.stderr
    objections = (checked.stdout + checked.stderr).strip().splitlines()
    assert not [o for o in objections if not re.match(
        r'kong_(\w+_latency_ms metric names should not contain abbreviated units|bandwidth_bytes counter metrics should have "_total" suffix)$', o)]
    ours = "".join(line + "\n" for line in text.splitlines() if re.match(r"(# \w+ )?sluice_", line))
    checked = subprocess.run(["promtool", "check", "metrics"], input=ours, capture_output=True, text=True, timeout=60, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_every_sample_is_of_a_declared_metric_with_its_labels_and_type(busy):
    table = declared()
    eventually(lambda: value(busy, 'sluice_plugin_runs_total{plugin="heavy"}'), "plugins are told", 5)
    text = metrics(busy)
    seen = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    assert {name: kind for name, (kind, _) in table.items() if name in seen} == seen
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels = re.match(r"([a-z0-9_]+)(?:\{(.*)\})? \S+$", line).groups()
        base = name if name in table else re.sub(r"_(bucket|sum|count)$", "", name)
        kind, wanted = table[base]
        assert base == name or kind == "histogram", line
        keys = [k for k in re.findall(r'(\w+)="', labels or "") if k != "le"]
        assert keys == (wanted.split(",") if wanted else []), line
    # what is declared and not told belongs to other roles
    assert {name for name in set(table) - set(seen) if not name.startswith("kong_data_plane_")} == set()


def test_the_samples_of_a_metric_stand_together(busy):
    seen, last = set(), None
    for line in metrics(busy).splitlines():
        name = line.split()[2] if line.startswith("# ") else last
        if name != last:
            assert name not in seen, name
            seen.add(name)
            last = name


def test_workers_are_told_while_they_hang_and_after_they_died(make_node):
    node = make_node(workers="2", worker_hang_ms="60000").start()
    pid = node.workers()[0]["pid"]
    assert value(node, 'sluice_worker_state{worker="0",state="ready"}') == 1
    assert value(node, 'sluice_worker_resident_memory_bytes{worker="0"}') > 1 << 20
    os.kill(pid, signal.SIGSTOP)
    try:  # the scrape needs no worker to answer
        eventually(lambda: value(node, 'sluice_worker_heartbeat_age_seconds{worker="0"}') > 0.5, "the silence is told", 10)
        assert value(node, 'sluice_worker_heartbeat_age_seconds{worker="1"}') < 0.5
    finally:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: value(node, 'sluice_worker_restarts_total{worker="0"}') == 1, "the restart is counted")
    eventually(lambda: value(node, 'sluice_worker_state{worker="0",state="ready"}') == 1, "it is back")
    assert value(node, 'sluice_worker_restarts_total{worker="1"}') == 0


def test_certificates_are_told_with_their_end(make_node, tmp_path):
    cert, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
                    "-days", "20", "-subj", "/CN=a.test"], check=True, capture_output=True, timeout=30)
    node = make_node(ssl_cert=str(cert), ssl_cert_key=str(key)).start()
    made = node.make("/certificates", {"cert": cert.read_text(), "key": key.read_text()})
    end = subprocess.run(["date", "-u", "-d", subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-enddate"], capture_output=True, text=True,
                         check=True).stdout.split("=", 1)[1].strip(), "+%s"], capture_output=True, text=True, check=True).stdout
    name = "sluice_certificate_expiry_timestamp_seconds"
    assert value(node, name + '{certificate="ssl_cert"}') == float(end)
    eventually(lambda: value(node, f'{name}{{certificate="{made["id"]}"}}') == float(end), "that of the configuration, too")


def test_the_admin_api_tells_them_too_as_kongs_plugin_does(busy):
    answer = busy.admin("GET", "/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert re.search(r'^kong_node_info\{node_id="[-0-9a-f]{36}",version="[^"]+"\} 1$', answer.text, re.M)
    here, there = (set(re.findall(r"^# TYPE (\S+)", text, re.M)) for text in (answer.text, metrics(busy)))
    fed = {"kong_data_plane_last_seen", "kong_data_plane_config_hash", "kong_data_plane_version_compatible"}
    assert here - there == fed and there <= here
    table = declared()
    for name in fed:
        found = re.search("^" + name + r"\{(.*)\} (\S+)$", answer.text, re.M)
        assert re.findall(r'(\w+)="', found[1]) == table[name][1].split(","), "the node feeds itself"
        assert float(found[2]) > 0
