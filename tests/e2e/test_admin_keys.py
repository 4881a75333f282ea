"""Keys, key sets and vaults of the Admin API and the file: what is accepted, refused and shown."""
import json
import subprocess

import pytest

from control import Control

JWK = {"kty": "oct", "k": "c2VjcmV0", "kid": "one"}


@pytest.fixture
def control(tmp_path):
    c = Control(tmp_path / "control").start()
    yield c
    c.clean_up()


def public_key():
    key = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True, check=True).stdout
    return subprocess.run(["openssl", "pkey", "-pubout"], input=key, capture_output=True, check=True).stdout.decode()


def test_keys_have_their_sets_and_go_with_them(control):
    group = control("POST", "/key-sets", {"name": "mine", "tags": ["t"]})
    assert group.status_code == 201
    group = group.json()
    made = control("POST", "/key-sets/mine/keys", {"name": "k", "kid": "one", "jwk": json.dumps(JWK)})
    assert made.status_code == 201 and made.json()["set"] == {"id": group["id"]} and made.json()["pem"] is None
    assert control("PUT", "/keys/p", {"kid": "two", "pem": {"public_key": public_key()}, "set": {"name": "mine"}}).status_code == 200
    assert {k["kid"] for k in control("GET", "/key-sets/mine/keys").json()["data"]} == {"one", "two"}
    assert control("GET", "/keys/k/set").json()["name"] == "mine"
    assert control("PATCH", "/keys/k", {"tags": ["x"]}).json()["tags"] == ["x"]
    # another set may have the same kid
    assert control("POST", "/keys", {"kid": "one", "jwk": json.dumps(JWK)}).status_code == 201
    error = control.refused("POST", "/keys", {"kid": "one", "set": {"id": group["id"]}, "jwk": json.dumps(JWK)}, status=409)
    assert error["message"].endswith(f"""UNIQUE violation detected on '{{kid="one",set={{id="{group['id']}"}}}}'""")
    error = control.refused("POST", "/keys", {"kid": "one", "jwk": json.dumps(JWK)}, status=409)
    assert error["fields"] == {"kid": "one", "set": None}
    assert control("DELETE", "/key-sets/mine").status_code == 204
    assert [k["set"] for k in control("GET", "/keys").json()["data"]] == [None]


def test_what_is_no_key_is_refused_with_the_reason(control):
    def refused(**key):
        return control.refused("POST", "/keys", key)["fields"]

    assert refused(kid="a")["@entity"] == ["at least one of these fields must be non-empty: 'jwk', 'pem'"]
    assert refused(jwk=json.dumps(JWK))["kid"] == "required field missing"
    assert refused(kid="one", jwk="{")["@entity"] == ["could not json decode jwk string"]
    assert refused(kid="one", jwk="1")["@entity"] == ["could not json decode jwk string"]
    assert refused(kid="two", jwk=json.dumps(JWK))["@entity"] == ["kid in jwk.kid must be equal to keys.kid"]
    assert refused(kid="one", jwk=json.dumps({**JWK, "k": "*"}))["@entity"][0].startswith("could not load JWK")
    assert "only one or none of these fields must be set" in refused(kid="one", jwk=json.dumps(JWK), pem={"public_key": public_key()})["@entity"][0]
    assert refused(kid="one", pem={"public_key": "x"})["pem"]
    assert control("POST", "/keys", {"kid": "r", "jwk": "{vault://env/a-jwk}"}).status_code == 201
    control.refused("POST", "/keys", {"kid": "s", "jwk": json.dumps({**JWK, "kid": "s"}), "set": {"id": "e2f9b1a0-0000-4000-8000-000000000000"}})


def test_vaults_are_prefixes_of_the_environment(control):
    made = control("PUT", "/vaults/my-env", {"name": "env", "config": {"prefix": "APP_"}, "description": "of the app"})
    assert made.status_code == 200
    assert made.json()["prefix"] == "my-env" and made.json()["config"] == {"prefix": "APP_"}
    assert control("POST", "/vaults", {"prefix": "plain", "name": "env"}).json()["config"] == {"prefix": None}
    assert control("GET", "/vaults/my-env").json()["id"] == made.json()["id"]
    assert control.refused("POST", "/vaults", {"prefix": "other", "name": "hcv"})["fields"] == {"name": "vault 'hcv' is not installed"}
    for prefix in ("env", "My", "x", "a_b", "1a", "a/b"):
        assert "prefix" in control.refused("POST", "/vaults", {"prefix": prefix, "name": "env"})["fields"], prefix
    assert control.refused("POST", "/vaults", {"prefix": "bad", "name": "env", "config": {"prefix": "a b"}})["fields"]["config"]["prefix"]
    assert control.refused("POST", "/vaults", {"prefix": "bad", "name": "env", "config": {"ttl": 1}})["fields"]["config"]["ttl"] == "unknown field"
    control.refused("POST", "/vaults", {"prefix": "plain", "name": "env"}, status=409)
    assert control("DELETE", "/vaults/my-env").status_code == 204 and control("GET", "/vaults/my-env").status_code == 404


def test_certificates_may_be_references(control):
    made = control("POST", "/certificates", {"cert": "{vault://env/cert}", "key": "{vault://my-env/tls/key}"})
    assert made.status_code == 201 and made.json()["key"] == "{vault://my-env/tls/key}"
    assert "invalid certificate" in control.refused("POST", "/certificates", {"cert": "{vault:env/cert}", "key": "x"})["fields"]["cert"]


def test_the_declarative_file_has_them(tmp_path):
    file = tmp_path / "entities.json"
    file.write_text(json.dumps({"_format_version": "3.0", "vaults": [{"prefix": "my-env", "name": "env"}], "key_sets": [
        {"name": "mine", "keys": [{"kid": "one", "jwk": json.dumps(JWK)}]}], "keys": [{"kid": "one", "name": "k", "jwk": json.dumps(JWK)}]}))
    c = Control(tmp_path / "control", database="off", declarative_config=str(file)).start()
    try:
        assert sorted(k["set"] is None for k in c("GET", "/keys").json()["data"]) == [False, True]
        assert c("GET", "/vaults/my-env").json()["name"] == "env"
        exported = c("GET", "/config").json()["config"]
        before = c.generation()
        assert c("POST", "/config", data=exported, headers={"Content-Type": "text/yaml"}).status_code == 201 and c.generation() == before
        r = c("POST", "/config", {"_format_version": "3.0", "keys": [{"kid": "x", "jwk": json.dumps(JWK)}]})
        assert r.status_code == 400 and "kid in jwk.kid must be equal to keys.kid" in r.text
    finally:
        c.clean_up()
