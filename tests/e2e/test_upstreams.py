"""Services whose host is an upstream: where their requests go."""
import collections
import contextlib
import re
import threading
import time

import pytest
import requests
from node import eventually
from origin import Origin, reply
from ports import free_port
from tls_origin import Authority, TlsOrigin


@contextlib.contextmanager
def origins(n, behave=None):
    made = [Origin(behave) for _ in range(n)]
    try:
        yield made
    finally:
        for o in made:
            o.close()


def balanced(node, targets, name="up", path="/r", **fields):
    """An upstream over targets ({origin or text: weight}), a service with its name, a route at path."""
    node.make("/upstreams", {"name": name, **fields})
    for target, weight in targets.items():
        node.make(f"/upstreams/{name}/targets", {"target": text(target), "weight": weight})
    node.make("/services", {"name": name, "host": name, "port": 80, "retries": 5})
    node.make(f"/services/{name}/routes", {"name": f"r-{name}", "paths": [path]})
    node.wait_settled()


def text(target):
    return target if isinstance(target, str) else f"127.0.0.1:{target.port}"


def host(request):
    return next(value for name, value in request["headers"] if name.lower() == "host")


def seen(made):
    return [len(o.requests) for o in made]


def test_requests_are_spread_by_weight_and_weight_0_is_not_used(make_node):
    with origins(3) as (a, b, c):
        node = make_node(workers="1").start()
        balanced(node, {a: 300, b: 100, c: 0})
        session = requests.Session()
        got = [session.get(node.url("/r"), timeout=10) for _ in range(400)]
        assert {r.status_code for r in got} == {200}
        assert seen([a, b, c]) == [300, 100, 0]
        assert {host(r) for o in (a, b) for r in o.requests} == {text(a), text(b)}


def test_targets_come_and_go_under_load_without_a_failed_request(make_node):
    with origins(3) as (a, b, c):
        node = make_node(workers="2").start()
        balanced(node, {a: 100, b: 100})
        failed, done, ended = [], collections.Counter(), threading.Event()

        def client():
            session = requests.Session()
            while not ended.is_set():
                r = session.get(node.url("/r"), timeout=10)
                done[r.status_code] += 1
                if r.status_code != 200:
                    failed.append(r.text)

        threads = [threading.Thread(target=client) for _ in range(4)]
        for t in threads:
            t.start()
        try:
            for _ in range(5):
                node.make("/upstreams/up/targets", {"target": text(c)})
                assert node.admin("DELETE", f"/upstreams/up/targets/{text(a)}").status_code == 204
                node.wait_settled()
                before = len(c.requests)
                eventually(lambda: len(c.requests) > before, "the new target is used")
                node.make("/upstreams/up/targets", {"target": text(a)})
                assert node.admin("DELETE", f"/upstreams/up/targets/{text(c)}").status_code == 204
                node.wait_settled()
        finally:
            ended.set()
            for t in threads:
                t.join()
        assert not failed and done[200] > 50
        node.wait_settled()
        before = len(c.requests)
        assert all(node.get("/r").status_code == 200 for _ in range(20))
        assert len(c.requests) == before, "what was removed gets nothing"


def test_a_try_that_fails_goes_to_another_target(make_node):
    with origins(1) as (a,):
        node = make_node(workers="1").start()
        dead = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        balanced(node, {dead[0]: 100, a: 100, dead[1]: 100})
        assert {node.get("/r").status_code for _ in range(12)} == {200}
        assert len(a.requests) == 12


