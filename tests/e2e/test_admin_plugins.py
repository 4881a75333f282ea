"""custom_plugins and plugins through sluice-control alone, with sluice-check behind it."""
import pytest
from control import Control

HANDLER = 'local P = { PRIORITY = -10, VERSION = "1.0.0" }\nfunction P:access(conf) end\nreturn P\n'


def schema(name, *fields):
    return f'return {{ name = "{name}", fields = {{ {{ config = {{ type = "record", fields = {{ {", ".join(fields)} }} }} }} }} }}'


def field(name, **attributes):
    return f'{{ {name} = {{ {", ".join(f"{k} = {v}" for k, v in attributes.items())} }} }}'


A = field("a", type='"string"')
NEED = field("need", type='"string"', required="true")
WITH_DEFAULT = field("z", type='"integer"', default="7")


@pytest.fixture
def control(tmp_path):
    c = Control(tmp_path).start()
    yield c
    c.clean_up()


def plugin(control, name="p", *fields):
    return control.make("/custom-plugins", {"name": name, "schema": schema(name, *fields), "handler": HANDLER})


def test_a_plugin_is_shown_as_it_was_sent_and_its_schema_as_json(control):
    p = plugin(control, "p", A)
    assert p["handler"] == HANDLER and p["tags"] is None
    assert control("GET", "/custom-plugins/p").json() == p
    assert control("GET", "/schemas/plugins/p").json()["fields"][0]["config"]["fields"][0]["a"]["type"] == "string"
    assert control("GET", "/plugins/enabled").json() == {"enabled_plugins": ["p"]}
    assert control("GET", "/").json()["plugins"]["available_on_server"] == {"p": {"version": "1.0.0", "priority": -10}}
    status = control("GET", "/custom-plugins/p/status").json()
    assert status["active"] is False and len(status["version"]) == 64 and status["nodes"] == []
    assert control("GET", "/custom-plugins/nope/status").status_code == 404


def test_instances_get_defaults_and_need_no_config(control):
    plugin(control, "p", A, WITH_DEFAULT)
    p = control.make("/plugins", {"name": "p"})
    assert p["config"] == {"a": None, "z": 7} and p["protocols"] == ["grpc", "grpcs", "http", "https"]
    assert p["enabled"] is True and p["condition"] is None and p["on_error"] is None
    error = control.refused("POST", "/plugins", {"name": "p"}, 409)
    assert error["message"] == "UNIQUE violation detected on '{consumer=null,name=\"p\",route=null,service=null}'"
    service = control.make("/services", {"name": "s", "host": "h"})
    scoped = control.make("/services/s/plugins", {"name": "p", "instance_name": "i", "config": {"a": "x"}})
    assert scoped["service"] == {"id": service["id"]}
    assert control("PATCH", "/plugins/i", {"config": {"z": 8}}).json()["config"] == {"a": "x", "z": 8}
    r = control("PATCH", "/plugins/i", data={"config.z": "9"})
    assert r.status_code == 200 and r.json()["config"] == {"a": "x", "z": 9}
    assert control("DELETE", "/services/s").status_code == 204
    assert control("GET", "/plugins/i").status_code == 404


def test_another_name_is_taken_only_with_a_config_that_fits(control):
    plugin(control, "p", A, WITH_DEFAULT)
    plugin(control, "q", A)
    at = f"/plugins/{control.make('/plugins', {'name': 'p', 'config': {'a': 'x'}})['id']}"
    assert control.refused("PATCH", at, {"name": "q"})["fields"] == {"config": {"z": "unknown field"}}
    assert control("PATCH", at, {"name": "p"}).status_code == 200
    r = control("PUT", at, {"name": "q", "config": {"a": "y"}})
    assert r.status_code == 200 and r.json()["config"] == {"a": "y"}
    r = control("PATCH", at, {"name": "p"})
    assert r.status_code == 200 and r.json()["config"] == {"a": "y", "z": 7}


def test_a_plugin_without_settings(control):
    plugin(control, "empty")
    assert control.make("/plugins", {"name": "empty"})["config"] == {}


def test_what_is_wrong_with_an_instance_is_said(control):
    plugin(control, "p", A, NEED)
    error = control.refused("POST", "/plugins", {"name": "p"})
    assert error["message"] == "schema violation (config.need: required field missing)"
    assert error["fields"] == {"config": {"need": "required field missing"}}
    good = {"name": "p", "config": {"need": "x"}}
    assert control.refused("POST", "/plugins", {**good, "on_error": "maybe"})["fields"] == {
        "on_error": "expected one of: closed, open"}
    assert "ordering" in control.refused("POST", "/plugins", {**good, "ordering": {"before": {}}})["fields"]
    assert "condition" in control.refused("POST", "/plugins", {**good, "condition": "http.path.contains("})["fields"]
    control.make("/plugins", {**good, "condition": '!http.path.contains("skip")'})
    control.make("/routes", {"name": "r", "paths": ["/"], "protocols": ["http"]})
    assert control.refused("POST", "/routes/r/plugins", {**good, "protocols": ["https"]})["fields"] == {
        "protocols": "must match the associated route's protocols"}


