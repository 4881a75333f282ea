"""sluicectl plugin new, plugin test: what an author does before anything is shipped."""
import json
import os
import pty
import subprocess
import time

import pytest

from node import BUILD, SLOW

HANDLER = """
local n = 0
local P = { PRIORITY = 10, VERSION = "1" }
function P:access(conf)
  n = n + 1
  kong.log.warn("run ", n)
  if conf.how == "hang" then while true do end end
  if conf.how == "raise" then error("on purpose") end
  if conf.how == "exit" then return kong.response.exit(403, { message = "no" }) end
  kong.service.request.set_header("X-N", n)
  kong.service.request.clear_header("X-Old")
end
return P
"""
SCHEMA = """return { name = "p", fields = { { config = { type = "record", fields = {
  { how = { type = "string", default = "pass", one_of = { "pass", "hang", "raise", "exit" } } } } } } } }"""


@pytest.fixture
def plugin(tmp_path):
    (tmp_path / "handler.lua").write_text(HANDLER)
    (tmp_path / "schema.lua").write_text(SCHEMA)

    def run(*cases, args=(), text=None):
        doc = {"plugin": "p", "cases": [{"name": f"case {i}", **c} for i, c in enumerate(cases)]}
        (tmp_path / "test.yaml").write_text(text if text is not None else json.dumps(doc, indent=1))
        return ctl("plugin", "test", *args, tmp_path)
    run.directory = tmp_path
    return run


def ctl(*words):
    return subprocess.run([BUILD / "tools/sluicectl", *words], capture_output=True, text=True, timeout=60 * SLOW, check=False)


def test_a_new_plugin_passes_lint_and_its_own_test(tmp_path):
    directory = tmp_path / "fresh"
    assert ctl("plugin", "new", "my-plugin", directory).returncode == 0
    assert ctl("plugin", "lint", directory).stdout == ""
    r = ctl("plugin", "test", directory)
    assert (r.returncode, r.stderr) == (0, ""), r.stdout
    assert "my-plugin: 1 case, 0 failed" in r.stdout
    again = ctl("plugin", "new", "my-plugin", directory)
    assert again.returncode == 2 and "File exists" in again.stderr
    assert ctl("plugin", "new", "no/name").returncode == 2


def test_cases_share_nothing_and_changes_are_told(plugin):
    request = {"headers": {"X-Old": "1"}}
    expect = {"service": {"headers": {"X-N": "1", "X-Old": None}}, "log": "run 1"}
    r = plugin({"request": request, "expect": expect}, {"request": request, "expect": expect})
    assert r.returncode == 0, r.stdout
    assert r.stdout.count('+ request x-n: ["1"]') == 2
    assert r.stdout.count("- request x-old") == 2
    assert r.stdout.count("log warn: run 1 plugin=p phase=access at=handler.lua:6\n") == 2
    assert "access" in r.stdout and "µs" in r.stdout


def test_a_difference_is_told_with_its_line_and_fails(plugin):
    r = plugin({"response": {"status": 200, "body": "a"}, "expect": {"status": 201, "body": "b"}})
    assert r.returncode == 1
    assert f"{plugin.directory}/test.yaml:" in r.stdout
    assert "status\n        expected: 201\n        got:      200" in r.stdout
    assert "body\n        expected: b\n        got:      a" in r.stdout


def test_an_answer_of_the_plugin_and_a_refused_configuration_can_be_expected(plugin):
    r = plugin({"config": {"how": "exit"}, "expect": {"status": 403, "body": {"json": {"message": "no"}}, "service": "none"}},
               {"config": {"how": "other"}, "expect": {"error": "expected one of"}})
    assert r.returncode == 0, r.stdout


def test_errors_and_endless_loops_fail_unless_they_are_expected(plugin):
    r = plugin({"config": {"how": "raise"}, "expect": {}}, {"config": {"how": "hang"}, "expect": {}})
    assert r.returncode == 1 and "2 failed" in r.stdout
    assert "handler.lua:8: on purpose" in r.stdout
    r = plugin({"config": {"how": "raise"}, "expect": {"error": "on purpose", "status": 500}},
               {"config": {"how": "hang"}, "expect": {"error": "cpu_ms", "status": 500}})
    assert r.returncode == 0, r.stdout


