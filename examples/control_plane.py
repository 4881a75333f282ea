#!/usr/bin/python3
"""A control plane in a page: feeds every node that dials one service and one route.

    examples/control_plane.py ADDRESS [UPSTREAM_PORT]     e.g. 127.0.0.1:8005 or unix:/tmp/control.sock

Needs python3-grpcio and python3-grpc-tools.  The protocol: docs/stream.md.
"""
import hashlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
from concurrent import futures
from pathlib import Path

import grpc

TREE = Path(__file__).resolve().parents[1]
made = tempfile.mkdtemp()
subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{TREE}", f"--python_out={made}", f"--grpc_python_out={made}",
                "stream/sluice.proto", "shm/record.proto"], cwd=TREE, check=True)
sys.path.insert(0, made)
from shm import record_pb2 as record  # noqa: E402
from stream import sluice_pb2 as m, sluice_pb2_grpc as services  # noqa: E402

EPOCH = os.urandom(8)
SERVICE, ROUTE = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def resources(upstream_port):
    specs = [
        (record.SERVICE, SERVICE, record.Service(
            id=SERVICE, name="example", enabled=True, protocol="http", host="127.0.0.1", port=upstream_port, retries=5,
            connect_timeout_ms=60000, write_timeout_ms=60000, read_timeout_ms=60000)),
        (record.ROUTE, ROUTE, record.Route(
            id=ROUTE, name="example", service_id=SERVICE, protocols=["http", "https"], paths=["/"], strip_path=True,
            path_handling="v0", request_buffering=True, response_buffering=True, https_redirect_status_code=426)),
    ]
    for kind, id_, message in specs:
        spec = message.SerializeToString()
        yield m.Resource(kind=kind, id=id_, version=1, spec=spec, spec_sha256=hashlib.sha256(spec).digest())


def full_update(upstream_port):
    wanted = sorted(resources(upstream_port), key=lambda r: (r.kind, r.id.encode()))
    digest = sum(int.from_bytes(hashlib.sha256(bytes([r.kind]) + r.id.encode() + b"\0" + r.spec_sha256).digest(), "big")
                 for r in wanted) % 2**256
    return m.Update(nonce=os.urandom(8), epoch=EPOCH, base_generation=0, generation=1, resources=wanted, digest_after=digest.to_bytes(32, "big"))


class Control(services.ControlServicer):
    def __init__(self, upstream_port):
        self.update = full_update(upstream_port)

    def Stream(self, requests, context):  # noqa: N802 (grpc's name)
        outbox = queue.Queue()
        context.add_callback(lambda: outbox.put(None))
        threading.Thread(target=self.read, args=(requests, outbox), daemon=True).start()
        yield from iter(outbox.get, None)

    def read(self, requests, outbox):
        try:
            for message in requests:
                body = message.WhichOneof("body")
                if body is not None:
                    getattr(self, "on_" + body)(getattr(message, body), outbox)
        except grpc.RpcError:
            print("a node has left", flush=True)

    def on_hello(self, hello, outbox):
        print(f"node {hello.node_id} on {hello.hostname} holds generation {hello.generation}", flush=True)
        outbox.put(m.ControlMessage(welcome=m.Welcome(protocol=1, heartbeat_ms=5000, control_id="example")))
        if (hello.epoch, hello.digest) != (EPOCH, self.update.digest_after):
            outbox.put(m.ControlMessage(update=self.update))

    def on_ack(self, ack, outbox):
        for v in ack.verdicts:
            print(f"  {v.id}: {m.ResourceVerdict.State.Name(v.state)} on {v.workers_active}/{v.workers_total} workers"
                  f" {v.error_text}", flush=True)
        print(f"generation {ack.generation} is active {ack.refused_for} {ack.error_text}", flush=True)

    def on_blobs(self, blobs, outbox):
        for sha256 in blobs.sha256:
            outbox.put(m.ControlMessage(chunk=m.BlobChunk(sha256=sha256, is_missing=True)))

    def on_heartbeat(self, heartbeat, outbox):
        outbox.put(m.ControlMessage(heartbeat=m.Heartbeat(sequence=heartbeat.sequence)))

    def on_status(self, status, outbox):
        print(f"{status.workers_total} workers run generation {status.generation}", flush=True)


def main():
    server = grpc.server(futures.ThreadPoolExecutor(32))
    services.add_ControlServicer_to_server(Control(int(sys.argv[2]) if len(sys.argv) > 2 else 9000), server)
    server.add_insecure_port(sys.argv[1])
    server.start()
    print("listening", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main()
