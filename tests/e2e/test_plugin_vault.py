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