def test_a_new_schema_fills_defaults_in_instances_and_drops_what_nobody_set(control):
    plugin(control, "p", A, field("old", type='"string"', default='"o"'))
    control.make("/plugins", {"name": "p", "config": {"a": "x"}})
    r = control("PATCH", "/custom-plugins/p", {"schema": schema("p", A, WITH_DEFAULT)})
    assert r.status_code == 200, r.text
    assert control("GET", "/plugins").json()["data"][0]["config"] == {"a": "x", "z": 7}


def test_a_new_schema_that_an_instance_does_not_fit_changes_nothing(control):
    plugin(control, "p", A)
    instance = control.make("/plugins", {"name": "p", "config": {"a": "x"}})
    generation = control.generation()
    for new in (schema("p", A, NEED), schema("p"), schema("p", field("a", type='"integer"'))):
        error = control.refused("PATCH", "/custom-plugins/p", {"schema": new})
        assert instance["id"] in error["fields"]["schema"]
    assert control.generation() == generation
    assert control("GET", "/plugins").json()["data"] == [instance]


def test_a_plugin_in_use_is_not_removed_and_not_renamed(control):
    plugin(control, "p", A)
    control.make("/plugins", {"name": "p"})
    error = control.refused("DELETE", "/custom-plugins/p")
    assert (error["code"], error["name"], error["message"]) == (
        19, "referenced by others", "plugin schema is currently in use")
    assert "name" in control.refused("PATCH", "/custom-plugins/p", {"name": "q", "schema": schema("q", A)})["fields"]
    control("DELETE", f"/plugins/{control('GET', '/plugins').json()['data'][0]['id']}")
    assert control("DELETE", "/custom-plugins/p").status_code == 204
    assert control("DELETE", "/custom-plugins/p").status_code == 204


def test_sources_that_cannot_be_are_refused_before_anything_runs(control):
    good = {"name": "p", "schema": schema("p"), "handler": HANDLER}
    assert "bytecode" in control.refused("POST", "/custom-plugins", {**good, "handler": "\x1bLJ\x02\x00"})["fields"]["handler"]
    assert "schema.lua:2:" in control.refused("POST", "/custom-plugins", {**good, "schema": "--\n\x00"})["fields"]["schema"]
    assert "1024" in control.refused("POST", "/custom-plugins", {**good, "handler": "-" * (1024 * 1024 + 1)})["fields"]["handler"]
    assert control.refused("POST", "/custom-plugins", {"name": "p"})["fields"] == {
        "handler": "required field missing", "schema": "required field missing"}
    assert control("GET", "/custom-plugins").json()["data"] == []


def test_many_writers_at_once_leave_one_whole_state(control):
    import concurrent.futures
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda i: control("PUT", f"/custom-plugins/p{i % 4}", {
            "schema": schema(f"p{i % 4}", field(f"f{i}", type='"string"')), "handler": HANDLER + f"-- {i}\n"}), range(32)))
    assert {r.status_code for r in made} == {200}
    for p in control("GET", "/custom-plugins").json()["data"]:
        number = p["handler"].rsplit(" ", 1)[1].strip()
        assert f"f{number} " in p["schema"]


def test_a_schema_narrows_fields_of_the_entity_by_typedefs(control):
    source = """local typedefs = require "kong.db.schema.typedefs"
return { name = "p", fields = {
  { protocols = typedefs.protocols_http },
  { consumer = typedefs.no_consumer },
  { consumer_group = typedefs.no_consumer_group },
  { config = { type = "record", fields = {} } },
} }"""
    control.make("/custom-plugins", {"name": "p", "schema": source, "handler": HANDLER})
    consumer = control.make("/consumers", {"username": "u"})
    error = control.refused("POST", "/plugins", {"name": "p", "consumer": {"id": consumer["id"]}})
    assert error["fields"] == {"consumer": "value must be null"}
    error = control.refused("POST", "/plugins", {"name": "p", "protocols": ["tcp"]})
    assert error["fields"] == {"protocols": ["expected one of: grpc, grpcs, http, https"]}
    assert control.make("/plugins", {"name": "p"})["protocols"] == ["grpc", "grpcs", "http", "https"]


def test_a_schema_cannot_add_fields_to_the_entity(control):
    source = 'return { name = "p", fields = { { wat = { type = "string" } }, { consumer = { type = "string" } } } }'
    error = control.refused("POST", "/custom-plugins", {"name": "p", "schema": source, "handler": HANDLER})
    assert "wat: cannot create a new field" in error["message"]
    assert "consumer: cannot change type in a specialized field" in error["message"]
