"""A client made of packets: SYN, then the worker it was meant for is killed (or, `scale`: taken away, without eBPF), then ACK and request.

Run in a network namespace of its own: unshare --net python3 handshake_in_flight.py DIRECTORY TRIES [scale]
prints {"served": n, "reset": n, "silent": n, "migrated": n}, or {"skip": reason}."""
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from node import Node, eventually

HERE, THERE = "10.9.0.1", "10.9.0.2"
SYN, RST, PSH, ACK = 2, 4, 8, 16
GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class FakeClient:
    """10.9.0.2, behind a TUN device."""

    def __init__(self):
        self.fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.fd, 0x400454CA, struct.pack("16sH", b"sluice0", 0x1001))  # TUNSETIFF: TUN, no header
        subprocess.run(["ip", "addr", "add", f"{HERE}/24", "dev", "sluice0"], check=True)
        subprocess.run(["ip", "link", "set", "sluice0", "up"], check=True)

    def send(self, sport, dport, seq, ack, flags, data=b""):
        source, target = socket.inet_aton(THERE), socket.inet_aton(HERE)
        tcp = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 65000, 0, 0) + data
        tcp = tcp[:16] + struct.pack("!H", checksum(source + target + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)) + tcp[18:]
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, source, target)
        os.write(self.fd, ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp)

    def receive(self, sport, timeout):
        """(flags, seq, data) of the next segment to this port; None: silence."""
        until = time.monotonic() + timeout
        while (left := until - time.monotonic()) > 0 and select.select([self.fd], [], [], left)[0]:
            packet = os.read(self.fd, 65536)
            tcp = packet[(packet[0] & 15) * 4:]
            if packet[0] >> 4 == 4 and packet[9] == 6 and struct.unpack("!H", tcp[2:4])[0] == sport:
                return tcp[13], struct.unpack("!I", tcp[4:8])[0], tcp[(tcp[12] >> 4) * 4:]
        return None


def begin(node, client, sport):
    """Half a handshake; the other side's number."""
    client.send(sport, node.proxy_port, 1000, 0, SYN)
    flags, seq, _ = client.receive(sport, 5)
    assert flags & (SYN | ACK) == SYN | ACK, flags
    return seq


def end(node, client, sport, seq):
    """The other half, and a request: what came."""
    client.send(sport, node.proxy_port, 1001, seq + 1, ACK | PSH, GET)
    while segment := client.receive(sport, 5):
        if segment[0] & RST:
            return "reset"
        if segment[2].startswith(b"HTTP/1.1 "):
            client.send(sport, node.proxy_port, 1001 + len(GET), segment[1] + len(segment[2]), RST | ACK)
            return "served"
    return "silent"


def one_try(node, client, sport):
    given = [w["assigned"] for w in node.status("/steering")["workers"]]
    seq = begin(node, client, sport)
    now = [w["assigned"] for w in node.status("/steering")["workers"]]
    slot = next(i for i in range(len(now)) if now[i] != given[i])
    pid = node.workers()[slot]["pid"]
    os.kill(pid, signal.SIGKILL)
    while node.workers()[slot]["pid"] == pid:
        time.sleep(0.005)
    return end(node, client, sport, seq)


def kill_workers(node, client, n, seen):
    for i in range(n):
        seen[one_try(node, client, 20000 + i)] += 1
        eventually(lambda: len(node.worker_pids()) == 4, "the worker is back", 20)
    seen["migrated"] = node.status("/steering")["counts"]["migrated"]


def scale_down(node, client, n, seen):
    """All of them begin before three of four workers go; a fourth of them ends later still."""
    half = {sport: begin(node, client, sport) for sport in range(20000, 20000 + n)}
    node.ctl("workers", "scale", "1")
    for i, (sport, seq) in enumerate(half.items()):
        if i == n * 3 // 4:
            time.sleep(1)
        seen[end(node, client, sport, seq)] += 1
    seen["held"] = sum(w["connections_accepted"] for w in node.workers() if w["slot"] > 0)
    eventually(lambda: [w["slot"] for w in node.workers()] == [0], "those taken away have ended", 30)
    listening = subprocess.run(["ss", "-Hltn", f"sport = :{node.proxy_port}"], capture_output=True, text=True, check=True).stdout
    seen["listeners"] = len(listening.splitlines())


def main():
    is_scale = len(sys.argv) > 3
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    try:
        client = FakeClient()
    except OSError as error:
        return {"skip": f"no TUN device: {error}"}
    for name, value in (("tcp_migrate_req", 0), ("tcp_synack_retries", 1)):
        Path(f"/proc/sys/net/ipv4/{name}").write_text(str(value))
    node = Node(sys.argv[1], workers="4", bpf_pin_dir="", proxy_listen="off", worker_restart_delay_ms="200", steering="off" if is_scale else "auto")
    node.conf["proxy_listen"] = f"{HERE}:{node.proxy_port}"
    seen = {"served": 0, "reset": 0, "silent": 0}
    try:
        node.start()
        if not is_scale and not node.status("/steering")["bpf"]:
            return {"skip": node.status("/steering")["reason"]}
        node.wait_settled()
        (scale_down if is_scale else kill_workers)(node, client, int(sys.argv[2]), seen)
        return seen
    finally:
        node.clean_up()


if __name__ == "__main__":
    print(json.dumps(main()))
