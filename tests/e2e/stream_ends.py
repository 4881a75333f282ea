"""Both ends of the control stream for tests: our C program, and Python's grpc or h2."""
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc
import h2.config
import h2.connection
import h2.events

from node import BUILD, slow

TREE = Path(__file__).resolve().parents[2]
PATH = "/sluice.stream.v1.Control/Stream"


def load_messages(directory):
    """The Python classes of stream/sluice.proto, generated into directory."""
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{TREE}", f"--python_out={directory}",
                    f"--grpc_python_out={directory}", str(TREE / "stream/sluice.proto")], check=True)
    sys.path.insert(0, str(directory))
    from stream import sluice_pb2, sluice_pb2_grpc
    return sluice_pb2, sluice_pb2_grpc


def make_certificates(directory):
    """ca, server, node (signed by ca) and stranger (by another CA): NAME.pem, NAME.key."""
    def run(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=directory)

    for ca in ("ca", "other-ca"):
        run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={ca}", "-keyout", f"{ca}.key", "-out", f"{ca}.pem")
    for name, ca in (("server", "ca"), ("node", "ca"), ("stranger", "other-ca")):
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=DNS:localhost,DNS:control.example,IP:127.0.0.1",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial",
            "-days", "2", "-copy_extensions", "copy", "-out", f"{name}.pem")
    return directory


