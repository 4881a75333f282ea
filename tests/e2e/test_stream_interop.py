"""The control stream against Debian's python3-grpcio in both roles, and against peers that misbehave."""
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time

import grpc
import pytest

import stream_ends as ends
from node import slow
from ports import free_port

HEARTBEAT_MS = 200


@pytest.fixture(scope="module")
def proto(tmp_path_factory):
    return ends.load_messages(tmp_path_factory.mktemp("proto"))


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    return ends.make_certificates(tmp_path_factory.mktemp("certs"))


@pytest.fixture
def start(proto):
    """start(Class, …): an end that the test's end closes; grpc's get the messages themselves."""
    made = []

    def make(kind, *args, **options):
        first = proto if kind in (ends.ControlPlane, ends.Node) else ()
        made.append(kind(*first, *args, **options))
        return made[-1]

    yield make
    for one in reversed(made):
        one.close()


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "s.sock")


@pytest.fixture
def server(start, path):
    return start(ends.Peer, "server", f"unix:{path}", heartbeat=HEARTBEAT_MS, max=8 << 20)


def blob_chunks(m, blob):
    for at in range(0, len(blob), 65536):
        yield m.ControlMessage(chunk=m.BlobChunk(sha256=hashlib.sha256(blob).digest(), offset=at, total=len(blob),
                                                 data=blob[at:at + 65536]))


# ---- our client, Python's server ----

def test_our_client_says_hello_and_takes_a_big_update_and_a_chunked_blob(start, proto, path):
    m, _ = proto
    control = start(ends.ControlPlane, f"unix:{path}")
    client = start(ends.Peer, "client", f"unix:{path}")
    hello = control.wait("hello")
    assert (hello.protocol, hello.hostname) == (1, "node-1")
    update = m.Update(nonce=b"n1", generation=9, resources=[
        m.Resource(kind=1, id=f"{i:036d}", version=1, spec_sha256=b"\0" * 32, spec=b"x" * 200) for i in range(20000)])
    control.outbox.put(m.ControlMessage(update=update))
    assert client.wait("update") == {"event": "update", "generation": 9, "resources": 20000, "spec_bytes": 4000000}
    ack = control.wait("ack")
    assert (ack.nonce, ack.generation, ack.final) == (b"n1", 9, True)
    blob = os.urandom(5 << 20)
    for chunk in blob_chunks(m, blob):
        control.outbox.put(chunk)
    assert client.wait("blob") == {"event": "blob", "bytes": len(blob), "is_whole": True}


def test_heartbeats_keep_the_stream_and_their_absence_ends_it(start, path):
    control = start(ends.ControlPlane, f"unix:{path}", heartbeat_ms=HEARTBEAT_MS)
    client = start(ends.Peer, "client", f"unix:{path}")
    assert [control.wait("heartbeat").sequence for _ in range(8)] == list(range(1, 9))
    control.answers_heartbeats = False
    began = time.monotonic()
    assert "no sign of life" in client.wait("closed", 3)["why"]
    assert 0.3 < time.monotonic() - began < 2.0 * slow()


def test_our_client_comes_back_after_a_restart_of_the_control_plane(start, path):
    control = start(ends.ControlPlane, f"unix:{path}")
    client = start(ends.Peer, "client", f"unix:{path}")
    control.wait("hello")
    control.close()
    closed = client.wait("closed")
    assert closed["retry_in_ms"] <= 200
    again = start(ends.ControlPlane, f"unix:{path}")
    assert again.wait("hello").hostname == "node-1"


def test_addresses_are_tried_in_turn(start):
    port = free_port()
    control = start(ends.ControlPlane, f"127.0.0.1:{port}")
    client = start(ends.Peer, "client", f"127.0.0.1:1, localhost:{port}")
    assert client.wait("closed")["retry_in_ms"] == 0
    control.wait("hello")
    assert client.wait("opened")["peer"] == f"localhost:{port}"