@pytest.mark.parametrize("fields, one", [
    ({"hash_on": "header", "hash_on_header": "X-Key"}, {"headers": {"x-key": "{}"}}),
    ({"hash_on": "query_arg", "hash_on_query_arg": "k"}, {"params": {"k": "{}"}}),
    ({"hash_on": "consumer", "hash_fallback": "header", "hash_fallback_header": "X-Key"}, {"headers": {"x-key": "{}"}}),
    ({"hash_on": "path"}, {"path": "/r/{}"}),
    ({"hash_on": "cookie", "hash_on_cookie": "k"}, {"headers": {"cookie": "a=b; k={}"}}),
])
def test_equal_keys_go_to_one_target_and_most_stay_when_one_goes(make_node, fields, one):
    with origins(3) as made:
        node = make_node(workers="2").start()
        balanced(node, {o: 100 for o in made}, algorithm="consistent-hashing", **fields)

        def where(key):
            ask = {k: ({a: v.format(key) for a, v in w.items()} if isinstance(w, dict) else w.format(key))
                   for k, w in one.items()}
            before = seen(made)
            assert requests.get(node.url(ask.pop("path", "/r")), timeout=10, **ask).status_code == 200
            return [n - m for n, m in zip(seen(made), before)].index(1)

        places = {key: where(key) for key in range(30)}
        assert set(places.values()) == {0, 1, 2}
        assert all(where(key) == place for key, place in places.items())
        node.admin("DELETE", f"/upstreams/up/targets/{text(made[0])}")
        node.wait_settled()
        for key, place in places.items():
            now = where(key)
            assert now == place if place != 0 else now in (1, 2)


def test_a_client_without_the_cookie_gets_one_and_stays(make_node):
    with origins(3) as made:
        node = make_node(workers="2").start()
        balanced(node, {o: 100 for o in made}, algorithm="consistent-hashing", hash_on="cookie", hash_on_cookie="side",
                 hash_on_cookie_path="/r")
        session = requests.Session()
        first = session.get(node.url("/r"), timeout=10)
        assert first.headers["set-cookie"].startswith("side=") and first.headers["set-cookie"].endswith("; Path=/r")
        for _ in range(9):
            assert "set-cookie" not in session.get(node.url("/r"), timeout=10).headers
        assert sorted(seen(made)) == [0, 0, 10]


def test_what_fails_too_often_is_skipped_and_nothing_left_is_503(make_node):
    with origins(1, lambda r: reply(b"{}", "500 Internal Server Error")) as (bad,), origins(1) as (good,):
        node = make_node(workers="1").start()
        balanced(node, {bad: 100, good: 100}, healthchecks={"passive": {"unhealthy": {"http_failures": 2}}})
        got = [node.get("/r").status_code for _ in range(20)]
        assert got.count(500) == 2 and len(bad.requests) == 2
        assert "target is unhealthy" in node.log()
        node.admin("PATCH", "/upstreams/up", {"tags": ["x"]})
        node.make("/services", {"name": "another", "host": "elsewhere"})
        node.wait_settled()
        assert [node.get("/r").status_code for _ in range(5)] == [200] * 5, "what is known of a target outlives the change"
        node.admin("DELETE", f"/upstreams/up/targets/{text(good)}")
        node.wait_settled()
        r = node.get("/r")
        assert (r.status_code, r.json()["message"]) == (503, "failure to get a peer from the ring-balancer")


def test_a_dead_target_is_not_tried_again(make_node):
    with origins(1) as (a,):
        node = make_node(workers="1").start()
        balanced(node, {f"127.0.0.1:{free_port()}": 100, a: 100},
                 healthchecks={"passive": {"unhealthy": {"tcp_failures": 1}}})
        assert {node.get("/r").status_code for _ in range(10)} == {200}
        assert node.log().count("upstream failed") == 1


def test_probes_take_a_target_out_and_bring_it_back(make_node):
    is_ill = threading.Event()
    behave = lambda r: reply(b"{}", "503 Service Unavailable") if is_ill.is_set() else None
    with origins(1, behave) as (a,), origins(1) as (b,):
        node = make_node(workers="1").start()
        balanced(node, {a: 100, b: 100}, healthchecks={"active": {
            "http_path": "/health", "headers": {"x-probe": ["yes"]},
            "healthy": {"interval": 0.1, "successes": 1}, "unhealthy": {"interval": 0.1, "http_failures": 1}}})
        assert node.get("/r").status_code == 200
        eventually(lambda: any(r["target"] == "/health" for r in a.requests), "it is probed")
        is_ill.set()
        eventually(lambda: "target is unhealthy" in node.log(), "it is found to be ill")
        assert {node.get("/r").status_code for _ in range(10)} == {200}
        is_ill.clear()
        eventually(lambda: "target is healthy" in node.log(), "it is found to be well")
        before = sum(r["target"] != "/health" for r in a.requests)
        assert {node.get("/r").status_code for _ in range(10)} == {200}
        assert sum(r["target"] != "/health" for r in a.requests) > before
        node.admin("DELETE", "/upstreams/up")
        node.wait_settled()
        time.sleep(0.5)
        before = len(a.requests)
        time.sleep(0.5)
        assert len(a.requests) == before, "an upstream that is no more is not probed"


