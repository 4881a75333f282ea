"""Conditions on real traffic: every example of docs/conditions.md does what it says there."""
import re

import pytest
from node import ROOT, eventually
from origin import Origin

GUARD = """
local P = { PRIORITY = 2000, VERSION = "1" }
function P:access(conf)
  local consumer = kong.client.load_consumer("alice", true)
  kong.client.authenticate(consumer, nil)
  kong.client.set_authenticated_consumer_groups({ { name = "admins", id = "g1" } })
  kong.ctx.shared.tier = "gold"
  kong.ctx.shared.count = 3
  kong.ctx.shared.rate = 1.5
  kong.ctx.shared.roles = { "reader", "writer" }
end
return P
"""
MARK = """
local P = { PRIORITY = 1000, VERSION = "1" }
function P:header_filter(conf) kong.response.set_header("x-marked", "yes") end
return P
"""
HEADERS = [("Host", "example.com"), ("User-Agent", "curl/8.5"), ("X-Tag", "one"), ("X-Tag", "two"), ("Connection", "close")]


def examples():
    text = (ROOT / "docs/conditions.md").read_text()
    for block in re.findall(r"```cel\n(.*?)```", text, re.S):
        for line in block.splitlines():
            condition, outcome = line.rsplit("//", 1)
            yield condition.strip(), outcome.strip()


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    from node import Node
    origin, node = Origin(), Node(tmp_path_factory.mktemp("conditions"), workers="1")
    try:
        node.start()
        node.route_to(origin, name="r", paths=["/"], tags=["public"])
        node.make("/consumers", {"username": "alice", "custom_id": "77", "tags": ["vip"]})
        node.plugin("key-guard", GUARD)
        node.plugin("mark", MARK)
        node.make("/plugins", {"name": "key-guard"})
        node.mark = node.make("/plugins", {"name": "mark", "condition": "true"})["id"]
        eventually(lambda: b"x-marked" in ask(node), "both plugins act")
        yield node
    finally:
        node.clean_up()
        origin.close()


def ask(node):
    lines = ["GET /api/v1/users/7?lang=en&lang=f%20r&empty HTTP/1.1", *(f"{name}: {value}" for name, value in HEADERS)]
    return node.raw("\r\n".join(lines).encode() + b"\r\n\r\n").lower()


def patch(node, condition):
    return node.admin("PATCH", f"/plugins/{node.mark}", {"condition": condition})


def check(node, condition, outcome):
    word, _, text = outcome.partition(": ")
    r = patch(node, condition)
    if word == "refused":
        assert r.status_code == 400, r.text
        assert text in r.json()["fields"]["condition"], r.text
        return
    assert r.status_code == 200, r.text
    node.wait_settled()
    answer = ask(node)
    if word == "error":
        assert answer.startswith(b"http/1.1 500"), answer
        said = f"error evaluating plugin condition for plugin 'mark' (ID: {node.mark}): {text}"
        eventually(lambda: said in node.log().replace("\\'", "'"), said)
        return
    assert answer.startswith(b"http/1.1 200"), answer
    assert (b"x-marked" in answer) == {"true": True, "false": False}[word], answer


def test_the_examples_of_the_reference_do_what_it_says(bed):
    wrong, n = [], 0
    for condition, outcome in examples():
        n += 1
        try:
            check(bed, condition, outcome)
        except AssertionError as error:
            wrong.append(f"{condition}  // {outcome}\n    {str(error)[:400]}")
    assert not wrong, "\n".join(wrong)
    assert n > 50


def test_a_condition_out_of_steps_answers_500_and_the_worker_lives_on(bed):
    assert patch(bed, "http.path_segments.all(x, http.path_segments.all(y, true)) || true").status_code == 200
    bed.wait_settled()
    pids = bed.worker_pids()
    assert bed.get("/" + "a/" * 2000).status_code == 500
    assert "the condition takes more than 100000 steps on this request" in bed.log()
    assert b"x-marked" in ask(bed)
    assert bed.worker_pids() == pids
