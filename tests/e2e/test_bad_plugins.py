"""What a plugin author gets wrong is refused with field, line and a sentence; nothing changes."""
import pytest
from node import eventually

GOOD = 'local P = { PRIORITY = 10, VERSION = "1.0" }\nfunction P:access() kong.response.exit(200, "good") end\nreturn P\n'
SCHEMA = 'return { name = "p", fields = { { config = { type = "record", fields = {} } } } }'

# name: (handler, schema, field, line or None, words of the message)
BAD = {
    "a syntax error": ("local P = {\n  PRIORITY = = 1\n}\nreturn P", None, "handler", 2, ["unexpected symbol"]),
    "a syntax error in the schema": (None, "return {\n name = \n", "schema", None, ["schema.lua"]),
    "a schema that is not a table": (None, "return 42", "schema", None, ["table"]),
    "a handler that is not a table": ("return 42", None, "handler", None, ["table"]),
    "PRIORITY missing": ('return { VERSION = "1.0", access = function() end }', None, "handler", None, ["PRIORITY"]),
    "PRIORITY a string": ('return { PRIORITY = "high", VERSION = "1.0", access = function() end }', None, "handler", None, ["PRIORITY"]),
    "init_worker": ('return { PRIORITY = 1, VERSION = "1.0", init_worker = function() end }', None, "handler", None, ["init_worker"]),
    "require io": ('local io = require "io"\nreturn { PRIORITY = 1, VERSION = "1.0" }', None, "handler", 1, ["require 'io' not allowed within sandbox"]),
    "custom_validator": (None, 'return { name = "p", fields = { { config = { type = "record", fields = {\n'
                         '{ a = { type = "string", custom_validator = function() return true end } } } } } } }', "schema", None,
                         ["custom_validator", "handler"]),
    "bytecode": ("\x1bLJ\x02\x00", None, "handler", None, ["bytecode"]),
    "a schema with another name": (None, SCHEMA.replace('"p"', '"q"'), "schema", None, ["schema.lua:1", "'q'", "'p'"]),
    "response beside body_filter": ('return { PRIORITY = 1, VERSION = "1.0", response = function() end, body_filter = function() end }',
                                    None, "handler", None, ["response", "body_filter"]),
    "an error when it loads": ('local x = nil\nlocal y = x.field\nreturn { PRIORITY = 1, VERSION = "1.0" }', None, "handler", 2, ["x"]),
    "a loop when it loads": ('while true do end\nreturn { PRIORITY = 1, VERSION = "1.0" }', None, "handler", None, ["CPU"]),
    "memory filled when it loads": ('local t = {}\nfor i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end\nreturn {}', None, "handler", None, []),
    "an unknown type in the schema": (None, 'return { name = "p", fields = { { config = { type = "record", fields = { { a = { type = "strng" } } } } } } }',
                                      "schema", None, ["fields.config.fields.a.type", "expected one of"]),
    "an empty handler": ("", None, "handler", None, []),
    "a timer": ('ngx.timer.at(0, function() end)\nreturn { PRIORITY = 1, VERSION = "1.0" }', None, "handler", 1, ["timer"]),
    "the file system": ('local f = io.open("/etc/passwd")\nreturn { PRIORITY = 1, VERSION = "1.0" }', None, "handler", 1, ["open"]),
}


@pytest.fixture
def serving(node, origin):
    node.route_to(origin, name="r")
    node.plugin("p", GOOD, SCHEMA)
    node.make("/plugins", {"name": "p"})
    eventually(lambda: node.get("/r").text == "good", "the good plugin acts")
    return node


def assert_refused(r, field, line, words):
    assert r.status_code == 400, r.text
    error = r.json()
    assert error["code"] == 2 and error["name"] == "schema violation"
    message = str(error["fields"][field])
    assert len(message) > 15, message
    if line:
        assert f"{field}.lua:{line}:" in message, message
    for word in words:
        assert word in message, message
    assert field in error["message"]


def test_every_bad_plugin_is_refused_with_its_place_and_nothing_changes(serving):
    node = serving
    generation = node.status("/status")["sluice"]["generation"]
    before = node.admin("GET", "/custom-plugins/p").json()
    for name, (handler, schema, field, line, words) in BAD.items():
        print(name)
        body = {"handler": GOOD if handler is None else handler, "schema": SCHEMA if schema is None else schema}
        if name != "a schema with another name":
            fresh = {"name": "fresh", "handler": body["handler"], "schema": body["schema"].replace('"p"', '"fresh"')}
            assert_refused(node.admin("POST", "/custom-plugins", fresh), field, line, words)
        assert_refused(node.admin("PATCH", "/custom-plugins/p", body), field, line, words)
    assert [p["name"] for p in node.admin("GET", "/custom-plugins").json()["data"]] == ["p"]
    assert node.admin("GET", "/custom-plugins/p").json() == before
    assert node.get("/r").text == "good"
    assert node.status("/status")["sluice"]["generation"] == generation


def test_a_source_over_the_limit_is_refused_and_the_limit_is_named(serving):
    node = serving
    big = GOOD + "-- " + "x" * (1024 * 1024) + "\n"
    r = node.admin("PATCH", "/custom-plugins/p", {"handler": big})
    assert_refused(r, "handler", None, ["1024"])
    just = GOOD + "--" + "x" * (1024 * 1024 - len(GOOD) - 3) + "\n"
    assert len(just) == 1024 * 1024
    assert node.admin("PATCH", "/custom-plugins/p", {"handler": just}).status_code == 200


def test_a_new_schema_that_an_instance_does_not_fit_is_refused_naming_the_instance(serving):
    node = serving
    instance = node.admin("GET", "/plugins").json()["data"][0]
    schema = 'return { name = "p", fields = { { config = { type = "record", fields = { { must = { type = "string", required = true } } } } } } }'
    r = node.admin("PATCH", "/custom-plugins/p", {"schema": schema})
    assert r.status_code == 400
    assert instance["id"] in r.text and "must" in r.text and "required field missing" in r.text
    assert node.get("/r").text == "good"


def test_a_bad_config_and_an_unknown_plugin_are_refused_as_kong_words_it(serving):
    node = serving
    r = node.admin("POST", "/plugins", {"name": "nope"})
    assert r.status_code == 400
    assert r.json()["fields"]["name"] == "plugin 'nope' not enabled; add it to the 'plugins' configuration property"
    r = node.admin("POST", "/routes/r/plugins", {"name": "p", "config": {"extra": 1}})
    assert r.status_code == 400
    assert r.json()["message"] == "schema violation (config.extra: unknown field)"
    assert r.json()["fields"] == {"config": {"extra": "unknown field"}}


@pytest.mark.parametrize("condition, word", [
    ("http.path.matches(\"(a\")", "not a pattern"),
    ("http.path.matches(\"a(?=b)\")", "look-ahead"),
    ("http.path.contains(", ""),
    ("http.path", ""),
    ("nonsense.field == \"x\"", "nonsense"),
    ("http.path == \"" + "a" * 1100 + "\"", "1024"),
])
def test_a_condition_that_cannot_be_held_is_refused_not_ignored(serving, condition, word):
    r = serving.admin("POST", "/routes/r/plugins", {"name": "p", "condition": condition})
    assert r.status_code == 400, r.text
    assert word in r.json()["fields"]["condition"]
