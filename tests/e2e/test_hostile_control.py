"""A control plane gone wrong feeds a live node: it goes on serving, says why, and stays small."""
import hashlib
import sys
import subprocess
from pathlib import Path

import pytest
import stream_ends as ends
from node import ROOT, SLOW, eventually
from ports import free_port

EPOCH = b"hostile-epoch-01"


@pytest.fixture(scope="module")
def proto(tmp_path_factory):
    directory = tmp_path_factory.mktemp("hostile-proto")
    messages = ends.load_messages(directory)
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", f"--python_out={directory}",
                    str(ROOT / "shm/record.proto")], check=True)
    sys.path.insert(0, str(directory))
    from shm import record_pb2
    return (*messages, record_pb2)


class Hostile:
    def __init__(self, proto, port):
        self.m, services, self.r = proto
        self.plane = ends.ControlPlane(self.m, services, f"127.0.0.1:{port}", heartbeat_ms=1000)
        self.count = 0

    def resource(self, kind, id_, message, version=1, **more):
        spec = message.SerializeToString()
        return self.m.Resource(kind=kind, id=id_, version=version, spec=spec,
                               **{"spec_sha256": hashlib.sha256(spec).digest(), **more})

    def service(self, id_, port, **more):
        return self.resource(1, id_, self.r.Service(id=id_, name=id_, enabled=True, protocol="http", host="127.0.0.1", port=port,
                                                    connect_timeout_ms=1000, read_timeout_ms=1000, write_timeout_ms=1000), **more)

    def route(self, id_, service, path="/", **more):
        return self.resource(2, id_, self.r.Route(id=id_, name=id_, service_id=service, protocols=["http"], paths=[path],
                                                  path_handling="v0", request_buffering=True, response_buffering=True,
                                                  https_redirect_status_code=426), **more)

    def digest(self, resources):
        total = sum(int.from_bytes(hashlib.sha256(bytes([r.kind]) + r.id.encode() + b"\0" + r.spec_sha256).digest(), "big")
                    for r in resources)
        return (total % 2**256).to_bytes(32, "big")

    def send(self, resources=(), **fields):
        self.count += 1
        update = {"nonce": b"%08d" % self.count, "epoch": EPOCH, "base_generation": 0, "generation": 10,
                  "resources": resources, **fields}
        update.setdefault("digest_after", self.digest(resources))
        self.plane.outbox.put(self.m.ControlMessage(update=self.m.Update(**update)))
        return update["nonce"]

    def ack(self, nonce, seconds=20):
        while True:
            ack = self.plane.wait("ack", seconds * SLOW)
            if ack.nonce == nonce and ack.final:
                return ack

    def refused(self, **fields):
        ack = self.ack(self.send(**fields))
        assert ack.error_text
        return ack.refused_for


@pytest.fixture
def pair(proto, make_node, origin):
    port = free_port()
    hostile = Hostile(proto, port)
    node = make_node("node", role="data_plane", cluster_control_plane=f"127.0.0.1:{port}", workers="1").start()
    hostile.plane.wait("hello", 20)
    good = [hostile.service("s", origin.port), hostile.route("r", "s")]
    assert not hostile.ack(hostile.send(good)).refused_for
    eventually(lambda: node.get("/").status_code == 200, "the good state serves")
    yield hostile, node, good
    assert node.get("/").status_code == 200 and node.process.poll() is None
    hostile.plane.close()


def private_kb(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))


def test_updates_that_make_no_sense_are_refused_with_their_reason(pair):
    h, node, good = pair
    assert h.refused(resources=good, digest_after=b"\1" * 32) == "digest"
    assert h.refused(resources=good, digest_after=b"short") == "malformed"
    assert h.refused(resources=good, generation=9) == "rollback"
    assert h.refused(resources=good, base_generation=8, generation=11) == "base"
    assert h.refused(resources=[*good, good[1]], generation=11) == "malformed"
    assert h.refused(resources=[h.service("x" * 65, 1)], generation=11) == "malformed"
    assert h.refused(resources=[h.service("", 1)], generation=11) == "malformed"
    assert h.refused(resources=good, removed=[h.m.ResourceId(kind=1, id="s")], generation=11) == "malformed"
    assert h.refused(resources=good, epoch=b"", generation=11) == "malformed"
    assert node.get("/").status_code == 200


