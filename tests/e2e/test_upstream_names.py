"""Names of services: a name server of the test's own."""
import socket
import struct
import threading
import time

import pytest
from node import eventually
from origin import Origin, reply


class NameServer:
    """names: {"a.test": ["127.0.0.1", …]}; anything else is NXDOMAIN; None is silence."""

    def __init__(self, names, ttl=1):
        self.names, self.ttl, self.asked = names, ttl, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            data, who = self.socket.recvfrom(2048)
            labels, at = [], 12
            while data[at]:
                labels.append(data[at + 1:at + 1 + data[at]].decode())
                at += 1 + data[at]
            name, kind = ".".join(labels).lower(), struct.unpack("!H", data[at + 1:at + 3])[0]
            self.asked.append((name, kind))
            known = self.names.get(name, ())
            if known is None:
                continue
            answers = [a for a in known if kind == 1]
            code = 0 if name in self.names else 3
            head = data[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(answers), 0, 0)
            records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, self.ttl, 4) + socket.inet_aton(a) for a in answers)
            self.socket.sendto(head + data[12:at + 5] + records, who)


def named(make_node, server, host, port, **service):
    node = make_node(workers="1", dns_resolver=server.address, dns_search="corp.test", dns_timeout_ms="500").start()
    node.make("/services", {"name": "s", "host": host, "port": port, **service})
    node.make("/services/s/routes", {"paths": ["/r"], "protocols": ["http"]})
    node.wait_settled()
    return node


def test_a_name_is_looked_up_once_and_short_names_in_the_search_domain(make_node, origin):
    server = NameServer({"web.corp.test": ["127.0.0.1"]}, ttl=60)
    node = named(make_node, server, "web", origin.port)
    for _ in range(5):
        assert node.get("/r").status_code == 200
    assert server.asked.count(("web.corp.test", 1)) == 1


def test_the_retry_goes_to_the_next_address(make_node):
    """Two addresses, one refuses: every request succeeds, whichever comes first."""
    live = Origin(lambda r: reply(b"{}", headers=["Connection: close"]))
    server = NameServer({"web.test": ["127.0.0.77", "127.0.0.1"]}, ttl=60)
    node = named(make_node, server, "web.test", live.port, retries=1)
    for _ in range(10):
        assert node.get("/r").status_code == 200
    assert node.log().count("upstream failed") >= 3
    assert 'what="connect"' in node.log()


@pytest.mark.parametrize("names", [{}, {"web.test": []}, {"web.test": None, "web.test.corp.test": None}])
def test_a_name_without_an_address_is_a_503(make_node, origin, names):
    node = named(make_node, NameServer(names), "web.test", origin.port)
    r = node.get("/r")
    assert r.status_code == 503 and r.json()["message"] == "name resolution failed"
    assert 'what="name resolution"' in node.log() and "web.test" in node.log()


def test_a_moved_service_is_found_and_an_absent_name_server_does_not_matter(make_node):
    one = Origin(lambda r: reply(b'"one"', headers=["Connection: close"]))
    server = NameServer({"web.test": ["127.0.0.88"]})
    node = named(make_node, server, "web.test", one.port, retries=0)
    assert node.get("/r").status_code == 502
    server.names["web.test"] = ["127.0.0.1"]
    eventually(lambda: node.get("/r").text == '"one"', "the new address is used", 5)
    server.names["web.test"] = None
    time.sleep(1.2)
    for _ in range(5):
        assert node.get("/r").text == '"one"'


def test_localhost_and_the_hosts_file_need_no_server(make_node, origin, tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 machine.lan\n")
    server = NameServer({})
    node = make_node(workers="1", dns_resolver=server.address, dns_hostsfile=str(hosts)).start()
    for i, name in enumerate(("localhost", "machine.lan", "MACHINE.lan")):
        node.make("/services", {"name": f"s{i}", "host": name, "port": origin.port})
        node.make(f"/services/s{i}/routes", {"paths": [f"/{i}"], "protocols": ["http"]})
    node.wait_settled()
    assert [node.get(f"/{i}").status_code for i in range(3)] == [200] * 3
    assert not server.asked


def test_a_body_that_a_parked_plugin_waits_for_in_vain_is_a_408(make_node, origin):
    node = make_node(workers="1", client_body_timeout_ms="300").start()
    node.route_to(origin)
    node.plugin("reader", """
return { PRIORITY = 10, VERSION = "1", access = function() kong.request.get_raw_body() end }
""")
    node.make("/routes/r/plugins", {"name": "reader"})
    node.wait_plugin("reader")
    node.wait_settled()
    got = node.raw(b"POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\npart")
    assert got.startswith(b"HTTP/1.1 408"), got
    assert b"Connection: close" in got and not origin.requests
    assert node.post("/r", "whole").status_code == 200


def test_a_response_too_big_to_hold_is_a_502_that_says_why(make_node):
    sizes = {"/small": 4000, "/big": 70000}
    origin = Origin(lambda r: reply(bytes(sizes[r["target"]])))
    node = make_node(workers="1", client_body_buffer_size="65536").start()
    node.route_to(origin)
    node.plugin("holder", """
return { PRIORITY = 10, VERSION = "1", response = function() kong.response.set_header("X-Held", "1") end }
""")
    node.make("/routes/r/plugins", {"name": "holder"})
    node.wait_plugin("holder")
    node.wait_settled()
    r = node.get("/r/small")
    assert r.status_code == 200 and r.headers["X-Held"] == "1" and len(r.content) == 4000
    assert node.get("/r/big").status_code == 502
    assert "larger than client_body_buffer_size" in node.log()
    assert node.get("/r/small").status_code == 200
