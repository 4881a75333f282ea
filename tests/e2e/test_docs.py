"""What docs/ says is what the programs say.  Run as a program, it writes docs/configuration.md, docs/metrics.md and docs/pdk.md anew."""
import re
import subprocess

import pytest
from node import BUILD, ROOT

CONFIGURATION = ROOT / "docs/configuration.md"
METRICS = ROOT / "docs/metrics.md"
PDK = ROOT / "docs/pdk.md"
HEAD = """# The node configuration

`sluiced -c sluice.yaml`. Every key is optional. An environment variable `SLUICE_<KEY>` (the key in capitals) overrides
the file. Sizes take `k`, `m`, `g`; lists are comma-separated or YAML lists; a mapping is the same as its keys joined by
`_` (`plugin_limits: {cpu_ms: 20}` is `plugin_limits_cpu_ms: 20`). Unknown keys are errors. `sluiced --check -c FILE` looks
without starting. A relative file name is relative to the directory that
sluiced is started in.

This table is what `sluiced --help-config` prints; a test keeps it so.

| key | default | meaning |
|---|---|---|
"""


def configuration():
    printed = subprocess.run([BUILD / "master/sluiced", "--help-config"], capture_output=True, text=True, timeout=30, check=True).stdout
    rows = []
    for block in printed.strip().split("\n\n")[1:]:
        *text, env, value = block.splitlines()
        key, default = value.lstrip("#").split(":", 1)
        assert env == f"# SLUICE_{key.upper()}"
        meaning = " ".join(t.lstrip("# ") for t in text).replace("|", "\\|").replace("*", "\\*")
        default = default.strip().strip('"')
        rows.append(f"| `{key}` | {f'`{default}`' if default else ''} | {meaning} |")
    assert len(rows) > 40
    return HEAD + "\n".join(rows) + "\n"


def test_every_key_of_the_configuration_is_documented_with_its_default():
    assert CONFIGURATION.read_text() == configuration(), "run tests/e2e/test_docs.py to write it anew"


METRICS_HEAD = """# Metrics

`GET /metrics` of the status API (`status_listen`, 127.0.0.1:8007 by default): Prometheus text.
The Admin API tells the same at `/metrics`, with the nodes that it feeds (`kong_data_plane_*`).
Names that begin with `kong_` have the names, labels and buckets of Kong's exporter, so that its dashboards work; nothing has to be switched on,
and no plugin is needed. A scrape reads memory that workers share with `sluiced`, and `/proc`; no worker is asked, so a worker that hangs is
told like the others. Counters of routes and plugins live as long as the node; those of a worker's process (`sluice_worker_cpu_seconds_total`)
begin anew with it, as Prometheus expects of counters.

`promtool check metrics` objects to the unit in Kong's names (`kong_*_latency_ms`, `kong_bandwidth_bytes`) and to nothing else.
`dist/grafana/sluice.json` is a dashboard over these. Without Prometheus: `sluicectl top`, `sluicectl latency`.

Of the names of Kong's exporter these are not there: `kong_stream_sessions_total` and `kong_session_duration_ms` (no TCP or UDP is proxied),
`kong_ai_*`. The label `consumer` is empty, as it is there without `per_consumer`. `kong_upstream_target_health` has an empty address for a name that no worker
has looked up yet.

This table is what `sluiced --help-metrics` prints; a test keeps it so.

| metric | type | labels | meaning |
|---|---|---|---|
"""


def metrics():
    printed = subprocess.run([BUILD / "master/sluiced", "--help-metrics"], capture_output=True, text=True, timeout=30, check=True).stdout
    rows = [row.split("\t") for row in printed.splitlines()]
    assert len(rows) > 80
    return METRICS_HEAD + "".join(f"| `{name}` | {kind} | {labels.replace(',', ', ')} | {text} |\n" for name, kind, labels, text in rows)


def test_every_metric_is_documented_with_its_type_and_labels():
    assert METRICS.read_text() == metrics(), "run tests/e2e/test_docs.py to write it anew"


def test_operations_names_metrics_modes_and_keys_that_exist():
    text = (ROOT / "docs/operations.md").read_text()
    known = {row.split("`")[1] for row in METRICS.read_text().splitlines() if row.startswith("| `")}
    for name in set(re.findall(r"\b(?:sluice|kong)_[a-z_]+[a-z](?![\w*])", text)):
        assert name in known or any(k.startswith(name + "_") for k in known), name
    for mode in re.findall(r'"(\w+)",\s+"', (ROOT / "ebpf/steer_table.h").read_text()):
        assert f"`{mode}`" in text, mode
    keys = CONFIGURATION.read_text()
    for key in ("shutdown_timeout_ms", "worker_hang_ms", "plugin_breaker_trips", "connections_max", "bpf_pin_dir", "bpf_pin_mode"):
        assert key in text and f"`{key}`" in keys, key