@pytest.mark.parametrize("algorithm", ["least-connections", "latency"])
def test_slow_targets_get_less(make_node, algorithm):
    def slow(request):
        time.sleep(0.2)

    with origins(1, slow) as (a,), origins(1) as (b,):
        node = make_node(workers="1").start()
        balanced(node, {a: 100, b: 100}, algorithm=algorithm)

        def client():
            for _ in range(15):
                assert node.get("/r").status_code == 200

        threads = [threading.Thread(target=client) for _ in range(3)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(b.requests) > 2 * len(a.requests) > 0


def test_names_and_host_header(make_node):
    with origins(1) as (a,):
        node = make_node(workers="1").start()
        balanced(node, {f"localhost:{a.port}": 100}, host_header="api.example:99")
        r = node.get("/r")
        assert r.status_code == 200, r.text
        assert host(a.requests[0]) == "api.example:99"
        node.admin("PATCH", "/upstreams/up", {"host_header": None})
        node.wait_settled()
        node.get("/r")
        assert host(a.requests[1]) == f"localhost:{a.port}"


HANDLER = """
local P = { PRIORITY = 10, VERSION = "1" }
function P:access(conf)
  local ok, err = kong.service.set_upstream(kong.request.get_header("x-upstream"))
  if not ok then return kong.response.exit(400, { why = err }) end
end
return P
"""


def test_a_plugin_chooses_the_upstream(make_node, origin):
    with origins(2) as (a, b):
        node = make_node(workers="1", untrusted_lua="lax").start()
        node.route_to(origin, name="p")
        balanced(node, {a: 100}, name="one", path="/one")
        balanced(node, {b: 100}, name="two", path="/two")
        node.plugin("chooser", HANDLER)
        node.make("/routes/p/plugins", {"name": "chooser"})
        node.wait_plugin("chooser")
        node.wait_settled()
        assert node.get("/p", headers={"x-upstream": "one"}).status_code == 200
        assert node.get("/p", headers={"x-upstream": "two"}).status_code == 200
        assert seen([a, b]) == [1, 1]
        r = node.get("/p", headers={"x-upstream": "three"})
        assert (r.status_code, r.json()["why"]) == (400, "could not find an Upstream named 'three'")


def health(node, upstream="up"):
    """{address: health} of the Admin API."""
    body = node.admin("GET", f"/upstreams/{upstream}/health").json()
    return {f"{a['ip']}:{a['port']}": a["health"] for t in body["data"] for a in t["data"]["addresses"]}


def told(node, upstream="up"):
    """{address: state} of /metrics."""
    lines = requests.get(f"http://127.0.0.1:{node.status_port}/metrics", timeout=10).text
    found = re.findall(r'kong_upstream_target_health\{upstream="(.*?)",target=".*?",address="(.*?)",state="(.*?)",subsystem="http"\} 1', lines)
    return {address: state for name, address, state in found if name == upstream}


def test_health_is_told_by_the_admin_api_and_metrics(make_node):
    with origins(1, lambda r: reply(b"{}", "500 Internal Server Error")) as (bad,), origins(1) as (good,):
        node = make_node(workers="2").start()
        balanced(node, {bad: 100, good: 300}, healthchecks={"passive": {"unhealthy": {"http_failures": 1}}})
        balanced(node, {good: 100, "nowhere.invalid:80": 100}, name="plain", path="/plain")
        body = node.admin("GET", "/upstreams/up/health").json()
        assert {t["health"] for t in body["data"]} == {"HEALTHY"} and body["next"] is None and body["node_id"]
        assert told(node) == {text(bad): "healthy", text(good): "healthy"}
        eventually(lambda: node.get("/r").status_code == 500, "one request fails")
        assert health(node) == {text(bad): "UNHEALTHY", text(good): "HEALTHY"}
        assert told(node) == {text(bad): "unhealthy", text(good): "healthy"}
        whole = node.admin("GET", "/upstreams/up/health?balancer_health=1").json()["data"]
        assert (whole["health"], whole["details"]["weight"]) == ("HEALTHY", {"total": 400, "available": 300, "unavailable": 100})
        of_plain = lambda: {t["target"]: t["health"] for t in node.admin("GET", "/upstreams/plain/health").json()["data"]}
        wanted = {text(good): "HEALTHCHECKS_OFF", "nowhere.invalid:80": "DNS_ERROR"}
        eventually(lambda: node.get("/plain").status_code == 200 and of_plain() == wanted, "the name has no address", 20)
        assert told(node, "plain") == {text(good): "healthchecks_off", "": "dns_error"}
        assert node.admin("GET", "/upstreams/none/health").status_code == 404


def test_an_operator_takes_a_target_out_and_brings_it_back(make_node):
    with origins(2) as (a, b):
        node = make_node(workers="2").start()
        balanced(node, {a: 100, b: 100})
        said = node.admin("PUT", f"/upstreams/up/targets/{text(a)}/unhealthy")
        assert said.status_code == 204
        eventually(lambda: told(node).get(text(a)) == "unhealthy", "the workers know")
        assert {node.get("/r").status_code for _ in range(20)} == {200} and seen([a]) == [0]
        assert health(node)[text(a)] == "UNHEALTHY"
        pids = node.worker_pids()
        node.ctl("workers", "restart")
        eventually(lambda: not set(pids) & set(node.worker_pids()), "both workers are new")
        assert {node.get("/r").status_code for _ in range(20)} == {200} and seen([a]) == [0], "workers that start later know it, too"
        assert node.ctl("upgrade").returncode == 0
        assert {node.get("/r").status_code for _ in range(20)} == {200} and seen([a]) == [0], "and those of another image of sluiced"
        one = node.admin("GET", "/upstreams/up/targets").json()["data"]
        its_id = next(t["id"] for t in one if t["target"] == text(a))
        assert node.admin("PUT", f"/upstreams/up/targets/{its_id}/{text(a)}/healthy").status_code == 204
        eventually(lambda: node.get("/r").status_code == 200 and seen([a]) != [0], "it is used again")
        assert node.admin("PUT", "/upstreams/up/targets/127.0.0.1:1/healthy").status_code == 404


def test_probes_over_tls_verify_the_certificate_by_the_name_that_is_asked_for(make_node, tmp_path):
    authority = Authority(tmp_path / "authority")
    is_ill = threading.Event()
    behave = lambda r: reply(b"{}", "503 Service Unavailable") if is_ill.is_set() else None
    node = make_node(workers="1", lua_ssl_trusted_certificate=authority.cert).start()
    probed = {}
    for name, fields in (("right", {"https_sni": "probe.test"}), ("wrong", {"https_sni": "other.test"}),
                         ("lax", {"https_sni": "other.test", "https_verify_certificate": False})):
        probed[name] = TlsOrigin(authority.issue("probe.test"), behave)
        balanced(node, {probed[name]: 100}, name=name, path=f"/{name}", healthchecks={"active": {
            "type": "https", "http_path": "/health", **fields, "timeout": 5,
            "healthy": {"interval": 0.1, "successes": 1}, "unhealthy": {"interval": 0.1, "tcp_failures": 1, "http_failures": 1}}})
        node.get(f"/{name}")
    is_told = lambda name, state: eventually(lambda: list(told(node, name).values()) == [state], f"{name} is {state}")
    is_told("wrong", "unhealthy")
    for name in ("right", "lax"):
        eventually(lambda n=name: any(r["target"] == "/health" for r in probed[n].requests), f"{name} is probed")
        is_told(name, "healthy")
    assert probed["right"].names[-1] == "probe.test" and probed["lax"].names[-1] == "other.test"
    is_ill.set()
    is_told("right", "unhealthy")
    is_ill.clear()
    is_told("right", "healthy")
    for origin in probed.values():
        origin.close()
