"""What sluice-control feeds to nodes; the node is Python's grpc, so that every message is seen."""
import hashlib
import queue
import time

import pytest
import stream_ends as ends
from control import Control
from node import eventually

HANDLER = 'local P = { PRIORITY = 1, VERSION = "1.0.0" }\nfunction P:access() end\nreturn P\n'
SCHEMA = 'return { name = "p", fields = { { config = { type = "record", fields = {} } } } }'
PLUGIN_CODE = 4


@pytest.fixture(scope="module")
def proto(tmp_path_factory):
    return ends.load_messages(tmp_path_factory.mktemp("proto"))


@pytest.fixture
def control(tmp_path):
    c = Control(tmp_path).start()
    yield c
    c.clean_up()


@pytest.fixture
def connect(proto, control):
    nodes = []

    def make(**hello):
        node = ends.Node(*proto, f"unix:{control.conf['prefix']}/control.sock", **{"grpc.use_local_subchannel_pool": 1})
        nodes.append(node)
        node.hello(**hello)
        node.wait("welcome")
        return node

    yield make
    for node in nodes:
        node.close()


def ack(node, update, final=True, refused_for="", verdicts=()):
    node.send(ack=node.m.Ack(nonce=update.nonce, generation=update.generation, verdicts=verdicts, final=final,
                             refused_for=refused_for))


