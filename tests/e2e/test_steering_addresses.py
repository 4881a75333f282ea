"""Steering over addresses: IPv4, IPv6, both on one listener, several ports."""
import socket
import subprocess

import pytest
from node import BUILD, eventually
from ports import free_port
from test_steering import GET, WORKERS, assert_even, make_steered, shares, steering

__all__ = ["make_steered"]  # a fixture


def free_ports(n):
    return [free_port() for _ in range(n)]


def test_ipv4_ipv6_and_two_ports_are_steered_alike(make_steered):
    first, second = free_ports(2)
    node = make_steered(proxy_listen=f"127.0.0.1:{first}, [::1]:{first}, 127.0.0.1:{second}")
    node.proxy_port = first
    socks = []
    for i in range(3 * 40):
        family, host, port = ((socket.AF_INET, "127.0.0.1", first), (socket.AF_INET6, "::1", first),
                              (socket.AF_INET, "127.0.0.1", second))[i % 3]
        socks.append(socket.socket(family))
        socks[-1].connect((host, port))
    eventually(lambda: sum(shares(node)) == 120, "every client is accepted")
    assert_even(node)
    for s in socks:
        s.close()


@pytest.mark.parametrize("how", [{}, {"steering": "off"}], ids=["bpf", "off"])
def test_a_dual_stack_listener_serves_and_steers_both_families(make_steered, make_node, origin, how):
    port = free_ports(1)[0]
    conf = {"proxy_listen": f"[::]:{port} ipv6only=off"}
    node = make_steered(**conf) if not how else make_node(workers=str(WORKERS), **how, **conf).start()
    node.proxy_port = port
    node.route_to(origin)
    node.wait_settled()
    eventually(lambda: node.get("/r").status_code == 200, "it serves")
    before = sum(shares(node))
    socks = []
    for i in range(120):
        socks.append(socket.socket(socket.AF_INET6 if i % 2 else socket.AF_INET))
        socks[-1].connect(("::1" if i % 2 else "127.0.0.1", port))
    eventually(lambda: sum(shares(node)) >= 120, "every client is accepted")
    if not how:
        assert before == 0 and steering(node)["counts"]["unknown"] == 0
        assert_even(node)
    for s, client in ((socks[0], "127.0.0.1"), (socks[1], "::1")):
        s.sendall(GET)
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert dict(origin.requests[-1]["headers"])["X-Forwarded-For"] == client
    for s in socks:
        s.close()


def test_an_ipv6_listener_is_for_ipv6_only_unless_told(make_node):
    port = free_ports(1)[0]
    node = make_node(proxy_listen=f"[::]:{port}").start()
    socket.create_connection(("::1", port)).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    for listen in (f"0.0.0.0:{port} ipv6only=off", f"[::]:{port} ipv6only=maybe"):
        bad = make_node(proxy_listen=listen)
        bad.write_conf()
        check = subprocess.run([BUILD / "master/sluiced", "--check", "-c", bad.conf_path], capture_output=True, text=True, check=False)
        assert check.returncode != 0 and "ipv6only=off" in check.stderr + check.stdout, (check.stdout, check.stderr)
    assert node.process.poll() is None
