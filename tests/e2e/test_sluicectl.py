"""sluicectl as an operator meets it: text, JSON, exit codes."""
import json
import shutil
import subprocess

import pytest
from node import BUILD, ROOT, eventually


def ctl(*args):
    return subprocess.run([BUILD / "tools/sluicectl", *args], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("verb", ["status", "workers", "plugins", "generations"])
def test_every_verb_prints_text_and_json_and_ends_0(node, verb):
    eventually(lambda: node.status("/status/ready"), "the first configuration is there")
    text, as_json = node.ctl(verb), node.ctl("--json", verb)
    assert text.stdout and not text.stderr
    assert json.loads(as_json.stdout)
    assert "usage:" in ctl(verb, "--help").stdout


def test_a_node_is_found_by_its_configuration_file_too(node):
    assert "2 of 2 ready" in ctl("-c", node.conf_path, "status").stdout


def test_without_a_node_it_ends_3_and_says_what_to_do(tmp_path):
    r = ctl("--prefix", tmp_path, "status")
    assert r.returncode == 3 and "no node runs" in r.stderr and "--prefix" in r.stderr


@pytest.mark.parametrize("args", [[], ["frobnicate"], ["status", "extra"], ["plugin", "lint"], ["--nonsense"]])
def test_bad_usage_ends_2(args):
    r = ctl(*args)
    assert r.returncode == 2 and r.stderr and not r.stdout


@pytest.mark.parametrize("word, meant", [("plugin", '"plugins" or "plugin lint"'), ("statu", '"status"'), ("lint", "--help")])
def test_a_verb_that_is_none_is_answered_with_what_was_meant(word, meant):
    assert meant in ctl(word).stderr


def test_help_is_a_verb_too():
    assert ctl("help").returncode == 0 and "generations" in ctl("help").stdout


def test_lint_is_silent_about_good_plugins():
    r = ctl("plugin", "lint", *(ROOT / "examples/plugins").iterdir())
    assert r.returncode == 0, r.stdout + r.stderr


def test_lint_names_file_and_line(tmp_path):
    shutil.copytree(ROOT / "examples/plugins/replaceme", tmp_path / "p")
    handler = tmp_path / "p/handler.lua"
    handler.write_text("local P = { PRIORITY = 1, VERSION = '1' }\nfunction P:access(conf)\n  retrun 1\nend\nreturn P\n")
    for target in ([tmp_path / "p"], [handler, tmp_path / "p/schema.lua"]):
        r = ctl("plugin", "lint", *target)
        assert r.returncode == 1 and f"{handler}:3: " in r.stdout, r.stdout + r.stderr
    r = ctl("--json", "plugin", "lint", tmp_path / "p")
    assert r.returncode == 1 and json.loads(r.stdout)["errors"][0]["line"] == 3


def test_lint_reads_the_text_and_takes_the_sandbox_of_the_cases(tmp_path):
    shutil.copytree(ROOT / "examples/plugins/replaceme", tmp_path / "p")
    handler = tmp_path / "p/handler.lua"
    handler.write_text("local P = { PRIORITY = 1, VERSION = '1' }\nfunction P:access(conf)\n  kong.service.set_target('a', 1)\n"
                       "end\nfunction P:log()\n  kong.response.exit(200)\nend\nreturn P\n")
    r = ctl("plugin", "lint", tmp_path / "p")
    assert r.returncode == 1 and f"{handler}:3:16: error: kong.service.set_target is there with untrusted_lua: lax only\n" in r.stdout
    assert f"{handler}:6:17: error: kong.response.exit cannot be called in the log phase (only in: rewrite, " in r.stdout
    (tmp_path / "p/test.yaml").write_text("untrusted_lua: lax\ncases:\n  - { name: a, expect: { status: 200 } }\n")
    r = ctl("plugin", "lint", tmp_path / "p")
    assert r.returncode == 1 and len(r.stdout.splitlines()) == 1, r.stdout
    finding = json.loads(ctl("--json", "plugin", "lint", tmp_path / "p").stdout)["errors"][0]
    assert (finding["line"], finding["column"], finding["rule"], finding["severity"]) == (6, 17, "phase", "error")


def test_lint_of_a_file_that_is_not_there_ends_2(tmp_path):
    r = ctl("plugin", "lint", tmp_path / "nothing.lua")
    assert r.returncode == 2 and "nothing.lua" in r.stderr


def test_the_socket_is_for_the_owner_only(node):
    assert (node.prefix / "sluiced.sock").stat().st_mode & 0o777 == 0o600


def test_reload_changes_the_log_level_and_names_what_needs_a_restart(node):
    node.conf.update(log_level="info", workers="3")
    node.write_conf()
    r = node.ctl("reload")
    assert "workers" in r.stdout and "restart" in r.stdout and "log_level" not in r.stdout
    eventually(lambda: 'level=info prog=sluice-worker' in node.log() or 'level=info prog=sluiced' in node.log()
               or node.get("/").status_code == 404 and "level=info" in node.log(), "info lines appear")
    node.conf["workers"] = "many"
    node.write_conf()
    r = node.ctl("reload", check=False)
    assert r.returncode == 1 and "workers" in r.stderr


def test_reload_loads_the_declarative_file_anew(make_node, tmp_path):
    kong = tmp_path / "kong.yaml"
    kong.write_text('_format_version: "3.0"\nservices: []\n')
    node = make_node(database="off", declarative_config=str(kong)).start()
    kong.write_text('_format_version: "3.0"\nservices:\n- name: s\n  url: http://127.0.0.1:9\n  routes:\n  - {name: r, paths: [/r]}\n')
    assert str(kong) in node.ctl("reload").stdout
    eventually(lambda: node.get("/r").status_code == 502, "the new route is there")