def test_bad_resources_are_rejected_one_by_one_and_the_rest_goes_in(pair):
    h, node, good = pair
    bad = [h.service("wrong-hash", 1, spec_sha256=b"\2" * 32), h.route("dangling", "nowhere"),
           h.m.Resource(kind=1, id="junk", version=1, spec=b"\xff\xff", spec_sha256=hashlib.sha256(b"\xff\xff").digest()),
           h.m.Resource(kind=77, id="unknown", version=1, spec=b"", spec_sha256=hashlib.sha256(b"").digest())]
    ack = h.ack(h.send([*good, *bad], generation=11))
    codes = {v.id: v.error_code for v in ack.verdicts if v.state == h.m.ResourceVerdict.REJECTED}
    assert codes == {"wrong-hash": "hash", "dangling": "reference", "junk": "format", "unknown": "format"}
    # what was rejected counts in the digest: a delta on top of it is understood, and may take it away
    more = h.route("r2", "s", "/two")
    gone = [h.m.ResourceId(kind=b.kind, id=b.id) for b in bad]
    h.send([more], base_generation=11, generation=12, removed=gone, digest_after=h.digest([*good, more]))
    eventually(lambda: node.get("/two").status_code == 200, "the delta is in force")


def test_what_a_node_did_not_understand_it_asks_for_again_when_it_starts_anew(pair):
    h, node, good = pair
    unknown = h.m.Resource(kind=77, id="unknown", version=1, spec=b"", spec_sha256=hashlib.sha256(b"").digest())
    junk = h.m.Resource(kind=16, id="junk", version=1, spec=b"\xff", spec_sha256=hashlib.sha256(b"\xff").digest())
    for resources, generation, says in ([[*good, unknown], 11, 11], [[*good, junk], 12, 0]):
        h.ack(h.send(resources, generation=generation))
        node.stop()
        node.start()
        assert h.plane.wait("hello", 20 * SLOW).generation == says
        eventually(lambda: node.get("/").status_code == 200, "what it holds serves meanwhile")


def test_parts_that_never_end_or_come_wrong_leave_the_node_serving_and_small(pair):
    h, node, good = pair
    before = private_kb(node.process.pid)
    part = {"nonce": b"endless!", "generation": 20, "has_more": True, "digest_after": b""}
    for k in range(40):
        h.send([h.service(f"s-{k:03}-{i:04}", 1) for i in range(500)], part=k, **part)
    eventually(lambda: node.status("/status")["sluice"]["control_stream"]["updating"], "the parts are taken")
    assert node.get("/").status_code == 200
    h.send(good, part=41, **part)
    ack = h.ack(b"endless!")
    assert ack.refused_for == "malformed" and "part" in ack.error_text
    assert private_kb(node.process.pid) < before + 60_000
    for wrong in ({"generation": 21}, {"resources": [h.service("a", 1)]}, {"epoch": b"another"}):
        first = {**part, "nonce": b"wrong" + bytes([65 + len(str(wrong)) % 26])}
        h.send([h.service("b", 1)], part=0, **first)
        h.send(**{"resources": [h.service("c", 1)], **first, **wrong, "part": 1})
        assert h.ack(first["nonce"]).refused_for == "malformed"
    assert h.refused(resources=good, generation=9) == "rollback"


def test_more_rejections_than_anybody_reads_refuse_the_update(pair):
    h, node, _ = pair
    part = {"nonce": b"rejected", "generation": 20, "has_more": True, "digest_after": b""}
    for k in range(11):
        h.send([h.route(f"r-{k:03}-{i:04}", "nowhere") for i in range(1000)], part=k, **part)
    ack = h.ack(b"rejected")
    assert ack.refused_for == "store" and "rejected" in ack.error_text
    assert node.get("/").status_code == 200
