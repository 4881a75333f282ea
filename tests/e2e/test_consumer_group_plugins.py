"""Consumer groups on traffic: what plugins, conditions and the service learn of them."""
import pytest
from node import eventually
from ports import free_port
from stream_ends import make_certificates

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


def mark(node, name, **scope):
    """An instance of `mark` that says `name`, by the names of what it is scoped by."""
    ids = {field: {"id": node.admin("GET", f"/{field}s/{value}").json()["id"]} for field, value in scope.items()}
    return node.make("/plugins", {"name": "mark", "config": {"mark": name}, **ids})["id"]


def marks(node):
    return tuple(ask(node, who).get("X-Mark") for who in ("alice", "bob", "carol"))


def test_the_instance_of_a_group_takes_its_place_between_the_others(node):
    steps = [  # from the last of the precedence to the first: who alice (gold, silver), bob (bronze) and carol (none) get
        ("global", {}, ("global",) * 3),
        ("service", {"service": "s-r"}, ("service",) * 3),
        ("route", {"route": "r"}, ("route",) * 3),
        ("silver", {"consumer_group": "silver"}, ("silver", "route", "route")),
        ("gold", {"consumer_group": "gold"}, ("gold", "route", "route")),
        ("alice", {"consumer": "alice"}, ("alice", "route", "route")),
        ("route+service", {"route": "r", "service": "s-r"}, ("route+service",) * 3),
        ("bronze+service", {"consumer_group": "bronze", "service": "s-r"}, ("route+service", "bronze+service", "route+service")),
        ("silver+route", {"consumer_group": "silver", "route": "r"}, ("silver+route", "bronze+service", "route+service")),
        ("alice+route", {"consumer": "alice", "route": "r"}, ("alice+route", "bronze+service", "route+service")),
        ("all of silver", {"consumer_group": "silver", "route": "r", "service": "s-r"},
         ("all of silver", "bronze+service", "route+service")),
        ("all of alice", {"consumer": "alice", "route": "r", "service": "s-r"}, ("all of alice", "bronze+service", "route+service"))]
    made = []
    for name, scope, wanted in steps:
        made.append(mark(node, name, **scope))
        eventually(lambda w=wanted: marks(node) == w, f"{name}: {wanted}")
    for (name, _, _), (_, _, wanted) in reversed(list(zip(steps[1:], steps))):
        assert node.admin("DELETE", f"/plugins/{made.pop()}").status_code == 204
        eventually(lambda w=wanted: marks(node) == w, f"{name} is gone: {wanted}")


def test_who_joins_or_leaves_a_group_gets_its_plugins_or_loses_them(node):
    mark(node, "gold", consumer_group="gold")
    eventually(lambda: marks(node) == ("gold", None, None), "members only")
    node.make("/consumer_groups/gold/consumers", {"consumer": "carol"})
    eventually(lambda: marks(node) == ("gold", None, "gold"), "carol joined")
    assert ask(node, "nobody", X_Set="carol").get("X-Mark") == "gold", "the groups of a consumer that a plugin names"
    assert "X-Mark" not in ask(node, "alice", X_Set="groups"), "what a plugin sets goes before"
    assert node.admin("DELETE", "/consumer_groups/gold/consumers/alice").status_code == 204
    eventually(lambda: marks(node) == (None, None, "gold"), "alice left")
    assert node.admin("DELETE", "/consumer_groups/gold").status_code == 204
    assert node.admin("GET", "/plugins?size=100").json()["data"][0]["name"] == "who" and len(
        node.admin("GET", "/plugins").json()["data"]) == 1, "its plugins went with the group"
    eventually(lambda: marks(node) == (None, None, None), "the group is gone")


def test_instances_of_a_group_are_unique_nested_and_refused_where_they_cannot_be(node):
    made = node.make("/consumer_groups/gold/plugins", {"name": "mark", "config": {"mark": "gold"}})
    assert made["consumer_group"]["id"] == node.admin("GET", f"/plugins/{made['id']}/consumer_group").json()["id"]
    assert [p["id"] for p in node.admin("GET", "/consumer_groups/gold/plugins").json()["data"]] == [made["id"]]
    again = node.admin("POST", "/consumer_groups/gold/plugins", {"name": "mark", "config": {"mark": "x"}})
    assert again.status_code == 409 and "consumer_group={id=" in again.json()["message"]
    assert again.json()["fields"]["consumer_group"] == made["consumer_group"]
    node.make("/consumer_groups/silver/plugins", {"name": "mark", "config": {"mark": "x"}})
    both = node.admin("POST", "/consumer_groups/bronze/plugins", {
        "name": "mark", "config": {"mark": "x"}, "consumer": {"username": "alice"}})
    assert both.status_code == 400 and both.json()["fields"] == {
        "consumer_group": "an instance is scoped by a consumer or by a consumer group, not by both"}
    none = node.admin("POST", "/plugins", {"name": "mark", "config": {"mark": "x"}, "consumer_group": {"name": "none"}})
    assert none.status_code == 400 and "no such entry in 'consumer_groups'" in none.json()["message"]
    schema = MARK_SCHEMA.replace("fields = {", 'fields = { { consumer_group = require("kong.db.schema.typedefs").no_consumer_group },', 1)
    node.plugin("narrow", MARK, schema.replace('"mark"', '"narrow"', 1))
    narrow = node.admin("POST", "/consumer_groups/gold/plugins", {"name": "narrow", "config": {"mark": "x"}})
    assert narrow.status_code == 400 and narrow.json()["fields"] == {"consumer_group": "value must be null"}


