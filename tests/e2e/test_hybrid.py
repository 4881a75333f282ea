"""A control plane without traffic and data planes that dial it over TCP with mutual TLS."""
import time

import pytest
from node import eventually, slow
from ports import free_port
from stream_ends import make_certificates

HANDLER = """
    local P = { PRIORITY = 10, VERSION = "1.0" }
    function P:header_filter(conf) kong.response.set_header("X-Plugin", "%s") end
    return P"""


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certs"))


def tls(certs, name):
    return {"cluster_cert": str(certs / f"{name}.pem"), "cluster_cert_key": str(certs / f"{name}.key"),
            "cluster_ca_cert": str(certs / "ca.pem")}


@pytest.fixture
def cluster(make_node, certs):
    port = free_port()
    control = make_node("control", role="control_plane", cluster_listen=f"127.0.0.1:{port}", **tls(certs, "server")).start()

    def data_plane(name, who="node", **conf):
        return make_node(name, role="data_plane", cluster_control_plane=f"127.0.0.1:{port}", workers="1", **tls(certs, who), **conf)

    return control, data_plane


def test_a_plugin_streams_to_every_data_plane_and_each_says_so(cluster, origin):
    control, data_plane = cluster
    nodes = [data_plane("a").start(), data_plane("b").start()]
    control.route_to(origin, name="r")
    control.plugin("mark", HANDLER % "v1")
    control.make("/plugins", {"name": "mark"})
    for node in nodes:
        eventually(lambda n=node: n.get("/r").headers.get("X-Plugin") == "v1", "the plugin acts")
    status = eventually(lambda: (s := control.plugin_status("mark")) and s["active"] and s, "active everywhere")
    assert {n["workers_active"] for n in status["nodes"]} == {1} and len(status["nodes"]) == 2
    assert control.admin("PATCH", "/custom-plugins/mark", {"handler": HANDLER % "v2"}).status_code == 200
    for node in nodes:
        eventually(lambda n=node: n.get("/r").headers.get("X-Plugin") == "v2", "the new code acts")


def test_a_plugin_suspended_on_one_data_plane_is_said_to_be_so_there_and_nowhere_else(cluster, origin):
    control, data_plane = cluster
    fast = {"plugin_breaker_trips": "2", "plugin_breaker_retry_ms": "60000"}
    ill, well = (data_plane(name, **fast).start() for name in "ab")
    control.route_to(origin, name="r")
    control.plugin("wild", """
        local P = { PRIORITY = 10, VERSION = "1.0" }
        function P:access() if kong.request.get_header("X-Wild") then while true do end end end
        return P""")
    control.make("/plugins", {"name": "wild"})
    for node in (ill, well):
        eventually(lambda n=node: n.get("/r").status_code == 200, "it serves")
    eventually(lambda: control.plugin_status("wild")["active"], "active everywhere")

    def told():
        return sorted(str(n["breaker"]) for n in control.plugin_status("wild")["nodes"])

    for _ in range(2):
        assert ill.get("/r", headers={"X-Wild": "1"}).status_code == 500
    assert ill.get("/r").status_code == 503 and well.get("/r").status_code == 200
    eventually(lambda: told() == ["closed", "open"], "the control plane is told of the one", 5)
    assert control.admin("PATCH", "/custom-plugins/wild", {"handler": HANDLER % "v2"}).status_code == 200
    eventually(lambda: told() == ["closed", "closed"], "other code starts anew", 5)
    assert ill.get("/r").headers["X-Plugin"] == "v2"


def test_what_a_control_plane_says_of_itself_and_of_its_nodes(cluster):
    control, data_plane = cluster
    data_plane("a").start()
    node = eventually(lambda: (d := control.admin("GET", "/clustering/data-planes").json()["data"]) and d[0], "it is listed")
    assert node["ip"] == "127.0.0.1" and node["address"].endswith(" CN=node")
    text = control.ctl("status").stdout
    assert "data-planes" in text and "generation" not in text
    labels = f'node_id="{node["id"]}",hostname="{node["hostname"]}",ip="127.0.0.1"'
    lines = control.admin("GET", "/metrics").text
    assert f'kong_data_plane_version_compatible{{{labels},kong_version="{node["version"]}"}} 1\n' in lines
    assert f"kong_data_plane_last_seen{{{labels}}} " in lines
    assert f"kong_data_plane_config_hash{{{labels}}} " in lines and "kong_node_info{" in lines
    assert control.make("/upstreams", {"name": "u"}) and control.make("/upstreams/u/targets", {"target": "h:80"})
    assert control.admin("GET", "/upstreams/u/health").json()["data"][0]["health"] == "HEALTHCHECKS_OFF"
    assert control.admin("PUT", "/upstreams/u/targets/h:80/unhealthy").status_code == 503, "it has no workers"


def test_a_data_plane_serves_and_restarts_without_its_control_plane_and_catches_up(cluster, origin):
    control, data_plane = cluster
    node = data_plane("a").start()
    control.route_to(origin, name="r")
    control.plugin("mark", HANDLER % "v1")
    control.make("/plugins", {"name": "mark"})
    eventually(lambda: node.get("/r").headers.get("X-Plugin") == "v1", "the plugin acts")
    control.kill()
    assert node.get("/r").headers["X-Plugin"] == "v1"
    node.kill()
    started = time.monotonic()
    node.start(wait=False)
    eventually(lambda: node.get("/r").headers.get("X-Plugin") == "v1", "it serves from its snapshot", every=0.01)
    assert time.monotonic() - started < 3 * slow()
    assert not node.status("/status")["sluice"]["control_stream"]["connected"]
    control.start()
    assert control.admin("PATCH", "/custom-plugins/mark", {"handler": HANDLER % "v2"}).status_code == 200
    eventually(lambda: node.get("/r").headers.get("X-Plugin") == "v2", "it catches up", 40)


def test_a_stranger_gets_nothing_and_hears_why(cluster, origin):
    control, data_plane = cluster
    control.route_to(origin, name="r")
    stranger = data_plane("stranger", who="stranger").start()
    time.sleep(2)
    assert stranger.get("/r").status_code == 404
    link = stranger.status("/status")["sluice"]["control_stream"]
    assert not link["connected"] and link["last_error"]
    assert control.admin("GET", "/clustering/data-planes").json()["data"] == []


def test_an_unready_data_plane_says_what_it_waits_for(make_node):
    node = make_node(role="data_plane", cluster_control_plane=f"127.0.0.1:{free_port()}").start()
    r = node.ctl("status", check=False)
    assert r.returncode == 1 and "no configuration available" in r.stdout and "NOT connected" in r.stdout