def test_goodbye_sets_when_the_node_returns(start, proto, path):
    m, _ = proto
    control = start(ends.ControlPlane, f"unix:{path}")
    client = start(ends.Peer, "client", f"unix:{path}")
    control.wait("hello")
    control.outbox.put(m.ControlMessage(goodbye=m.Goodbye(reconnect_min_ms=1500, reconnect_max_ms=2000)))
    assert 1500 <= client.wait("closed")["retry_in_ms"] <= 2000


def test_our_client_refuses_a_message_over_its_limit(start, proto, path):
    m, _ = proto
    control = start(ends.ControlPlane, f"unix:{path}")
    client = start(ends.Peer, "client", f"unix:{path}", max=1 << 20)
    control.wait("hello")
    control.outbox.put(m.ControlMessage(chunk=m.BlobChunk(data=b"x" * (2 << 20))))
    assert client.wait("closed")["why"].startswith("RESOURCE_EXHAUSTED: a message of")


def test_a_status_of_the_control_plane_reaches_the_log(start, proto, path):
    m, services = proto

    class Refusing(ends.ControlPlane):
        def Stream(self, requests, context):  # noqa: N802
            next(requests)
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "node unknown: 100 % sure — ask")

    refusing = Refusing(m, services, f"unix:{path}")
    client = start(ends.Peer, "client", f"unix:{path}")
    assert client.wait("closed")["why"] == \
        "the other side ended the stream: PERMISSION_DENIED: node unknown: 100 % sure — ask"
    refusing.close()


def test_what_is_no_http2_at_all_only_costs_the_attempt(start, path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    client = start(ends.Peer, "client", f"unix:{path}")
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10, os.urandom(4096)):
        connection, _ = listener.accept()
        connection.sendall(answer)
        client.wait("closed")
        connection.close()
    listener.close()


# ---- Python's client, our server ----

def test_our_server_welcomes_a_python_node(start, server, path):
    node = start(ends.Node, f"unix:{path}")
    node.hello(generation=3, max_message_bytes=64 << 20)
    welcome = node.wait("welcome")
    assert (welcome.protocol, welcome.heartbeat_ms, welcome.control_id) == (1, HEARTBEAT_MS, "stream_peer")
    hello = server.wait("hello")
    assert (hello["hostname"], hello["generation"]) == ("python", 3)
    server.command("update 7000000")
    assert len(node.wait("update").resources[0].spec) == 7000000
    node.send(heartbeat={"sequence": 1, "generation": 12})
    assert server.wait("heartbeat")["generation"] == 12
    node.wait("heartbeat")


def test_our_server_streams_a_blob_in_chunks(start, server, path):
    node = start(ends.Node, f"unix:{path}")
    node.hello()
    server.wait("hello")
    server.command(f"blob {6 << 20}")
    blob = b""
    while len(blob) < 6 << 20:
        chunk = node.wait("chunk")
        assert chunk.offset == len(blob) and len(chunk.data) <= 65536
        blob += chunk.data
    assert hashlib.sha256(blob).digest() == chunk.sha256


def test_a_silent_node_is_dropped_and_says_why(start, server, path):
    node = start(ends.Node, f"unix:{path}")
    node.hello()
    server.wait("hello")
    assert "no sign of life" in server.wait("closed", 4)["why"]


@pytest.mark.parametrize("flaw, code, text", [
    ("no hello", "INVALID_ARGUMENT", "Hello must come first"),
    ("hello twice", "INVALID_ARGUMENT", "Hello came twice"),
    ("protocol 2", "FAILED_PRECONDITION", "protocol 2 is not spoken here, 1 is"),
    ("no id", "INVALID_ARGUMENT", "Hello without a node_id"),
    ("too big", "RESOURCE_EXHAUSTED", "a message of"),
])
def test_a_node_that_breaks_the_rules_is_told(start, proto, server, path, flaw, code, text):
    m, _ = proto
    node = start(ends.Node, f"unix:{path}")
    good = {"node_id": "a", "protocol": 1}
    sent = {
        "no hello": [{"ack": m.Ack()}],
        "hello twice": [{"hello": m.Hello(**good)}] * 2,
        "protocol 2": [{"hello": m.Hello(node_id="a", protocol=2)}],
        "no id": [{"hello": m.Hello(protocol=1)}],
        "too big": [{"hello": m.Hello(**good)}, {"blobs": m.BlobRequest(sha256=[b"x" * 1000] * 9000)}],
    }[flaw]
    for body in sent:
        node.send(**body)
    ended_code, details = node.ended()
    assert (ended_code.name, details[:len(text)]) == (code, text)


