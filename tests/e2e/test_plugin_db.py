"""kong.db over a node's own configuration."""
import pytest

from node import eventually

HANDLER = """
local P = { PRIORITY = 10, VERSION = "1" }
function P:access(conf)
  local q = kong.request.get_query()
  local dao = kong.db[q.entity]
  local arg = q.id and { id = q.id } or q.arg
  local value, err, err_t = dao[q.call](dao, arg)
  return kong.response.exit(200, { value = value, err = err, code = err_t and err_t.code, key = dao:cache_key(value or "x") })
end
return P
"""
SCHEMA = 'return { name = "db-test", fields = { { config = { type = "record", fields = {} } } } }'


@pytest.fixture
def node(make_node, origin):
    node = make_node("node", workers="2", untrusted_lua="lax").start()
    node.route_to(origin, name="r")
    node.plugin("db-test", HANDLER, SCHEMA)
    node.make("/plugins", {"name": "db-test", "instance_name": "the-instance"})
    node.make("/consumers", {"username": "Ann", "custom_id": "c-1"})
    node.make("/consumers", {"username": "ann", "custom_id": "c" * 300})
    node.make("/consumers", {"username": "bob"})
    node.wait_plugin("db-test")
    node.wait_settled()
    return node


def ask(node, entity, call, **query):
    got = node.get("/r", params=dict(query, entity=entity, call=call))
    assert got.status_code == 200, got.text
    return got.json()


def test_entities_are_found_by_id_and_by_what_names_them(node):
    ann = ask(node, "consumers", "select_by_custom_id", arg="c-1")["value"]
    assert ann["username"] == "Ann" and ann["custom_id"] == "c-1"
    assert ask(node, "consumers", "select", id=ann["id"])["value"] == ann
    assert ask(node, "consumers", "select_by_username", arg="ann")["value"]["custom_id"] == "c" * 300
    assert ask(node, "consumers", "select_by_custom_id", arg="c" * 300)["value"]["username"] == "ann"
    assert "value" not in ask(node, "consumers", "select_by_custom_id", arg="c" * 299)
    assert {c["username"] for c in ask(node, "consumers", "select_by_username_ignore_case", arg="aNN")["value"]} == {"Ann", "ann"}
    bob = ask(node, "consumers", "select_by_username", arg="bob")
    assert "custom_id" not in bob["value"], "what is not set is nil"
    assert bob["key"].split(":")[:2] == ["consumers", bob["value"]["id"]]
    assert ask(node, "consumers", "select_by_cache_key", arg=bob["key"])["value"] == bob["value"]
    route = ask(node, "routes", "select_by_name", arg="r")["value"]
    assert ask(node, "services", "select", id=route["service"]["id"])["value"]["name"] == "s-r"
    plugin = ask(node, "plugins", "select_by_instance_name", arg="the-instance")
    assert plugin["key"].startswith("plugins:db-test:::::")
    assert ask(node, "plugins", "select_by_cache_key", arg=plugin["key"])["value"] == plugin["value"]


def test_a_change_is_seen_and_what_is_gone_is_not(node):
    node.admin("PATCH", "/consumers/bob", {"custom_id": "new"})
    eventually(lambda: ask(node, "consumers", "select_by_custom_id", arg="new").get("value", {}).get("username") == "bob", "bob has it")
    node.admin("PATCH", "/consumers/bob", {"custom_id": "newer", "username": "BOB"})
    eventually(lambda: "value" not in ask(node, "consumers", "select_by_custom_id", arg="new"), "the old one leads nowhere")
    assert ask(node, "consumers", "select_by_custom_id", arg="newer")["value"]["username"] == "BOB"
    assert [c["username"] for c in ask(node, "consumers", "select_by_username_ignore_case", arg="bob")["value"]] == ["BOB"]
    node.admin("DELETE", "/consumers/BOB")
    eventually(lambda: "value" not in ask(node, "consumers", "select_by_custom_id", arg="newer"), "bob is gone")
    assert not ask(node, "consumers", "select_by_username_ignore_case", arg="bob")["value"]


def test_bad_keys_and_writes_are_errors(node):
    bad = ask(node, "consumers", "select", id="x")
    assert bad["code"] == 1 and bad["err"] == """[off] invalid primary key: '{id="x"}'"""
    no = ask(node, "routes", "insert", arg="x")
    assert no["code"] == 12 and no["err"] == "[off] cannot create 'routes' entities when not using a database"


def test_keys_are_found_by_name_and_by_set_and_kid_with_their_secrets(make_node, origin, monkeypatch):
    monkeypatch.setenv("DB_TEST_JWK", '{"kty":"oct","k":"c2VjcmV0","kid":"secret"}')
    node = make_node("node", workers="1", untrusted_lua="lax").start()
    node.route_to(origin, name="r")
    node.plugin("db-test", HANDLER, SCHEMA)
    node.make("/plugins", {"name": "db-test"})
    group = node.make("/key-sets", {"name": "mine"})
    plain = '{"kty":"oct","k":"c2VjcmV0","kid":"one"}'
    node.make("/keys", {"name": "k", "kid": "one", "jwk": plain, "set": {"id": group["id"]}})
    node.make("/keys", {"name": "free", "kid": "secret", "jwk": "{vault://env/db-test-jwk}"})
    node.wait_plugin("db-test")
    node.wait_settled()
    key = ask(node, "keys", "select_by_name", arg="k")
    assert key["value"]["jwk"] == plain and key["value"]["set"] == {"id": group["id"]}
    assert key["key"].startswith(f"keys:one:{group['id']}:::")
    assert ask(node, "keys", "select_by_cache_key", arg=key["key"])["value"] == key["value"]
    assert ask(node, "keys", "select", id=key["value"]["id"])["value"] == key["value"]
    free = ask(node, "keys", "select_by_name", arg="free")
    assert free["value"]["jwk"] == '{"kty":"oct","k":"c2VjcmV0","kid":"secret"}'
    assert free["value"]["$refs"] == {"jwk": "{vault://env/db-test-jwk}"}
    assert ask(node, "keys", "select_by_cache_key", arg=free["key"])["value"] == free["value"]
    assert "value" not in ask(node, "keys", "select_by_cache_key", arg=free["key"].replace("secret", "one"))
    assert ask(node, "keys", "insert")["code"] == 12
    node.admin("DELETE", "/key-sets/mine")
    eventually(lambda: "value" not in ask(node, "keys", "select_by_name", arg="k"), "it went with its set")
