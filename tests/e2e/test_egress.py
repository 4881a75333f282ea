"""plugin_egress: where plugins may connect to."""
import pytest
from origin import Origin
from peers import TcpPeer, echo_lines
from test_cosocket import bed_of

GO = 'local s = ngx.socket.tcp() s:settimeout(1000) return s:connect(kong.request.get_header("x-host"), port)'


@pytest.fixture(name="origin")
def origin_fixture():
    o = Origin()
    yield o
    o.close()


def ask(bed, host, port):
    r = bed.node.get("/r", headers={"x-run": "go", "x-host": host, "x-port": str(port)})
    assert r.status_code == 200, r.text
    return r.text


def denied(host, port):
    return f"nil|egress to {host}:{port} denied by plugin_egress"


def test_what_is_local_is_refused_unless_it_is_named(make_node, origin):
    bed = bed_of(make_node, origin, {
        "go": GO,
        "udp": 'return ngx.socket.udp():setpeername("127.0.0.1", port)',
        "unix": 'return ngx.socket.tcp():connect("unix:/run/x.sock")',
    }, plugin_egress="any")
    peer = TcpPeer(echo_lines)
    for host in ("127.0.0.1", "127.9.9.9", "localhost", "0.0.0.0", "169.254.169.254", "::1", "[::1]", "::ffff:127.0.0.1", "fe80::1", "224.0.0.1"):
        assert ask(bed, host, peer.port) == denied(host, peer.port)
    assert bed.run("udp", peer.port) == denied("127.0.0.1", peer.port)
    assert bed.run("unix").endswith("denied by plugin_egress")
    assert peer.n_accepted == 0
    assert bed.node.log().count("a plugin may not connect there") == 1, "said once"


def test_an_entry_opens_its_network_host_and_port_and_nothing_else(make_node, origin):
    peer, other, named = TcpPeer(echo_lines), TcpPeer(echo_lines), TcpPeer(echo_lines)
    bed = bed_of(make_node, origin, {"go": GO}, plugin_egress=f"127.0.0.0/8:{peer.port},localhost:{named.port}")
    assert ask(bed, "127.0.0.1", peer.port) == "1"
    assert ask(bed, "127.0.0.1", other.port) == denied("127.0.0.1", other.port)
    assert ask(bed, "localhost", named.port) == "1"
    assert ask(bed, "LOCALHOST.", named.port).split("|")[0] in ("1", "nil")
    assert ask(bed, "127.0.0.1", named.port) == denied("127.0.0.1", named.port), "the entry is a name"
    assert ask(bed, "10.1.1.1", peer.port) == denied("10.1.1.1", peer.port)
    assert other.n_accepted == 0


def test_off_is_nowhere(make_node, origin):
    bed = bed_of(make_node, origin, {"go": GO}, plugin_egress="off")
    assert ask(bed, "127.0.0.1", 9) == denied("127.0.0.1", 9)
    assert ask(bed, "192.0.2.1", 9) == denied("192.0.2.1", 9)


def test_the_nodes_own_listeners_need_their_address_and_port(make_node, origin):
    bed = bed_of(make_node, origin, {"go": GO}, plugin_egress="any,127.0.0.0/8,localhost")
    for port in (bed.node.admin_port, bed.node.status_port):
        for host in ("127.0.0.1", "localhost", "127.0.0.2"):
            assert ask(bed, host, port) == denied(host, port)
    bed.node.stop()
    bed.node.conf["plugin_egress"] = f"127.0.0.1:{bed.node.status_port}"
    bed.node.start()
    bed.node.wait_settled()
    assert ask(bed, "127.0.0.1", bed.node.status_port) == "1"
    assert ask(bed, "127.0.0.1", bed.node.admin_port) == denied("127.0.0.1", bed.node.admin_port)