FILE = """
_format_version: "3.0"
services:
- {name: s, url: "http://127.0.0.1:%d", routes: [{name: r, paths: [/r]}]}
consumer_groups:
- name: gold
  plugins: [{name: mark, config: {mark: gold}}]
- name: silver
consumers:
- {username: alice, groups: [{name: gold}]}
- {username: bob}
- {username: carol}
consumer_group_consumers:
- {consumer: bob, consumer_group: silver}
plugins:
- {name: who}
- {name: mark, route: r, consumer_group: silver, config: {mark: silver on r}}
custom_plugins:
"""


def test_a_file_says_it_all(make_node, origin, tmp_path):
    def code(name, handler, schema):
        block = "".join(f"\n    {line}" for line in handler.strip().splitlines())
        return f"- name: {name}\n  handler: |{block}\n  schema: |\n    {schema}\n"
    path = tmp_path / "file.yaml"
    text = FILE % origin.port + code("who", WHO, 'return { name = "who", fields = { { config = { type = "record", fields = {} } } } }') + code(
        "mark", MARK, MARK_SCHEMA.replace("\n", " "))
    path.write_text(text)
    node = make_node("node", workers="1", database="off", declarative_config=str(path)).start()
    eventually(lambda: node.get("/r").status_code == 200, "it serves")
    assert marks(node) == ("gold", "silver on r", None)
    assert node.admin("POST", "/consumer_groups/gold/consumers", {"consumer": "bob"}).status_code == 405
    path.write_text(text.replace("groups: [{name: gold}]", "groups: [{name: silver}]"))
    node.ctl("reload")
    eventually(lambda: marks(node) == ("silver on r", "silver on r", None), "the changed file")


def test_a_data_plane_has_them_from_its_control_plane_and_after_it(make_node, origin, tmp_path):
    certs, port = make_certificates(tmp_path), free_port()

    def tls(name):
        return {"cluster_cert": str(certs / f"{name}.pem"), "cluster_cert_key": str(certs / f"{name}.key"),
                "cluster_ca_cert": str(certs / "ca.pem")}
    control = make_node("control", role="control_plane", cluster_listen=f"127.0.0.1:{port}", **tls("server")).start()
    node = make_node("node", role="data_plane", cluster_control_plane=f"127.0.0.1:{port}", workers="1", **tls("node")).start()
    control.route_to(origin, name="r")
    control.plugin("who", WHO)
    control.plugin("mark", MARK, MARK_SCHEMA)
    control.make("/plugins", {"name": "who"})
    control.make("/consumer_groups", {"name": "gold"})
    for who in "alice", "bob", "carol":
        control.make("/consumers", {"username": who})
    mark(control, "gold", consumer_group="gold")
    control.make("/consumer_groups/gold/consumers", {"consumer": "bob"})
    eventually(lambda: marks(node) == (None, "gold", None), "it acts on the data plane")
    control.stop()
    node.stop()
    node.start()
    eventually(lambda: node.get("/r").status_code == 200, "it serves what it had")
    assert marks(node) == (None, "gold", None)


def test_names_that_are_no_header_and_a_thousand_groups_harm_nothing(node):
    node.make("/consumer_groups", {"name": "evil\r\nX-Evil: 1"})
    node.make("/consumer_groups/evil%0D%0AX-Evil:%201/consumers", {"consumer": "carol"})
    eventually(lambda: ask(node, "carol")["X-First"] != "none", "she is in it")
    got = ask(node, "carol")
    assert "X-Evil" not in got and "evil" in got["X-Told"] and got["X-Groups"].endswith("/36")
    for i in range(300):
        node.make("/consumer_groups", {"name": f"g{i:03}"})
        node.make("/consumers/bob/consumer_groups", {"group": f"g{i:03}"})
    mark(node, "the last", consumer_group="g299")
    eventually(lambda: ask(node, "bob").get("X-Mark") == "the last", "found among them")
    assert ask(node, "bob")["X-Told"] == ", ".join(["bronze", *(f"g{i:03}" for i in range(300))])
