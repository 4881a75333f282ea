"""The Admin API of sluice-control alone: entities, their errors, paging, tags, nesting, bodies."""
import base64
import uuid

import pytest
import requests
from control import Control


@pytest.fixture
def control(tmp_path):
    c = Control(tmp_path).start()
    yield c
    c.clean_up()


def test_the_verbs_of_a_collection_and_an_item(control):
    r = control("POST", "/services", {"name": "a", "host": "h"})
    assert r.status_code == 201
    service = r.json()
    assert service["retries"] == 5 and service["protocol"] == "http" and service["port"] == 80
    assert service["path"] is None and service["enabled"] is True
    assert service["connect_timeout"] == service["read_timeout"] == service["write_timeout"] == 60000
    assert control("GET", "/services/a").json() == control("GET", f"/services/{service['id']}").json() == service
    assert control("GET", f"/services/{service['id'].upper()}").json() == service
    r = control("PATCH", "/services/a", {"retries": 1})
    assert (r.status_code, r.json()["retries"], r.json()["host"]) == (200, 1, "h")
    r = control("PUT", "/services/a", {"host": "i"})
    assert (r.status_code, r.json()["retries"], r.json()["id"]) == (200, 5, service["id"])
    fresh = str(uuid.uuid4())
    r = control("PUT", f"/services/{fresh}", {"host": "j", "name": "b"})
    assert (r.status_code, r.json()["id"]) == (200, fresh)
    assert control("PUT", "/services/c", {"host": "k"}).json()["name"] == "c"
    assert control("DELETE", "/services/a").status_code == 204
    assert control("DELETE", "/services/a").status_code == 204
    r = control("GET", "/services/a")
    assert (r.status_code, r.json()) == (404, {"message": "Not found"})
    assert control("PATCH", "/services/a", {"retries": 1}).status_code == 404


