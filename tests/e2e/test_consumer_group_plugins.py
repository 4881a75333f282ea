"""Consumer groups on traffic: what plugins, conditions and the service learn of them."""
import pytest
from node import eventually

# Who the client says he is, he is; what is asked of groups is told in headers of the response.
WHO = """
local P = { PRIORITY = 2000, VERSION = "1" }
function P:access(conf)
  local consumer = kong.client.load_consumer(kong.request.get_header("X-Who") or "", true)
  if consumer then kong.client.authenticate(consumer, nil) end
  local set = kong.request.get_header("X-Set")
  if set == "groups" then
    kong.client.set_authenticated_consumer_groups({ { name = "made-up", id = "none" } })
  elseif set then
    kong.client.authenticate_consumer_group_by_consumer_id(kong.client.load_consumer(set, true).id)
  end
  kong.service.request.set_authentication_headers(consumer, nil)
  local names = {}
  for i, group in ipairs(kong.client.get_consumer_groups() or {}) do names[i] = group.name .. "/" .. #group.id end
  local first = kong.client.get_consumer_group()
  kong.response.set_header("X-Groups", table.concat(names, " "))
  kong.response.set_header("X-First", first and first.name or "none")
  kong.response.set_header("X-Told", kong.request.get_header("X-Consumer-Groups") or "nothing")
end
return P
"""
MARK = """
local P = { PRIORITY = 1000, VERSION = "1" }
function P:header_filter(conf) kong.response.set_header("X-Mark", conf.mark) end
return P
"""
MARK_SCHEMA = """return { name = "mark", fields = { { config = { type = "record", fields = {
  { mark = { type = "string", required = true } } } } } } }"""


@pytest.fixture
def node(make_node, origin):
    node = make_node("node", workers="2").start()
    node.route_to(origin, name="r")
    node.plugin("who", WHO)
    node.plugin("mark", MARK, MARK_SCHEMA)
    node.make("/plugins", {"name": "who"})
    for group in "silver", "gold", "bronze":
        node.make("/consumer_groups", {"name": group})
    for who, groups in {"alice": ["silver", "gold"], "bob": ["bronze"], "carol": []}.items():
        node.make("/consumers", {"username": who})
        for group in groups:
            node.make(f"/consumer_groups/{group}/consumers", {"consumer": who})
    node.wait_plugin("who")
    node.wait_settled()
    return node


def ask(node, who, **headers):
    return node.get("/r", headers={"X-Who": who, **{name.replace("_", "-"): value for name, value in headers.items()}}).headers


def test_the_groups_of_a_consumer_come_with_it_by_name(node):
    got = ask(node, "alice", X_Consumer_Groups="forged")
    assert (got["X-Groups"], got["X-First"], got["X-Told"]) == ("gold/36 silver/36", "gold", "gold, silver")
    for who in "carol", "nobody":
        got = ask(node, who, X_Consumer_Groups="forged")
        assert (got["X-Groups"], got["X-First"], got["X-Told"]) == ("", "none", "nothing"), who
    got = ask(node, "alice", X_Set="bob")
    assert (got["X-Groups"], got["X-Told"]) == ("bronze/36", "bronze")
    got = ask(node, "alice", X_Set="groups")
    assert (got["X-Groups"], got["X-Told"]) == ("made-up/4", "made-up")


def test_a_change_of_membership_counts_from_the_next_request_on(node):
    assert node.admin("DELETE", "/consumers/alice/consumer_groups/gold").status_code == 204
    eventually(lambda: ask(node, "alice")["X-Groups"] == "silver/36", "she left")
    node.make("/consumers/carol/consumer_groups", {"group": "gold"})
    eventually(lambda: ask(node, "carol")["X-Groups"] == "gold/36", "she joined")
    assert node.admin("PATCH", "/consumer_groups/gold", {"name": "platinum"}).status_code == 200
    eventually(lambda: ask(node, "carol")["X-Told"] == "platinum", "it has another name")
    assert node.admin("DELETE", "/consumer_groups/silver").status_code == 204
    eventually(lambda: ask(node, "alice")["X-Groups"] == "", "the group is gone")


def test_conditions_see_the_groups_of_the_consumer(node):
    node.make("/plugins", {"name": "mark", "config": {"mark": "m"},
                           "condition": 'consumer_group.names != null && "gold" in consumer_group.names'})
    eventually(lambda: ask(node, "alice").get("X-Mark") == "m", "gold")
    assert "X-Mark" not in ask(node, "bob") and "X-Mark" not in ask(node, "carol")


def test_a_node_knows_its_groups_after_a_restart(node):
    node.stop()
    node.start()
    eventually(lambda: node.get("/r").status_code == 200, "it serves")
    assert ask(node, "alice")["X-Told"] == "gold, silver"