def test_unknown_methods_and_compression_are_unimplemented(start, server, path):
    with grpc.insecure_channel(f"unix:{path}") as channel:
        for method in ("/sluice.stream.v1.Control/Other", "/grpc.health.v1.Health/Check"):
            with pytest.raises(grpc.RpcError) as e:
                channel.unary_unary(method)(b"", timeout=5)
            assert e.value.code() == grpc.StatusCode.UNIMPLEMENTED
        call = channel.stream_stream(ends.PATH)(iter([b"x" * 5000]), timeout=5, compression=grpc.Compression.Gzip)
        with pytest.raises(grpc.RpcError) as e:
            list(call)
        assert e.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_new_streams_are_admitted_at_a_rate(start, path):
    start(ends.Peer, "server", f"unix:{path}", admit=2)
    nodes = [start(ends.Node, f"unix:{path}", **{"grpc.use_local_subchannel_pool": 1}) for _ in range(5)]
    time.sleep(0.5)
    refused = [n for n in nodes if n.call.done()]
    assert len(refused) in (2, 3)
    assert {n.call.code() for n in refused} == {grpc.StatusCode.UNAVAILABLE}


# ---- bare HTTP/2 and less ----

@pytest.mark.parametrize("request_, answer", [
    ({"method": "GET"}, {":status": "405"}),
    ({"content_type": "application/json"}, {":status": "415"}),
    ({"content_type": "application/grpcx"}, {":status": "415"}),
    ({"path": "/"}, {":status": "200", "grpc-status": "12"}),
    ({"path": "/" + "x" * 9000}, {":status": "200", "grpc-status": "12"}),
    ({"grpc_encoding": "gzip"}, {":status": "200", "grpc-status": "12"}),
    ({"end": True}, {":status": "200", "grpc-status": "3"}),
])
def test_what_is_no_call_of_ours_is_answered(start, server, path, request_, answer):
    raw = start(ends.RawNode, path)
    raw.call(**request_)
    got = raw.answer()
    assert {k: got.get(k) for k in answer} == answer
    raw.call(stream=3, path="/again")
    assert raw.answer(3)["grpc-status"] == "12"


@pytest.mark.parametrize("data, status", [
    (ends.frame(b"x", flag=1), "12"),
    (ends.frame(b"x", flag=7), "13"),
    (b"\0\xff\xff\xff\xff", "8"),
    (ends.frame(b"\xff" * 100), "3"),
    (ends.frame(b"\x0a\x03\x0a\x01\xff"), "3"),
])
def test_a_broken_message_ends_the_stream_with_its_status(start, server, path, data, status):
    raw = start(ends.RawNode, path)
    raw.call()
    raw.data(data)
    assert raw.answer()["grpc-status"] == status
    assert raw.answer()["closed"]


def test_a_message_that_unfolds_into_far_more_memory_is_refused(start, server, path):
    raw = start(ends.RawNode, path)
    raw.call()
    raw.data(ends.frame(b"\x0a\x06\x0a\x02id\x28\x01"))
    server.wait("hello")
    before = server.resident_kb()
    verdicts = b"\x1a\x00" * 500_000  # each a hundred bytes in memory
    message = ends.frame(b"\x12" + b"\xc0\x84\x3d" + verdicts)
    for at in range(0, len(message), 16384):
        while raw.h2.local_flow_control_window(1) < 16384:
            raw.receive()
        raw.data(message[at:at + 16384])
    assert raw.answer()["grpc-message"] == "a malformed NodeMessage"
    assert server.resident_kb() - before < 20_000