def test_what_is_the_same_for_all_answers(control):
    r = control("GET", "/services")
    assert r.headers["Server"].startswith("sluice/") and r.headers["Access-Control-Allow-Origin"] == "*"
    assert r.headers["X-Kong-Admin-Latency"].isdigit()
    assert r.headers["Content-Type"].startswith("application/json")
    assert r.json() == {"data": [], "next": None}
    r = control("HEAD", "/services")
    assert (r.status_code, r.content) == (200, b"")
    r = control("OPTIONS", "/services")
    assert r.status_code == 204 and set(r.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    assert control("GET", "/nonsense").json() == {"message": "Not found"}
    r = control("DELETE", "/services")
    assert (r.status_code, r.json()) == (405, {"message": "Method not allowed"})
    assert control("POST", "/status").status_code == 405


def test_violations_say_which_field_and_why(control):
    assert control.refused("POST", "/services", {"name": "x"}) == {
        "code": 2, "name": "schema violation", "message": "schema violation (host: required field missing)",
        "fields": {"host": "required field missing"}}
    error = control.refused("POST", "/services", {"host": "h", "port": "x", "bogus": 1})
    assert error["message"] == "2 schema violations (bogus: unknown field; port: expected an integer)"
    assert "host" in control.refused("POST", "/services", {"host": "h:80"})["fields"]
    assert control.refused("POST", "/services", {"url": "nope"})["fields"] == {"url": "missing scheme in url"}
    assert "@entity" in control.refused("POST", "/services", {"url": "grpc://h/path"})["fields"]
    assert "@entity" in control.refused("POST", "/consumers", {})["fields"]
    assert "protocols" in control.refused("POST", "/routes", {"protocols": ["http", "tcp"], "paths": ["/"]})["fields"]
    assert "regex" in str(control.refused("POST", "/routes", {"paths": ["~/("]})["fields"])
    assert "regex" in str(control.refused("POST", "/routes", {"headers": {"x-a": ["~*("]}})["fields"])
    assert control.refused("POST", "/routes", {"paths": ["nope"]})["fields"] == {
        "paths": ["should start with: / (fixed path) or ~/ (regex path)"]}
    assert control.refused("POST", "/routes", {"protocols": ["http"], "snis": []})["fields"]["@entity"] == [
        "must set one of 'methods', 'hosts', 'headers', 'paths' when 'protocols' is 'http'"]
    assert control.refused("POST", "/routes", {"name": "all"})["fields"]["@entity"] == [
        "must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'https'"]


def test_unique_and_foreign_violations(control):
    control.make("/services", {"name": "a", "host": "h"})
    error = control.refused("POST", "/services", {"name": "a", "host": "h"}, 409)
    assert error == {"code": 5, "name": "unique constraint violation", "fields": {"name": "a"},
                     "message": "UNIQUE violation detected on '{name=\"a\"}'"}
    nobody = str(uuid.uuid4())
    error = control.refused("POST", "/routes", {"paths": ["/"], "service": {"id": nobody}})
    assert error["code"] == 4 and error["message"] == \
        f"the foreign key '{{id=\"{nobody}\"}}' does not reference an existing 'services' entity."
    route = control.make("/services/a/routes", {"name": "r", "paths": ["/r"]})
    error = control.refused("DELETE", "/services/a")
    assert error["code"] == 4 and error["fields"] == {"@referenced_by": "routes"}
    assert error["message"] == "an existing 'routes' entity references this 'services' entity"
    assert control("DELETE", f"/routes/{route['id']}").status_code == 204
    assert control("DELETE", "/services/a").status_code == 204


def test_nested_paths(control):
    a = control.make("/services", {"name": "a", "host": "h"})
    control.make("/services", {"name": "b", "host": "h"})
    route = control.make("/services/a/routes", {"name": "r", "paths": ["/r"]})
    assert route["service"] == {"id": a["id"]}
    assert [r["name"] for r in control("GET", "/services/a/routes").json()["data"]] == ["r"]
    assert control("GET", "/services/b/routes").json()["data"] == []
    assert control("GET", "/services/nobody/routes").status_code == 404
    assert control("GET", "/services/a/routes/r").json() == route
    assert control("GET", "/services/b/routes/r").status_code == 404
    assert control("GET", "/routes/r/service").json() == a
    assert control("PATCH", "/routes/r/service", {"retries": 9}).json()["retries"] == 9
    assert control("PATCH", "/services/a/routes/r", {"paths": ["/q"]}).json()["paths"] == ["/q"]
    assert control("PUT", "/services/a/routes/r", {"paths": ["/p"]}).json()["id"] == route["id"]
    assert control("DELETE", "/services/a/routes/r").status_code == 204
    assert control("GET", "/routes/r").status_code == 404
    assert control("GET", "/services/a/consumers").status_code == 404


def test_pages(control):
    for i in range(25):
        control.make("/consumers", {"username": f"u{i}"})
    seen, path = [], "/consumers?size=10"
    sizes = []
    while path:
        page = control("GET", path).json()
        seen += [c["username"] for c in page["data"]]
        sizes.append(len(page["data"]))
        assert ("offset" in page) == (page["next"] is not None)
        path = page["next"]
    assert sizes == [10, 10, 5] and len(set(seen)) == 25
    assert control.refused("GET", "/consumers?size=abc") == {
        "code": 9, "name": "invalid size", "message": "size must be a number", "fields": {}}
    assert control.refused("GET", "/consumers?size=1001")["code"] == 9
    error = control.refused("GET", "/consumers?offset=abc")
    assert error["code"] == 7 and error["message"] == "'abc' is not a valid offset: bad base64 encoding"
    junk = base64.b64encode(b"x" * 36).decode()
    assert control.refused("GET", f"/consumers?offset={junk}")["code"] == 7


def test_tags(control):
    control.make("/consumers", {"username": "a", "tags": ["x", "y"]})
    control.make("/consumers", {"username": "b", "tags": ["y"]})
    control.make("/services", {"name": "s", "host": "h", "tags": ["x"]})

    def names(query):
        return sorted(c["username"] for c in control("GET", f"/consumers?tags={query}").json()["data"])

    assert (names("x"), names("y"), names("x,y"), names("x/y"), names("z")) == (["a"], ["a", "b"], ["a"], ["a", "b"], [])
    assert control.refused("GET", "/consumers?tags=x,y/z")["code"] == 11
    error = control.refused("GET", "/consumers?tags=")
    assert error["message"] == "invalid option (tags: cannot be null)" and "options" in error
    assert len(control("GET", "/tags").json()["data"]) == 4
    assert {t["entity_name"] for t in control("GET", "/tags/x").json()["data"]} == {"consumers", "services"}
    control("PATCH", "/consumers/a", {"tags": []})
    assert names("x") == []


def test_bodies(control):
    url = f"http://127.0.0.1:{control.port}"
    r = requests.post(f"{url}/services", data={"name": "f", "url": "http://h:81/p", "retries": "2", "tags": "a,b"}, timeout=5)
    assert r.status_code == 201 and (r.json()["retries"], r.json()["port"], r.json()["tags"]) == (2, 81, ["a", "b"])
    r = requests.post(f"{url}/routes", data="service.name=f&paths[]=/x&paths[]=/y&headers.h=1&strip_path=false",
                      headers={"Content-Type": "application/x-www-form-urlencoded"}, timeout=5)
    assert r.status_code == 201, r.text
    assert (r.json()["paths"], r.json()["strip_path"], r.json()["headers"]) == (["/x", "/y"], False, {"h": ["1"]})
    r = requests.post(f"{url}/consumers", files={"username": (None, "multi")}, timeout=5)
    assert r.status_code == 201 and r.json()["username"] == "multi"
    for body in (b"{", b"[]", b"nope", b'{"a":1,"a":2}'):
        r = requests.post(f"{url}/services", data=body, headers={"Content-Type": "application/json"}, timeout=5)
        assert (r.status_code, r.json()["message"]) == (400, "Cannot parse JSON body")
    r = requests.post(f"{url}/services", data=b"{}", headers={"Content-Type": "image/png"}, timeout=5)
    assert r.status_code == 415
    r = requests.post(f"{url}/services", data=b"x" * (33 << 20), headers={"Content-Type": "application/json"}, timeout=20)
    assert r.status_code == 413
    assert control("GET", "/services").status_code == 200


def test_a_nul_in_a_text_is_refused(control):
    r = requests.post(f"http://127.0.0.1:{control.port}/consumers", data=b'{"username":"a\\u0000b"}',
                      headers={"Content-Type": "application/json"}, timeout=5)
    assert r.status_code == 400 and "NUL" in r.json()["fields"]["username"]
    assert control("GET", "/consumers").json()["data"] == []


def test_what_was_written_is_there_after_a_kill(control):
    service = control.make("/services", {"name": "a", "host": "h"})
    generation = control.generation()
    control.clean_up()
    control.start()
    assert control("GET", "/services/a").json() == service
    assert control.generation() == generation


def test_what_the_node_says_of_itself(control):
    root = control("GET", "/").json()
    assert root["tagline"] and root["version"] and root["hostname"] and uuid.UUID(root["node_id"])
    assert root["configuration"]["custom_plugin_streaming_enabled"] is True
    assert root["configuration"]["custom_plugins_enabled"] is True
    assert root["plugins"]["available_on_server"] == {}
    assert control("GET", "/status").json()["database"] == {"reachable": True}
    endpoints = control("GET", "/endpoints").json()["data"]
    assert "/services/{services}/routes/{routes}" in endpoints and "/routes/{routes}/service" in endpoints
    assert control("GET", "/plugins/enabled").json() == {"enabled_plugins": []}
    assert control("GET", "/clustering/data-planes").json() == {"data": [], "next": None}
    assert any("host" in f for f in control("GET", "/schemas/services").json()["fields"])
    assert control("GET", "/schemas/plugins/nope").json() == {"message": "No plugin named 'nope'"}
    assert control("GET", "/schemas/nope").status_code == 404
    assert control("POST", "/schemas/services/validate", {"host": "h"}).json() == {"message": "schema validation successful"}
    assert control.refused("POST", "/schemas/services/validate", {})["code"] == 2
    assert control.refused("GET", "/config")["message"].startswith("this endpoint is only available")


def test_streaming_switched_off_says_which_key_to_set(tmp_path):
    control = Control(tmp_path, custom_plugin_streaming_enabled=False).start()
    r = control("GET", "/custom-plugins")
    control.clean_up()
    assert r.status_code == 403 and "custom_plugin_streaming_enabled" in r.json()["message"]
