"""Ports to listen on that no connection of anybody's can take meanwhile."""
import os
import random
import socket
from pathlib import Path

# Outside ip_local_port_range: there the kernel picks the near end of every outgoing connection.
LOWEST, HIGHEST = 20000, 30000
given = set()
# Of several processes that run tests (pytest-xdist: "gw0", "gw1", …) each has ports of its own.
SHARES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
SHARE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])


def outgoing():
    """The first and last port that the kernel picks from."""
    try:
        low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    except (OSError, ValueError):
        return 32768, 60999
    return low, high


def free_port():
    """One that nobody listens on, and that this process has not given out before."""
    low, high = outgoing()
    ports = [p for p in range(LOWEST, HIGHEST) if p % SHARES == SHARE and not low <= p <= high and p not in given] or range(1024, 65536)
    for port in random.sample(ports, len(ports)):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        given.add(port)
        return port
    raise OSError("no free port")
