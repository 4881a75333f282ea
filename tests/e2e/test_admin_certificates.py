"""Certificates, SNIs and CA certificates of the Admin API and the file: what is accepted, refused and shown."""
import json
from pathlib import Path

import pytest

from control import Control
from tls_origin import Authority


@pytest.fixture
def control(tmp_path):
    c = Control(tmp_path / "control").start()
    yield c
    c.clean_up()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca") / "authority")


def pem(pair):
    return {"cert": Path(pair[0]).read_text(), "key": Path(pair[1]).read_text()}


def test_a_certificate_has_its_names_and_is_found_by_them(control, authority):
    a = pem(authority.issue("a.test"))
    made = control("POST", "/certificates", {**a, "snis": ["a.test", "*.a.test"], "tags": ["t"]})
    assert made.status_code == 201
    made = made.json()
    assert sorted(made["snis"]) == ["*.a.test", "a.test"] and made["cert"] == a["cert"] and made["cert_alt"] is None
    for key in (made["id"], "a.test"):
        assert sorted(control("GET", f"/certificates/{key}").json()["snis"]) == ["*.a.test", "a.test"]
    assert control("GET", "/certificates").json()["data"][0]["snis"]
    assert len(control("GET", f"/certificates/{made['id']}/snis").json()["data"]) == 2
    assert control("GET", "/snis/a.test/certificate").json()["id"] == made["id"]
    assert control("PATCH", f"/certificates/{made['id']}", {"snis": ["b.test", "a.test"]}).status_code == 200
    assert sorted(control("GET", f"/certificates/{made['id']}").json()["snis"]) == ["a.test", "b.test"]
    assert control("PATCH", f"/certificates/{made['id']}", {"tags": ["u"]}).status_code == 200
    assert sorted(control("GET", f"/certificates/{made['id']}").json()["snis"]) == ["a.test", "b.test"]
    assert control("PUT", f"/certificates/{made['id']}", {**a, "snis": ["c.test"]}).json()["snis"] == ["c.test"]
    assert control("GET", "/certificates/a.test").status_code == 404
    assert control("DELETE", f"/certificates/{made['id']}").status_code == 204
    assert control("GET", "/snis").json()["data"] == []


def test_what_does_not_fit_is_refused_with_the_reason(control, authority):
    a, b = pem(authority.issue("a.test")), pem(authority.issue("b.test"))
    error = control.refused("POST", "/certificates", {"cert": a["cert"], "key": b["key"]})
    assert error["fields"]["@entity"] == ["certificate does not match key"]
    assert "invalid certificate" in control.refused("POST", "/certificates", {"cert": "x", "key": a["key"]})["fields"]["cert"]
    assert "invalid key" in control.refused("POST", "/certificates", {"cert": a["cert"], "key": "x"})["fields"]["key"]
    error = control.refused("POST", "/certificates", {**a, "cert_alt": b["cert"], "key_alt": b["key"]})
    assert "need to have different type" in error["message"]
    assert "cert_alt" in control.refused("POST", "/certificates", {**a, "cert_alt": b["cert"]})["message"]
    made = control("POST", "/certificates", {**a, "snis": ["a.test"]}).json()
    error = control.refused("POST", "/certificates", {**b, "snis": ["a.test"]})
    assert error["fields"]["snis"] == f"a.test already associated with existing certificate '{made['id']}'"
    assert len(control("GET", "/certificates").json()["data"]) == 1
    for name in ("a.*.test", "*.*", "1.2.3.4", "a.test:80", ""):
        control.refused("POST", "/snis", {"name": name, "certificate": {"id": made["id"]}})
    control.refused("POST", "/snis", {"name": "x.test"})
    error = control.refused("POST", "/snis", {"name": "a.test", "certificate": {"id": made["id"]}}, status=409)
    assert error["fields"] == {"name": "a.test"}
    control.refused("POST", "/certificates", {**b, "snis": [1]})


def test_ca_certificates_are_authorities_and_stay_while_services_name_them(control, authority, tmp_path):
    ca = Path(authority.cert).read_text()
    made = control("POST", "/ca_certificates", {"cert": ca}).json()
    assert len(made["cert_digest"]) == 64
    control.refused("POST", "/ca_certificates", {"cert": ca}, status=409)
    leaf = Path(authority.issue("a.test")[0]).read_text()
    assert 'missing the "CA" basic constraint' in control.refused("POST", "/ca_certificates", {"cert": leaf})["message"]
    other = Path(Authority(tmp_path / "o").cert).read_text()
    assert "only one certificate" in control.refused("POST", "/ca_certificates", {"cert": ca + other})["message"]
    old = Path(authority.issue("old.test", days="-1", extensions="basicConstraints=critical,CA:TRUE\n")[0]).read_text()
    assert '"Not After" time is in the past' in control.refused("POST", "/ca_certificates", {"cert": old})["message"]
    service = {"name": "s", "host": "h", "protocol": "https", "port": 443}
    missing = "aaaaaaaa-0000-4000-8000-000000000001"
    assert missing in control.refused("POST", "/services", {**service, "ca_certificates": [missing]})["message"]
    assert control("POST", "/services", {**service, "ca_certificates": [made["id"]]}).status_code == 201
    assert "is still referenced by services" in control.refused("DELETE", f"/ca_certificates/{made['id']}")["message"]
    control.refused("PATCH", "/services/s", {"protocol": "http"})
    assert control("PATCH", "/services/s", {"ca_certificates": None}).status_code == 200
    assert control("DELETE", f"/ca_certificates/{made['id']}").status_code == 204


def test_a_certificate_that_a_service_shows_is_not_removed(control, authority):
    made = control("POST", "/certificates", pem(authority.issue("a.test"))).json()
    service = {"name": "s", "host": "h", "protocol": "https", "client_certificate": {"id": made["id"]}}
    assert control("POST", "/services", service).status_code == 201
    assert "references this 'certificates' entity" in control.refused("DELETE", f"/certificates/{made['id']}")["message"]
    control.refused("POST", "/services", {"name": "t", "host": "h", "client_certificate": {"id": made["id"]}})


def test_the_declarative_file_has_certificates_with_their_names(tmp_path, authority):
    a, b = pem(authority.issue("a.test")), pem(authority.issue("b.test"))
    file = tmp_path / "entities.json"
    file.write_text(json.dumps({"_format_version": "3.0", "certificates": [
        {**a, "snis": [{"name": "a.test"}, "*.a.test"]}, b], "ca_certificates": [{"cert": Path(authority.cert).read_text()}]}))
    c = Control(tmp_path / "control", database="off", declarative_config=str(file)).start()
    try:
        shown = {x["cert"]: x["snis"] for x in c("GET", "/certificates").json()["data"]}
        assert sorted(shown[a["cert"]]) == ["*.a.test", "a.test"] and shown[b["cert"]] == []
        assert len(c("GET", "/ca_certificates").json()["data"]) == 1
        before = c.generation()
        r = c("POST", "/config", {"_format_version": "3.0", "certificates": [{"cert": a["cert"], "key": b["key"]}]})
        assert r.status_code == 400 and "certificate does not match key" in r.text and c.generation() == before
    finally:
        c.clean_up()
