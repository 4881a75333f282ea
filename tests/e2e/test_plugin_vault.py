"""{vault://env/…} in a plugin's config: resolved on the node, from the environment it was started with."""
from node import eventually

HANDLER = """
local P = { PRIORITY = 10, VERSION = "1" }
function P:access(conf)
  return kong.response.exit(200, { secret = conf.secret, ref = conf["$refs"] and conf["$refs"].secret, vault = kong.vault ~= nil })
end
return P
"""
SCHEMA = """return { name = "vault-test", fields = { { config = { type = "record", fields = {
  { secret = { type = "string", referenceable = true, len_min = 40 } } } } } } }"""
REFERENCE = "{vault://env/vault-test-secret}"


def seen(node):
    got = node.get("/r")
    assert got.status_code == 200, got.text
    return got.json()


def test_a_reference_is_resolved_where_it_runs_and_nowhere_else(make_node, origin, monkeypatch):
    monkeypatch.setenv("VAULT_TEST_SECRET", "first")
    node = make_node("node", workers="2").start()
    node.route_to(origin, name="r")
    node.plugin("vault-test", HANDLER, SCHEMA)
    made = node.make("/plugins", {"name": "vault-test", "config": {"secret": REFERENCE}})
    assert made["config"]["secret"] == REFERENCE
    node.wait_plugin("vault-test")
    node.wait_settled()
    assert seen(node) == {"secret": "first", "ref": REFERENCE, "vault": False}
    assert node.admin("GET", f"/plugins/{made['id']}").json()["config"] == {"secret": REFERENCE}
    assert not [f for f in (node.prefix / "control").glob("*.mdb") if b"first" in f.read_bytes()]
    assert not [f for f in (node.prefix / "snapshot").glob("*.mdb") if b"first" in f.read_bytes()]

    node.stop()
    monkeypatch.setenv("VAULT_TEST_SECRET", "second")
    node.start()
    eventually(lambda: seen(node)["secret"] == "second", "the new environment")
    node.stop()
    monkeypatch.delenv("VAULT_TEST_SECRET")
    node.start()
    eventually(lambda: seen(node)["secret"] == "", "nothing there")
    assert "unable to resolve a reference" in node.log()
    assert seen(node)["ref"] == REFERENCE


def test_a_configured_vault_is_the_environment_with_its_prefix_and_a_change_counts(make_node, origin, monkeypatch):
    for name, value in (("APP_VAULT_TEST_SECRET", "of the app"), ("OTHER_VAULT_TEST_SECRET", "of another")):
        monkeypatch.setenv(name, value)
    node = make_node("node", workers="1").start()
    node.route_to(origin, name="r")
    node.plugin("vault-test", HANDLER, SCHEMA)
    reference = "{vault://my-app/vault-test-secret?note=long-enough-for-the-schema}"
    node.make("/plugins", {"name": "vault-test", "config": {"secret": reference}})
    node.wait_plugin("vault-test")
    node.wait_settled()
    assert seen(node)["secret"] == "" and "could not find vault" in node.log()
    made = node.make("/vaults", {"prefix": "my-app", "name": "env", "config": {"prefix": "app_"}})
    eventually(lambda: seen(node) == {"secret": "of the app", "ref": reference, "vault": False}, "the vault is there")
    assert node.admin("PATCH", f"/vaults/{made['id']}", {"config": {"prefix": "other_"}}).status_code == 200
    eventually(lambda: seen(node)["secret"] == "of another", "its prefix changed")
    assert node.admin("DELETE", "/vaults/my-app").status_code == 204
    eventually(lambda: seen(node)["secret"] == "", "it is gone")


def test_kong_vault_knows_configured_vaults(make_node, origin, monkeypatch):
    monkeypatch.setenv("APP_VAULT_TEST_SECRET", "s3cret")
    node = make_node("node", workers="1", untrusted_lua="lax").start()
    node.route_to(origin, name="r")
    node.make("/vaults", {"prefix": "my-app", "name": "env", "config": {"prefix": "APP_"}})
    node.plugin("vault-test", """
local P = { PRIORITY = 10, VERSION = "1" }
function P:access()
  local v = kong.vault
  local refs = { ["$refs"] = { s = "{vault://my-app/vault-test-secret}" } }
  return kong.response.exit(200, { a = v.get("{vault://my-app/vault-test-secret}"), b = v.update(refs).s,
    c = v.get("{vault://my-app/secret?prefix=app_vault_test_}"), d = select(2, v.get("{vault://other/x}")) })
end
return P""")
    node.make("/plugins", {"name": "vault-test"})
    node.wait_plugin("vault-test")
    node.wait_settled()
    assert seen(node) == {"a": "s3cret", "b": "s3cret", "c": "s3cret", "d": "could not find vault (other)"}