def nothing_comes(node, seconds=0.5):
    """No Update within that time; heartbeats do not count."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            message = node.received.get(timeout=0.05)
        except queue.Empty:
            continue
        assert message is None or message.WhichOneof("body") != "update", message


def digest(resources):
    total = 0
    for r in resources:
        assert r.spec_sha256 == hashlib.sha256(r.spec).digest()
        total += int.from_bytes(hashlib.sha256(bytes([r.kind]) + r.id.encode() + b"\0" + r.spec_sha256).digest(), "big")
    return (total % 2**256).to_bytes(32, "big")


def test_a_new_node_gets_everything_then_only_what_changes(control, connect):
    control.make("/services", {"name": "a", "host": "h"})
    node = connect()
    full = node.wait("update")
    assert full.base_generation == 0 and len(full.resources) == 1 and full.digest_after == digest(full.resources)
    ack(node, full)
    route = control.make("/services/a/routes", {"name": "r", "paths": ["/r"]})
    delta = node.wait("update")
    assert delta.base_generation == full.generation and [r.id for r in delta.resources] == [route["id"]]
    assert delta.digest_after == digest([*full.resources, *delta.resources])
    ack(node, delta)
    control("DELETE", "/routes/r")
    gone = node.wait("update")
    assert [r.id for r in gone.removed] == [route["id"]] and not gone.resources
    assert gone.digest_after == full.digest_after
    assert gone.epoch == full.epoch and len(gone.epoch) == 16


def test_a_node_that_holds_the_same_is_sent_nothing(control, connect):
    control.make("/services", {"name": "a", "host": "h"})
    node = connect()
    update = node.wait("update")
    ack(node, update)
    node.close()
    again = connect(epoch=update.epoch, generation=update.generation, digest=update.digest_after)
    nothing_comes(again)
    control.clean_up()
    control.start()
    restarted = connect(epoch=update.epoch, generation=update.generation, digest=update.digest_after)
    nothing_comes(restarted)
    control.make("/services", {"name": "b", "host": "h"})
    assert restarted.wait("update").base_generation == update.generation


def test_a_node_that_was_away_gets_a_delta_and_a_stranger_everything(control, connect):
    control.make("/services", {"name": "a", "host": "h"})
    node = connect()
    update = node.wait("update")
    ack(node, update)
    node.close()
    control.make("/services", {"name": "b", "host": "h"})
    control.make("/services", {"name": "c", "host": "h"})
    back = connect(epoch=update.epoch, generation=update.generation, digest=update.digest_after)
    delta = back.wait("update")
    assert delta.base_generation == update.generation and len(delta.resources) == 2
    stranger = connect(epoch=b"x" * 16, generation=99, digest=b"y" * 32)
    assert stranger.wait("update").base_generation == 0


def test_changes_before_the_ack_go_together(control, connect):
    node = connect()
    first = node.wait("update")
    for i in range(20):
        control.make("/services", {"name": f"s{i}", "host": "h"})
    nothing_comes(node, 0.3)
    ack(node, first)
    second = node.wait("update")
    assert len(second.resources) == 20 and second.base_generation == first.generation


def test_a_refused_delta_is_followed_by_everything_and_a_rollback_is_not(control, connect):
    node = connect()
    ack(node, node.wait("update"))
    control.make("/services", {"name": "a", "host": "h"})
    delta = node.wait("update")
    ack(node, delta, refused_for="base")
    full = node.wait("update")
    assert full.base_generation == 0
    ack(node, full, refused_for="rollback")
    nothing_comes(node)
    assert control("GET", "/clustering/data-planes").json()["data"][0]["sync_status"] == "rollback"


def test_code_comes_by_hash_in_chunks(control, connect):
    big = HANDLER + "--" + "x" * 300_000 + "\n"
    control.make("/custom-plugins", {"name": "p", "schema": SCHEMA, "handler": big})
    node = connect()
    update = node.wait("update")
    assert [r.kind for r in update.resources] == [PLUGIN_CODE] and big.encode() not in update.SerializeToString()
    sha = hashlib.sha256(big.encode()).digest()
    node.send(blobs=node.m.BlobRequest(nonce=update.nonce, sha256=[sha, b"\1" * 32]))
    data = b""
    while len(data) < len(big):
        chunk = node.wait("chunk")
        assert (chunk.sha256, chunk.offset, chunk.total) == (sha, len(data), len(big)) and 0 < len(chunk.data) <= 65536
        data += chunk.data
    assert data == big.encode()
    missing = node.wait("chunk")
    assert missing.is_missing and missing.sha256 == b"\1" * 32


def test_verdicts_are_shown_per_node(control, connect):
    plugin = control.make("/custom-plugins", {"name": "p", "schema": SCHEMA, "handler": HANDLER})
    node = connect(generation=0)
    update = node.wait("update")
    m, version = node.m, update.resources[0].version

    def verdict(**more):
        return m.ResourceVerdict(kind=PLUGIN_CODE, id=plugin["id"], version=version, workers_total=2, **more)

    def seen():
        return control("GET", "/custom-plugins/p/status").json()

    assert seen()["nodes"][0]["state"] == "pending" and seen()["active"] is False
    ack(node, update, final=False, verdicts=[verdict(state=m.ResourceVerdict.ACTIVE, workers_active=1)])
    eventually(lambda: seen()["nodes"][0]["workers_active"] == 1, "one worker is active")
    assert seen()["active"] is False
    ack(node, update, verdicts=[verdict(state=m.ResourceVerdict.ACTIVE, workers_active=2)])
    eventually(lambda: seen()["active"], "both are active")
    one = seen()["nodes"][0]
    assert (one["hostname"], one["workers_active"], one["workers_total"], one["error"]) == ("python", 2, 2, None)
    assert hashlib.sha256(hashlib.sha256(HANDLER.encode()).digest() + hashlib.sha256(SCHEMA.encode()).digest()
                          ).hexdigest() == seen()["version"]
    control("PATCH", "/custom-plugins/p", {"handler": HANDLER + "--2\n"})
    update = node.wait("update")
    version = update.resources[0].version
    ack(node, update, verdicts=[verdict(state=m.ResourceVerdict.REJECTED, error_code="syntax", error_file="handler.lua",
                                        error_line=3, error_text="no", version_in_force=1)])
    eventually(lambda: seen()["nodes"][0]["state"] == "rejected", "the rejection is shown")
    assert seen()["nodes"][0]["error"] == "handler.lua:3: no" and seen()["active"] is False
    rejected = control("GET", "/clustering/data-planes").json()["data"][0]["rejected"]
    assert rejected[0]["code"] == "syntax" and rejected[0]["version_in_force"] == 1
    nothing_comes(node)


def whole_update(node, first=None):
    """All parts of the next Update."""
    parts = [first or node.wait("update")]
    while parts[-1].has_more:
        parts.append(node.wait("update"))
    return parts


def test_what_does_not_fit_into_one_message_comes_in_parts_in_order(control, connect):
    control.make("/services", {"name": "a", "host": "h"})
    for i in range(40):
        assert control("POST", "/services/a/routes", {"name": f"r{i}", "paths": [f"/{i}/" + "x" * 20_000]}).status_code == 201
    node = connect()
    parts = whole_update(node)
    resources = [r for p in parts for r in p.resources]
    assert len(parts) > 2 and [p.part for p in parts] == list(range(len(parts)))
    assert all(p.nonce == parts[0].nonce and p.ByteSize() < 300_000 and p.base_generation == 0 for p in parts)
    keys = [(r.kind, r.id) for r in resources]
    assert keys == sorted(keys) and len(set(keys)) == 41
    assert parts[-1].digest_after == digest(resources)
    rejected = node.m.ResourceVerdict(kind=2, id=resources[-1].id, version=resources[-1].version, error_code="format",
                                      state=node.m.ResourceVerdict.REJECTED)
    node.send(ack=node.m.Ack(nonce=parts[0].nonce, generation=parts[0].generation, verdicts=[rejected], is_rest_active=True,
                             workers_active=1, workers_total=1, final=True))
    eventually(lambda: [r["id"] for r in control("GET", "/clustering/data-planes").json()["data"][0]["rejected"]]
               == [resources[-1].id], "the rejection is shown")
    control("DELETE", "/routes/r7")
    last = whole_update(node)
    assert len(last) == 1 and len(last[0].removed) == 1 and last[0].base_generation == parts[0].generation


def test_a_node_that_refuses_a_part_gets_everything_again(control, connect):
    control.make("/services", {"name": "a", "host": "h"})
    for i in range(200):
        control("POST", "/services/a/routes", {"name": f"r{i}", "paths": [f"/{i}/" + "x" * 30_000]})
    node = connect()
    first = node.wait("update")
    assert first.has_more
    ack(node, first, refused_for="store")
    again = node.wait("update")
    while again.nonce == first.nonce:
        again = node.wait("update")
    assert again.part == 0 and whole_update(node, again)[-1].digest_after