def test_json_has_everything_and_one_case_can_be_chosen(plugin):
    r = plugin({"expect": {"status": 200}}, {"expect": {"status": 500}}, args=("--json", "--case", "case 0"))
    doc = json.loads(r.stdout)
    assert r.returncode == 0 and doc["passed"] and len(doc["cases"]) == 1
    phases = doc["cases"][0]["reply"]["phases"]
    assert [p["phase"] for p in phases] == ["load", "access"] and phases[1]["memory_bytes"] > 0
    assert plugin({"expect": {}}, args=("--case", "none")).returncode == 2


@pytest.mark.parametrize("text,line,words", [
    ("cases:\n  - name: a\n    expct: {}\n", 3, "there is no such key"),
    ("cases:\n  - name: a\n    expect: {}\n  - name: a\n    expect: {}\n", 4, "same name"),
    ("cases:\n  - name: a\n    request: { path: 7 }\n    expect: {}\n", 3, "expected a text"),
    ("cases:\n  - name: [\n", 3, "not valid YAML"),
    ("cases: []\n", 1, "one at least"),
])
def test_a_broken_case_file_is_told_with_file_and_line(plugin, text, line, words):
    r = plugin(text=text)
    assert r.returncode == 2 and f"test.yaml:{line}:" in r.stderr and words in r.stderr, r.stderr


def test_a_plugin_that_is_refused_is_told_with_file_and_line(plugin):
    (plugin.directory / "handler.lua").write_text("local P = {\n} }\nreturn P")
    r = plugin({"expect": {}})
    assert r.returncode == 1 and "handler.lua:2:" in r.stdout, r.stdout


def test_messages_can_stand_in_files(plugin):
    (plugin.directory / "get.http").write_text("POST /a?b=c HTTP/1.1\nHost: shop.example\nX-Old: 1\nX-Two: a\nX-Two: b\n\nbody\n")
    (plugin.directory / "answer.http").write_bytes(b"HTTP/1.1 201 Created\r\nX-Reply: yes\r\n\r\nmade")
    case = {"request": "get.http", "response": "answer.http",
            "expect": {"status": 201, "body": "made", "headers": {"X-Reply": "yes"},
                       "service": {"method": "POST", "path": "/a", "query": "b=c", "body": "body\n",
                                   "headers": {"X-Old": None, "X-Two": "a, b"}}}}
    r = plugin(case)
    assert r.returncode == 0, r.stdout + r.stderr
    for text, wanted in (("GET\n", "bad.http:1: expected a request line"), ("GET / HTTP/1.1\nno colon\n", "bad.http:2: expected a header line")):
        (plugin.directory / "bad.http").write_text(text)
        r = plugin({"request": "bad.http", "expect": {}})
        assert r.returncode == 2 and wanted in r.stderr and "test.yaml:" in r.stderr, r.stderr
    r = plugin({"request": "gone.http", "expect": {}})
    assert r.returncode == 2 and "gone.http" in r.stderr


def test_watch_clears_a_terminal_and_ends_with_a_verdict(plugin):
    plugin({"expect": {}})
    master, slave = pty.openpty()
    process = subprocess.Popen([BUILD / "tools/sluicectl", "plugin", "test", "--watch", plugin.directory], stdout=slave, stderr=slave)
    try:
        shown = b""
        while b"p: 1 case, 0 failed" not in shown:
            shown += os.read(master, 4096)
        time.sleep(0.3)
        (plugin.directory / "handler.lua").write_text("return {")
        while b"p: refused" not in shown:
            shown += os.read(master, 4096)
        assert shown.count(b"\033[H\033[2J") >= 2 and b"handler.lua:1: " in shown
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


def test_watch_runs_again_at_a_change(plugin):
    plugin({"expect": {}})
    process = subprocess.Popen([BUILD / "tools/sluicectl", "plugin", "test", "--watch", plugin.directory],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while "0 failed" not in (line := process.stdout.readline()):
            assert line
        time.sleep(0.3)
        (plugin.directory / "handler.lua").write_text(HANDLER.replace("n = n + 1", "error('new')"))
        while "1 failed" not in (line := process.stdout.readline()):
            assert line
    finally:
        process.kill()
        process.wait()