class Peer:
    """tests/unit/stream_peer: our client or server; its events are read one by one."""

    def __init__(self, role, address, **options):
        self.process = subprocess.Popen(
            [BUILD / "tests/unit/stream_peer", role, address, *(f"{k}={v}" for k, v in options.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        self.events = queue.Queue()
        self.errors = ""
        self.threads = [threading.Thread(target=self.read_events, daemon=True),
                        threading.Thread(target=self.read_errors, daemon=True)]
        for t in self.threads:
            t.start()
        if role == "server":
            self.wait("listening")

    def read_events(self):
        for line in self.process.stdout:
            self.events.put(json.loads(line))

    def read_errors(self):
        for line in self.process.stderr:
            self.errors += line

    def wait(self, name, seconds=10):
        """The next event of that name; others before it are dropped."""
        deadline = time.monotonic() + seconds * slow()
        seen = []
        while True:
            try:
                event = self.events.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {name} within {seconds} s; seen {seen}; {self.errors}") from None
            if event["event"] == name:
                return event
            assert event["event"] != "error", event
            seen.append(event)

    def command(self, text):
        self.process.stdin.write(text + "\n")

    def resident_kb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))

    def close(self):
        """Ends it; fails the test when it crashed."""
        if self.process.poll() is None:
            try:
                self.command("quit")
                self.process.wait(5)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
        self.process.wait()
        for t in self.threads:
            t.join(5)
        assert self.process.returncode in (0, 1), f"stream_peer ended with {self.process.returncode}: {self.errors}"
        assert "Sanitizer" not in self.errors and "runtime error" not in self.errors, self.errors


class ControlPlane:
    """A control plane on Python's grpc: every message received is in .received, what is put into
    .outbox is sent on the newest stream."""

    def __init__(self, messages, services, address, heartbeat_ms=300, credentials=None, answers_heartbeats=True):
        self.m = messages
        self.received = queue.Queue()
        self.outbox = queue.Queue()
        self.heartbeat_ms = heartbeat_ms
        self.answers_heartbeats = answers_heartbeats
        self.server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", 64 << 20)])
        services.add_ControlServicer_to_server(self, self.server)
        if credentials is None:
            self.server.add_insecure_port(address)
        else:
            self.server.add_secure_port(address, credentials)
        self.server.start()

    def Stream(self, requests, context):  # noqa: N802 (grpc's name)
        outbox = self.outbox = queue.Queue()
        threading.Thread(target=self.read, args=(requests, outbox), daemon=True).start()
        while context.is_active():
            try:
                message = outbox.get(timeout=0.2)
            except queue.Empty:
                continue
            if message is None:
                return
            yield message

    def read(self, requests, outbox):
        try:
            for message in requests:
                if message.WhichOneof("body") == "hello":
                    outbox.put(self.m.ControlMessage(welcome=self.m.Welcome(protocol=1, heartbeat_ms=self.heartbeat_ms)))
                if message.WhichOneof("body") == "heartbeat" and self.answers_heartbeats:
                    outbox.put(self.m.ControlMessage(heartbeat=self.m.Heartbeat(sequence=message.heartbeat.sequence)))
                self.received.put(message)
        except grpc.RpcError:
            pass

    def wait(self, body, seconds=10):
        deadline = time.monotonic() + seconds * slow()
        while True:
            message = self.received.get(timeout=max(0.01, deadline - time.monotonic()))
            if message.WhichOneof("body") == body:
                return getattr(message, body)

    def close(self):
        self.outbox.put(None)
        self.server.stop(None).wait(5)


class Node:
    """A node on Python's grpc, dialling our server."""

    def __init__(self, messages, services, target, credentials=None, **channel_options):
        options = [("grpc.max_receive_message_length", 64 << 20)] + list(channel_options.items())
        self.m = messages
        self.channel = grpc.insecure_channel(target, options) if credentials is None else \
            grpc.secure_channel(target, credentials, options)
        self.outbox = queue.Queue()
        self.received = queue.Queue()
        self.error = None
        self.call = services.ControlStub(self.channel).Stream(iter(self.outbox.get, None))
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            for message in self.call:
                self.received.put(message)
        except grpc.RpcError as e:
            self.error = e
        self.received.put(None)

    def send(self, **body):
        self.outbox.put(self.m.NodeMessage(**body))

    def hello(self, **fields):
        self.send(hello=self.m.Hello(node_id="6c8f7a52-2c0e-4c52-9d0a-0000000000ff", hostname="python", protocol=1, **fields))

    def wait(self, body, seconds=10):
        deadline = time.monotonic() + seconds * slow()
        while True:
            message = self.received.get(timeout=max(0.01, deadline - time.monotonic()))
            assert message is not None, f"the stream ended before {body}: {self.error}"
            if message.WhichOneof("body") == body:
                return getattr(message, body)

    def ended(self, seconds=10):
        """How the stream ended: (status code, details)."""
        self.thread.join(seconds * slow())
        assert not self.thread.is_alive(), "the stream did not end"
        return self.call.code(), self.call.details()

    def close(self):
        self.outbox.put(None)
        self.call.cancel()
        self.channel.close()


class RawNode:
    """A node on bare HTTP/2 frames (python3-h2), for what a good gRPC client would not do."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(5)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def call(self, stream=1, method="POST", path=PATH, content_type="application/grpc", end=False, **more):
        fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost"),
                  ("content-type", content_type), ("te", "trailers")]
        self.h2.send_headers(stream, fields + [(k.replace("_", "-"), v) for k, v in more.items()], end_stream=end)
        self.flush()

    def data(self, data, stream=1):
        self.h2.send_data(stream, data)
        self.flush()

    def receive(self):
        self.h2.receive_data(self.socket.recv(65536))
        self.flush()

    def answer(self, stream=1):
        """Header fields and trailers, until the stream or the connection ends ("closed")."""
        fields = {}
        while True:
            received = self.socket.recv(65536)
            if not received:
                fields["closed"] = True
                return fields
            for event in self.h2.receive_data(received):
                if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)) and event.stream_id == stream:
                    fields.update((k.decode() if isinstance(k, bytes) else k, v.decode() if isinstance(v, bytes) else v)
                                  for k, v in event.headers)
                if isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)) and event.stream_id == stream:
                    return fields
            self.flush()

    def close(self):
        self.socket.close()


def frame(payload, flag=0):
    return bytes([flag]) + len(payload).to_bytes(4, "big") + payload