def test_garbage_costs_only_its_own_connection(start, server, path):
    node = start(ends.Node, f"unix:{path}")
    node.hello()
    server.wait("hello")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(20000), preface + os.urandom(20000), b"", preface,
                    preface + b"\0\0\0\x04\0\0\0\0\0" + b"\0\x40\0\x01\x04\0\0\0\x01" + b"\x82" * 0x4000):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            try:
                s.sendall(garbage)
            except BrokenPipeError:
                pass
    for i in range(3):
        node.send(heartbeat={"sequence": i, "generation": 100 + i})
        assert server.wait("heartbeat")["generation"] == 100 + i


def test_a_flood_of_calls_on_one_connection_ends_it(start, server, path):
    raw = start(ends.RawNode, path)
    raw.h2.remote_settings[3] = 1000
    with pytest.raises((AssertionError, KeyError, OSError)):
        for i in range(300):
            raw.call(stream=2 * i + 1, path="/x", end=True)
            assert "closed" not in raw.answer(2 * i + 1)
    assert start(ends.RawNode, path).socket


def test_a_reader_that_stops_is_found_and_costs_little_memory(start, server, path):
    raw = start(ends.RawNode, path)
    raw.call()
    raw.data(ends.frame(b"\x0a\x06\x0a\x02id\x28\x01"))
    server.wait("hello")
    before = server.resident_kb()
    server.command(f"blob {40 << 20}")
    deadline = time.monotonic() + 10
    with pytest.raises(OSError):
        while time.monotonic() < deadline:
            raw.data(ends.frame(b"\x22\x00"))
            time.sleep(0.1)
    assert server.wait("closed", 1)["why"] == "the other side does not read what it is sent"
    assert server.resident_kb() - before < 60_000


# ---- TLS ----

def channel_credentials(certs, name):
    def read(file):
        return (certs / file).read_bytes()

    if name is None:
        return grpc.ssl_channel_credentials(read("ca.pem"))
    return grpc.ssl_channel_credentials(read("ca.pem"), read(f"{name}.key"), read(f"{name}.pem"))


def tls_options(certs, name, ca="ca"):
    return {"cert": certs / f"{name}.pem", "key": certs / f"{name}.key", "ca": certs / f"{ca}.pem"}


def tls_control(start, certs, port):
    credentials = grpc.ssl_server_credentials(
        [((certs / "server.key").read_bytes(), (certs / "server.pem").read_bytes())],
        (certs / "ca.pem").read_bytes(), require_client_auth=True)
    return start(ends.ControlPlane, f"127.0.0.1:{port}", credentials=credentials)


@pytest.mark.parametrize("host, more", [("localhost", {}), ("127.0.0.1", {}), ("127.0.0.1", {"server_name": "control.example"})])
def test_our_client_speaks_mutual_tls(start, certs, host, more):
    port = free_port()
    control = tls_control(start, certs, port)
    start(ends.Peer, "client", f"{host}:{port}", **tls_options(certs, "node"), **more)
    assert control.wait("hello").hostname == "node-1"


@pytest.mark.parametrize("name, ca, more, why", [
    ("node", "other-ca", {}, "certificate"),
    ("stranger", "ca", {}, ""),
    ("node", "ca", {"server_name": "elsewhere.example"}, "hostname mismatch"),
])
def test_our_client_and_a_server_that_do_not_trust_each_other_part(start, certs, name, ca, more, why):
    port = free_port()
    control = tls_control(start, certs, port)
    client = start(ends.Peer, "client", f"localhost:{port}", **tls_options(certs, name, ca), **more)
    assert why in client.wait("closed")["why"]
    assert control.received.empty()


