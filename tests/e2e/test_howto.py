"""The how-to of the README, step by step: through the Admin API, and again from a file."""
import re

import pytest
import requests
from node import ROOT, eventually

VERSE = "She sells sea shells by the sea shore."
CHANGED = "She sells pelican shells by the pelican shore."


def source(plugin, part):
    return (ROOT / f"examples/plugins/{plugin}/{part}.lua").read_text()


def apply_first_step(node, origin):
    node.route_to(origin, name="example-route", paths=["/anything"])
    node.plugin("replaceme", source("replaceme", "handler"), source("replaceme", "schema"))


def apply_second_step(node):
    node.plugin("reflector", source("reflector", "handler"), source("reflector", "schema"))
    node.make("/plugins", {"name": "replaceme", "condition": '!http.path.contains("skip")',
                           "config": {"target_word": "sea", "replacement_word": "pelican"}})
    return node.make("/plugins", {"name": "reflector"})


def check_bodies(node):
    eventually(lambda: node.post("/anything", VERSE).text == CHANGED, "the verse is changed")
    for _ in range(20):
        assert node.post("/anything", VERSE).text == CHANGED
        assert node.post("/anything/skip", VERSE).text == VERSE


def test_through_the_admin_api_in_two_applies_without_a_restart(node, origin):
    pids = sorted(node.worker_pids())
    apply_first_step(node, origin)
    apply_second_step(node)
    check_bodies(node)
    origin.requests.clear()  # a request before the second generation reached the service, rightly
    check_bodies(node)
    assert sorted(node.worker_pids()) == pids
    assert origin.requests == []


def test_from_a_declarative_file(make_node):
    node = make_node(database="off", declarative_config=str(ROOT / "examples/declarative.yaml")).start()
    check_bodies(node)


def test_posted_to_config_in_db_less_mode(make_node):
    node = make_node(database="off").start()
    assert node.get("/anything").status_code == 404
    text = (ROOT / "examples/declarative.yaml").read_text()
    r = requests.post(f"http://127.0.0.1:{node.admin_port}/config", data=text.encode(), headers={"Content-Type": "text/yaml"}, timeout=20)
    assert r.status_code == 201, r.text
    check_bodies(node)


def test_an_empty_config_record_needs_no_config(node, origin):
    apply_first_step(node, origin)
    instance = apply_second_step(node)
    assert instance["config"] == {}


def test_the_reflected_type_is_what_curl_sends_and_the_length_is_set(node, origin):
    apply_first_step(node, origin)
    apply_second_step(node)
    check_bodies(node)
    r = node.post("/anything", VERSE, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert r.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert r.headers["Content-Length"] == str(len(CHANGED))
    assert "Transfer-Encoding" not in r.headers
    r = node.post("/anything", VERSE.encode())
    assert r.headers["Content-Type"] == "text/plain"


def test_a_later_plugin_reads_the_body_an_earlier_one_wrote_and_the_service_gets_it(node, origin):
    apply_first_step(node, origin)
    node.plugin("reader", """
        local P = { PRIORITY = 5, VERSION = "1.0" }
        function P:access() kong.service.request.set_header("X-Seen", kong.request.get_raw_body()) end
        return P""")
    node.make("/plugins", {"name": "replaceme", "config": {"target_word": "sea", "replacement_word": "pelican"}})
    node.make("/plugins", {"name": "reader"})
    node.wait_plugin("reader")

    def passed_on():
        seen = node.post("/anything", VERSE).json()
        headers = {n.lower(): v for n, v in seen["headers"]}
        return seen["body"] == CHANGED and headers["x-seen"] == CHANGED and headers["content-length"] == str(len(CHANGED))
    eventually(passed_on, "the service gets the changed body")


@pytest.mark.parametrize("field", ["route_id", "service_id", "plugin_instance_name", "__plugin_id"])
def test_the_config_a_handler_gets_has_its_hidden_keys(node, origin, field):
    node.route_to(origin, name="r")
    node.plugin("peek", f"""
        local P = {{ PRIORITY = 5, VERSION = "1.0" }}
        function P:access(conf) kong.response.exit(200, tostring(conf.{field}) .. " " .. tostring(conf.undeclared)) end
        return P""")
    made = node.make("/routes/r/plugins", {"name": "peek", "instance_name": "peek-one"})
    want = {"route_id": made["route"]["id"], "service_id": "nil", "plugin_instance_name": "peek-one", "__plugin_id": made["id"]}[field]
    eventually(lambda: node.get("/r").text == f"{want} nil", f"{field} is {want}")


def test_the_response_says_who_made_it(node, origin):
    node.route_to(origin, name="r")
    eventually(lambda: node.get("/r").status_code == 200, "proxied")
    proxied = node.get("/r").headers
    assert re.fullmatch(r"1\.1 sluice/[\d.]+", proxied["Via"])
    assert re.fullmatch(r"[0-9a-f]{32}", proxied["X-Kong-Request-Id"])
    assert int(proxied["X-Kong-Proxy-Latency"]) >= 0 and int(proxied["X-Kong-Upstream-Latency"]) >= 0
    missed = node.get("/nowhere")
    assert missed.status_code == 404
    assert missed.json()["message"] == "no Route matched with those values"
    assert missed.json()["request_id"] == missed.headers["X-Kong-Request-Id"]
    assert "Via" not in missed.headers and missed.headers["Server"].startswith("sluice/")
    assert int(missed.headers["X-Kong-Response-Latency"]) >= 0