def pdk():
    return subprocess.run([BUILD / "plugin/pdk-doc"], capture_output=True, text=True, timeout=30, check=True).stdout


def test_every_function_of_the_pdk_is_documented_with_its_phases():
    assert PDK.read_text() == pdk(), "run tests/e2e/test_docs.py to write it anew"


def test_what_the_guide_of_plugins_shows_is_so(tmp_path):
    """Its handler, schema and cases are one plugin that lint is silent about and that passes; its skeleton prints what it says."""
    text = (ROOT / "docs/plugins.md").read_text()
    blocks = re.findall(r"```(lua|yaml)\n(.*?)```", text, re.DOTALL)
    assert [kind for kind, _ in blocks] == ["lua", "lua", "yaml"]
    for name, (_, block) in zip(("handler.lua", "schema.lua", "test.yaml"), blocks):
        (tmp_path / name).write_text(block)

    def ctl(*words):
        return subprocess.run([BUILD / "tools/sluicectl", "plugin", *words], capture_output=True, text=True, timeout=60, check=False)
    lint = ctl("lint", tmp_path)
    assert (lint.returncode, lint.stdout) == (0, ""), lint.stdout + lint.stderr
    test = ctl("test", tmp_path)
    assert test.returncode == 0, test.stdout + test.stderr
    assert ctl("new", "my-plugin", tmp_path / "new").returncode == 0
    shown = re.search(r"\$ sluicectl plugin test my-plugin\n(.*?)```", text, re.DOTALL)[1]
    got = ctl("test", tmp_path / "new").stdout
    assert re.sub(r"\d+", "N", got) == re.sub(r"\d+", "N", shown)


def test_every_rule_of_lint_is_documented():
    rules = set(re.findall(r'"([a-z]+(?:-[a-z]+)+|phase)",\n?\s*"', "".join(
        (ROOT / f"plugin/{f}.c").read_text() for f in ("lint_rules", "lint_phases"))))
    text = (ROOT / "docs/plugins.md").read_text()
    assert {"phase", "lax-only"} <= rules
    assert not [r for r in rules if f"`{r}`" not in text]


def test_every_test_that_the_architecture_names_exists():
    sources = "\n".join(p.read_text() for p in [*ROOT.glob("tests/unit/*.c"), *ROOT.glob("tests/e2e/*.py")])
    named = re.findall(r"`((?:unit|e2e)/\w+): (\w+)`", (ROOT / "ARCHITECTURE.md").read_text())
    assert len(named) > 15
    for file, test in named:
        assert (ROOT / "tests" / f"{file}.c").exists() or (ROOT / "tests" / f"{file}.py").exists(), file
        assert re.search(rf"\b{test}\b", sources), f"{file}: {test}"


def test_every_path_of_the_admin_api_is_documented(node):
    text = (ROOT / "docs/admin-api.md").read_text()
    known = {re.sub(r"\{\w+\}", "{}", path) for path in re.findall(r"`(?:[A-Z ]+ )?(/[^` ]*)`", text)}
    entities = ("services", "routes", "plugins", "consumers", "consumer_groups", "custom-plugins", "certificates", "snis", "ca_certificates",
                "upstreams", "targets", "key-sets", "keys", "vaults")
    for path in node.admin("GET", "/endpoints").json()["data"]:
        own = re.sub(r"\{\w+\}", "{}", path)
        if path.strip("/").split("/")[0] in entities and not path.endswith(("/status", "/enabled")):
            continue
        assert own in known, path


@pytest.mark.parametrize("page, program", [("sluiced.8", "master/sluiced"), ("sluicectl.1", "tools/sluicectl"),
                                           ("sluice-control.8", "control/sluice-control")])
def test_every_option_of_a_program_is_in_its_man_page(page, program):
    usage = subprocess.run([BUILD / program, "--help"], capture_output=True, text=True, timeout=30, check=True).stdout
    text = (ROOT / "docs/man" / page).read_text().replace("\\-", "-")
    for option in set(re.findall(r"--[a-z-]+", usage)) - {"--help"}:
        assert option in text, option


if __name__ == "__main__":
    CONFIGURATION.write_text(configuration())
    METRICS.write_text(metrics())
    PDK.write_text(pdk())
