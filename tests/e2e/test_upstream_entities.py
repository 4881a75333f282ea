"""Upstreams and targets through the Admin API and a declarative file."""
import uuid

import pytest
from control import Control


@pytest.fixture
def control(tmp_path):
    control = Control(tmp_path / "control").start()
    yield control
    control.stop()
    control.clean_up()


def test_defaults_and_the_form_of_a_target(control):
    upstream = control.make("/upstreams", {"name": "api.internal"})
    assert (upstream["algorithm"], upstream["hash_on"], upstream["slots"]) == ("round-robin", "none", 10000)
    assert upstream["healthchecks"]["active"]["unhealthy"]["http_statuses"] == [429, 404, 500, 501, 502, 503, 504, 505]
    assert upstream["healthchecks"]["passive"]["unhealthy"] == \
        {"http_failures": 0, "http_statuses": [429, 500, 503], "tcp_failures": 0, "timeouts": 0}
    assert upstream["healthchecks"]["threshold"] == 0
    forms = {"h": "h:8000", "h.example:80": "h.example:80", "10.0.0.1": "10.0.0.1:8000", "::1": "[::1]:8000",
             "[fe80::2]:99": "[fe80::2]:99"}
    for given, form in forms.items():
        target = control.make("/upstreams/api.internal/targets", {"target": given})
        assert target["target"] == form and target["weight"] == 100
        assert target["upstream"] == {"id": upstream["id"]}
        assert isinstance(target["created_at"], float)
    page = control("GET", "/upstreams/api.internal/targets").json()["data"]
    assert {t["target"] for t in page} == set(forms.values())


def test_a_target_is_named_by_its_text_within_its_upstream(control):
    for name in ("a", "b"):
        control.make("/upstreams", {"name": name})
        control.make(f"/upstreams/{name}/targets", {"target": "h:80", "weight": 10})
    a = control("GET", "/upstreams/a/targets/h:80").json()
    b = control("GET", "/upstreams/b/targets/h:80").json()
    assert a["id"] != b["id"]
    assert control("GET", f"/upstreams/a/targets/{b['id']}").status_code == 404
    error = control.refused("POST", "/upstreams/a/targets", {"target": "h:80"}, 409)
    assert error["code"] == 5
    assert error["message"] == "UNIQUE violation detected on '{target=\"h:80\",upstream={id=\"%s\"}}'" % a["upstream"]["id"]
    assert control("PATCH", "/upstreams/a/targets/h:80", {"weight": 0}).json()["weight"] == 0
    assert control("PUT", "/upstreams/a/targets/h:80", {"weight": 7}).json() | {"updated_at": 0} == \
        {**a, "weight": 7, "updated_at": 0}
    made = control("PUT", "/upstreams/a/targets/new:80", {})
    assert made.status_code == 200 and made.json()["target"] == "new:80"
    assert control("DELETE", "/upstreams/a/targets/h:80").status_code == 204
    assert control("GET", "/upstreams/b/targets/h:80").json()["weight"] == 10


def test_targets_go_with_their_upstream(control):
    control.make("/upstreams", {"name": "a"})
    target = control.make("/upstreams/a/targets", {"target": "h:80"})
    assert control("DELETE", "/upstreams/a").status_code == 204
    assert control("GET", f"/targets/{target['id']}").status_code == 404
    control.make("/upstreams", {"name": "a"})
    assert control("GET", "/upstreams/a/targets").json()["data"] == []


def test_what_is_no_upstream_and_no_target_is_refused(control):
    def field(path, body, name):
        return control.refused("POST", path, body)["fields"][name]

    assert field("/upstreams", {"name": "10.0.0.1"}, "name") == "Invalid name ('10.0.0.1'); no ip addresses allowed"
    assert field("/upstreams", {"name": "a:80"}, "name") == "Invalid name ('a:80'); no port allowed"
    assert field("/upstreams", {"name": "a b"}, "name") == "Invalid name ('a b'); must be a valid hostname"
    assert field("/upstreams", {}, "name") == "required field missing"
    assert field("/upstreams", {"name": "u", "slots": 9}, "slots") == "value should be between 10 and 65536"
    assert "healthchecks" in control.refused(
        "POST", "/upstreams", {"name": "u", "healthchecks": {"passive": {"unhealthy": {"tcp_failures": 256}}}})["fields"]
    assert "hash_on_header" in control.refused("POST", "/upstreams", {"name": "u", "hash_on": "header"})["fields"]
    assert "hash_fallback" in control.refused("POST", "/upstreams", {"name": "u", "hash_on": "ip", "hash_fallback": "ip"})["fields"]
    assert "hash_fallback" in control.refused("POST", "/upstreams", {"name": "u", "hash_fallback": "ip"})["fields"]
    assert field("/upstreams", {"name": "u", "algorithm": "best"}, "algorithm").startswith("expected one of: ")
    assert "use_srv_name" in control.refused("POST", "/upstreams", {"name": "u", "use_srv_name": True})["fields"]
    control.make("/upstreams", {"name": "u"})
    for bad in ("a b", "h:99999", "h:", "[::1", "[h]:80", "-h", "h:80x", "::1:zz"):
        assert field("/upstreams/u/targets", {"target": bad}, "target") == \
            f"Invalid target ('{bad}'); not a valid hostname or ip address"
    assert "weight" in control.refused("POST", "/upstreams/u/targets", {"target": "h", "weight": 65536})["fields"]
    assert control.refused("POST", "/targets", {"target": "h", "upstream": {"id": str(uuid.uuid4())}})["code"] == 4


def test_a_file_nests_targets_or_names_their_upstream(tmp_path):
    path = tmp_path / "kong.yaml"
    path.write_text("""
_format_version: "3.0"
upstreams:
- name: a
  targets:
  - {target: "h:80", weight: 5}
- name: b
targets:
- {target: "h:80", upstream: b}
- {target: other, upstream: {name: b}}
""")
    control = Control(tmp_path / "c", role="traditional", database="off", declarative_config=str(path))
    try:
        control.start()
        assert [t["target"] for t in control("GET", "/upstreams/a/targets").json()["data"]] == ["h:80"]
        assert {t["target"] for t in control("GET", "/upstreams/b/targets").json()["data"]} == {"h:80", "other:8000"}
        assert control("GET", "/upstreams/a/targets/h:80").json()["weight"] == 5
    finally:
        control.clean_up()
