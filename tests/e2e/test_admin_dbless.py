"""Without a database: a file is the configuration; a bad one changes nothing and says all that is wrong."""
import signal
import time

import pytest
from control import Control
from node import eventually

GOOD = """_format_version: "3.0"
services:
- name: s
  url: http://127.0.0.1:9000
  routes:
  - name: r
    paths: [/r]
consumers:
- username: bob
"""

BAD = """_format_version: "3.0"
bogus: 1
services:
- name: s
  host: h
  port: 99999
  routes:
  - paths: [/r]
    plugins:
    - name: nope
- name: t
routes:
- paths: [/q]
  service: nobody
"""

PLUGIN = """- name: NAME
  handler: 'return { PRIORITY = 1, VERSION = "1", access = function() end }'
  schema: 'return { name = "NAME", fields = { { config = { type = "record", fields = {} } } } }'
"""


@pytest.fixture
def control(tmp_path):
    path = tmp_path / "kong.yml"
    path.write_text(GOOD)
    c = Control(tmp_path, database="off", declarative_config=str(path)).start()
    c.file = path
    eventually(lambda: c("GET", "/routes/r").status_code == 200, "the file is loaded")
    yield c
    c.clean_up()


def post(control, text, query="", kind="text/yaml"):
    return control("POST", f"/config{query}", data=text, headers={"Content-Type": kind})


def test_the_file_is_served_and_nothing_else_writes(control):
    assert control("GET", "/services/s/routes/r").json()["paths"] == ["/r"]
    for method, path, verb in (("POST", "/services", "create"), ("PUT", "/services/s", "create or update"),
                               ("PATCH", "/services/s", "update"), ("DELETE", "/services/s", "remove")):
        error = control.refused(method, path, {"host": "x"}, 405)
        assert error["code"] == 12
        assert error["message"] == f"cannot {verb} 'services' entities when not using a database"
    assert "configuration_hash" in control("GET", "/status").json()


def test_the_same_file_again_is_no_change_also_after_a_restart(control):
    generation = control.generation()
    before = control("GET", "/services").json()
    control.process.send_signal(signal.SIGHUP)
    eventually(lambda: control.log().count("declarative configuration loaded") == 2, "the file is read again")
    control.stop()
    control.start()
    eventually(lambda: control.log().count("declarative configuration loaded") == 3, "the file is read at start")
    assert control.generation() == generation
    assert control("GET", "/services").json() == before
    assert post(control, GOOD, "?check_hash=1").status_code == 304


def test_a_changed_file_is_taken_on_sighup_and_a_bad_one_is_not(control):
    control.file.write_text(GOOD.replace("bob", "eve"))
    control.process.send_signal(signal.SIGHUP)
    eventually(lambda: control("GET", "/consumers/eve").status_code == 200, "eve is there")
    assert control("GET", "/consumers/bob").status_code == 404
    generation = control.generation()
    control.file.write_text(BAD)
    control.process.send_signal(signal.SIGHUP)
    eventually(lambda: "configuration refused" in control.log(), "the refusal is logged")
    for place in (":2: bogus: unknown field", ":6: services[0].port: ", ":11: services[1].host: required field missing",
                  ":10: services[0].routes[0].plugins[0].name: plugin 'nope' not enabled",
                  ":14: routes[0].service: invalid reference 'service: nobody' (no such entry in 'services')"):
        assert f"kong.yml{place}" in control.log(), place
    assert control.generation() == generation
    assert control("GET", "/consumers/eve").status_code == 200


def test_a_file_that_changes_while_it_is_being_loaded_is_loaded_again(control):
    code = "".join(PLUGIN.replace("NAME", f"p{n}") for n in range(60))
    control.file.write_text(GOOD + "custom_plugins:\n" + code)
    control.process.send_signal(signal.SIGHUP)
    time.sleep(0.05)  # one of the first of sixty checks of code
    control.file.write_text(GOOD.replace("bob", "eve") + "custom_plugins:\n" + code)
    control.process.send_signal(signal.SIGHUP)
    eventually(lambda: control("GET", "/consumers/eve").status_code == 200, "what the file says now is in force", 30)
    assert len(control("GET", "/custom-plugins").json()["data"]) == 60
    assert "loaded after the one that is being loaded" in control.log()


def test_post_config_replaces_everything_or_nothing(control):
    r = post(control, '{"_format_version":"3.0","consumers":[{"username":"zed"}]}', kind="application/json")
    assert r.status_code == 201 and [c["username"] for c in r.json()["consumers"].values()] == ["zed"]
    assert control("GET", "/services").json()["data"] == []
    r = control("POST", "/config", data={"config": GOOD})
    assert r.status_code == 201 and "services" in r.json()
    r = post(control, BAD)
    assert r.status_code == 400 and r.json()["code"] == 14 and r.json()["name"] == "invalid declarative configuration"
    assert len(r.json()["errors"]) == 5
    flat = post(control, BAD, "?flatten_errors=1").json()["flattened_errors"]
    port = [e for e in flat if e.get("entity_name") == "s"][0]
    assert port["entity_type"] == "service"
    assert port["errors"] == [{"type": "field", "field": "port", "message": "value should be between 0 and 65535"}]
    for broken in ("a: [", "", "42", "_format_version: '9'", "services: []"):
        assert post(control, broken).status_code == 400, broken
    assert control("GET", "/services/s").status_code == 200


def test_names_may_move_between_entities(control):
    one, two = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"

    def text(a, b):
        return f'_format_version: "3.0"\nconsumers:\n- {{id: {one}, username: {a}}}\n- {{id: {two}, username: {b}}}\n'

    assert post(control, text("a", "b")).status_code == 201
    assert post(control, text("b", "a")).status_code == 201
    assert control("GET", "/consumers/a").json()["id"] == two


def test_what_get_config_shows_can_be_loaded_again(control):
    before = control("GET", "/services").json(), control("GET", "/routes").json()
    generation = control.generation()
    time.sleep(1.1)  # a later second, should anything be stamped again
    r = post(control, control("GET", "/config").json()["config"])
    assert r.status_code == 201, r.text
    assert (control("GET", "/services").json(), control("GET", "/routes").json()) == before
    assert control.generation() == generation