def test_our_server_speaks_mutual_tls_and_names_the_node(start, certs):
    port = free_port()
    server = start(ends.Peer, "server", f"127.0.0.1:{port}", **tls_options(certs, "server"))
    node = start(ends.Node, f"127.0.0.1:{port}", channel_credentials(certs, "node"))
    node.hello()
    node.wait("welcome")
    assert server.wait("hello")["peer"].endswith(" CN=node")
    server.command("update 3000000")
    assert len(node.wait("update").resources[0].spec) == 3000000


@pytest.mark.parametrize("name", [None, "stranger"])
def test_our_server_refuses_nodes_without_a_good_certificate(start, certs, name):
    port = free_port()
    server = start(ends.Peer, "server", f"127.0.0.1:{port}", **tls_options(certs, "server"))
    node = start(ends.Node, f"127.0.0.1:{port}", channel_credentials(certs, name))
    node.hello()
    assert node.ended()[0] == grpc.StatusCode.UNAVAILABLE
    plain = start(ends.Node, f"127.0.0.1:{port}")
    plain.hello()
    assert plain.ended()[0] == grpc.StatusCode.UNAVAILABLE
    assert server.events.empty()


def test_our_two_ends_speak_mutual_tls(start, certs):
    port = free_port()
    server = start(ends.Peer, "server", f"127.0.0.1:{port}", **tls_options(certs, "server"), heartbeat=HEARTBEAT_MS)
    client = start(ends.Peer, "client", f"localhost:{port}", **tls_options(certs, "node"))
    assert server.wait("hello")["peer"].endswith(" CN=node")
    server.command("update 1000000")
    assert client.wait("update")["spec_bytes"] == 1000000
    server.command(f"blob {4 << 20}")
    assert client.wait("blob")["is_whole"]
    client.command("status 5")
    assert server.wait("status")["generation"] == 5


@pytest.mark.parametrize("options, text", [
    ({"cert": "/nonexistent.pem"}, "certificate of the control stream"),
    ({"ca": "/nonexistent.pem"}, "certificate of the control stream: no file was given"),
])
def test_unusable_tls_files_are_named_at_once(start, options, text):
    client = start(ends.Peer, "client", "localhost:1", **options)
    assert text in client.wait("error")["text"]


# ---- unix sockets ----

def test_a_stale_socket_is_replaced_a_live_one_and_a_file_are_not(start, path, tmp_path):
    server = start(ends.Peer, "server", f"unix:{path}")
    assert os.stat(path).st_mode & 0o777 == 0o600
    with pytest.raises(AssertionError, match="another process listens here"):
        start(ends.Peer, "server", f"unix:{path}")
    server.process.kill()
    server.process.wait()
    server.process.returncode = 0
    start(ends.Peer, "server", f"unix:{path}")
    (tmp_path / "file").write_text("kept")
    with pytest.raises(AssertionError, match="is not a socket"):
        start(ends.Peer, "server", f"unix:{tmp_path}/file")
    assert (tmp_path / "file").read_text() == "kept"


# ---- half-open, and the example ----

def test_an_end_that_hangs_is_left_by_the_other(start, server, path):
    client = start(ends.Peer, "client", f"unix:{path}")
    server.wait("heartbeat")
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        assert "no sign of life" in client.wait("closed", 5)["why"]
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    assert "no sign of life" not in server.wait("closed")["why"]
    server.wait("hello")
    os.kill(client.process.pid, signal.SIGSTOP)
    try:
        assert "no sign of life" in server.wait("closed", 5)["why"]
    finally:
        os.kill(client.process.pid, signal.SIGCONT)
    server.wait("heartbeat")


def test_the_example_control_plane_feeds_a_node(start, path):
    example = subprocess.Popen([sys.executable, ends.TREE / "examples/control_plane.py", f"unix:{path}"],
                               stdout=subprocess.PIPE, text=True)
    try:
        assert example.stdout.readline() == "listening\n"
        client = start(ends.Peer, "client", f"unix:{path}")
        assert client.wait("update")["resources"] == 2
        assert example.stdout.readline().startswith("node 6c8f7a52")
        assert example.stdout.readline().startswith("generation 1 is active")
    finally:
        example.kill()
        example.wait()
