"""Consumer groups: the entities and who is a member, from both sides."""
import pytest
from control import Control


@pytest.fixture
def control(tmp_path):
    c = Control(tmp_path).start()
    yield c
    c.clean_up()


def names(control, path, field="name"):
    return sorted(each[field] for each in control("GET", path).json()["data"])


def test_members_are_the_same_from_both_sides(control):
    gold = control.make("/consumer_groups", {"name": "gold", "tags": ["paid"]})
    control.make("/consumer_groups", {"name": "silver"})
    alice = control.make("/consumers", {"username": "alice", "custom_id": "1"})
    control.make("/consumers", {"username": "bob"})
    assert control("GET", "/consumer_groups/gold").json() == gold
    assert control.make("/consumer_groups/gold/consumers", {"consumer": "alice"}) == {
        "consumer_group": gold, "consumers": [alice]}
    assert control.make(f"/consumers/{alice['id']}/consumer_groups", {"group": "silver"})["consumer"] == alice
    r = control("POST", "/consumer_groups/gold/consumers", data={"consumer": "bob"})  # a form
    assert r.status_code == 201 and r.json()["consumers"][0]["username"] == "bob"
    assert names(control, "/consumer_groups/gold/consumers", "username") == ["alice", "bob"]
    assert names(control, "/consumers/alice/consumer_groups") == ["gold", "silver"]
    assert names(control, "/consumers/alice/consumer_groups?tags=paid") == ["gold"]
    assert control("GET", "/consumer_groups/gold/consumers/alice").json() == alice
    assert control("GET", "/consumers/bob/consumer_groups/gold").json() == gold
    assert control("GET", "/consumers/bob/consumer_groups/silver").status_code == 404
    page = control("GET", "/consumer_groups/gold/consumers?size=1").json()
    rest = control("GET", page["next"]).json()
    assert {page["data"][0]["username"], rest["data"][0]["username"]} == {"alice", "bob"} and rest["next"] is None

    assert control("DELETE", "/consumers/alice/consumer_groups/gold").status_code == 204
    assert control("DELETE", "/consumer_groups/gold/consumers/alice").status_code == 204
    assert names(control, "/consumer_groups/gold/consumers", "username") == ["bob"]
    assert control("DELETE", "/consumers/alice/consumer_groups").status_code == 204
    assert names(control, "/consumers/alice/consumer_groups") == []
    paths = control("GET", "/endpoints").json()["data"]
    assert "/consumer_groups/{consumer_groups}/consumers/{consumers}" in paths and "/" in paths
    assert not any("consumer_group_consumers" in path or "//" in path for path in paths)


def test_what_cannot_be_is_refused_with_the_reason(control):
    control.make("/consumer_groups", {"name": "gold"})
    control.make("/consumers", {"username": "alice"})
    control.make("/consumer_groups/gold/consumers", {"consumer": "alice"})
    assert control.refused("POST", "/consumer_groups", {"name": "gold"}, 409)["fields"] == {"name": "gold"}
    assert control.refused("POST", "/consumer_groups", {})["fields"] == {"name": "required field missing"}
    again = control.refused("POST", "/consumers/alice/consumer_groups", {"group": "gold"}, 409)
    assert again["code"] == 5 and "UNIQUE violation" in again["message"]
    assert "no such entry in 'consumers'" in control.refused(
        "POST", "/consumer_groups/gold/consumers", {"consumer": "nobody"})["message"]
    assert control.refused("POST", "/consumer_groups/gold/consumers", {})["fields"] == {
        "consumer": "required field missing"}
    assert control.refused("POST", "/consumers/alice/consumer_groups", {"group": ["gold"]})["fields"] == {
        "group": "expected a string"}
    control.refused("POST", "/consumer_groups/none/consumers", {"consumer": "alice"}, 404)
    control.refused("PUT", "/consumer_groups/gold/consumers/alice", {}, 405)
    control.refused("GET", "/consumer_groups/gold/consumer_groups", None, 404)
    control.refused("GET", "/consumer_group_consumers", None, 404)


def test_membership_goes_with_either_end_and_survives_a_restart(control):
    for group in "a", "b":
        control.make("/consumer_groups", {"name": group})
        for consumer in "x", "y":
            control("POST", "/consumers", {"username": consumer})
            control.make(f"/consumer_groups/{group}/consumers", {"consumer": consumer})
    control("DELETE", "/consumer_groups/a")
    control("DELETE", "/consumers/x")
    control.stop()
    control.start()
    assert names(control, "/consumers/y/consumer_groups") == ["b"]
    assert names(control, "/consumer_groups/b/consumers", "username") == ["y"]
    control.make("/consumer_groups", {"name": "a"})
    control.make("/consumers", {"username": "x"})
    assert names(control, "/consumer_groups/a/consumers") == names(control, "/consumers/x/consumer_groups") == []
    assert control("PATCH", "/consumer_groups/b", {"name": "c"}).status_code == 200
    assert names(control, "/consumers/y/consumer_groups") == ["c"]
