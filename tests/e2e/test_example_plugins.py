"""Every plugin of examples/plugins: its own cases, and one pass through a node on real traffic."""
import base64
import hashlib
import hmac
import json
import re
import subprocess
import time
from email.utils import formatdate

import pytest
import requests
from node import BUILD, ROOT, SLOW
from origin import Origin, reply

EXAMPLES = ROOT / "examples/plugins"
TESTED = sorted(p.parent.name for p in EXAMPLES.glob("*/test.yaml"))


def test_there_are_a_dozen():
    assert len(TESTED) >= 12


@pytest.mark.parametrize("name", TESTED)
def test_the_cases_of_an_example_pass_and_it_has_no_findings(name):
    def ctl(verb):
        return subprocess.run([BUILD / "tools/sluicectl", "plugin", verb, EXAMPLES / name], capture_output=True, text=True,
                              timeout=60 * SLOW, check=False)
    r = ctl("test")
    assert r.returncode == 0, r.stdout + r.stderr
    r = ctl("lint")
    assert (r.returncode, r.stdout) == (0, ""), r.stdout + r.stderr


def token(claims, secret):
    def b64(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    text = b64(json.dumps({"alg": "HS256"}).encode()) + "." + b64(json.dumps(claims).encode())
    return text + "." + b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())


def key_pair(tmp_path, kind):
    """A fresh private key (its file) and the public one as PEM, made by openssl(1)."""
    key = tmp_path / f"{kind}.pem"
    how = {"rsa": ["genrsa", "-out", key, "2048"], "ec": ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key]}[kind]
    subprocess.run(["openssl", *how], check=True, capture_output=True)
    public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True, text=True)
    return key, public.stdout


def raw_signature(der):
    """r and s side by side (RFC 7518, 3.4)."""
    out, at = b"", 2
    for _ in range(2):
        n = der[at + 1]
        out += der[at + 2:at + 2 + n].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + n
    return out


def openssl_token(alg, claims, key):
    def b64(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    text = b64(json.dumps({"alg": alg}).encode()) + "." + b64(json.dumps(claims).encode())
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(), check=True, capture_output=True).stdout
    return text + "." + b64(raw_signature(signature) if alg == "ES256" else signature)


def signed(path, secret):
    date = formatdate(usegmt=True)
    signature = base64.b64encode(hmac.new(secret, f"date: {date}\nGET {path}".encode(), hashlib.sha1).digest()).decode()
    return {"Date": date, "Authorization": f'hmac username="ann", signature="{signature}"'}


class Bed:
    """A route /<plugin> for each plugin, all of them streamed to one node."""

    def __init__(self, node, origin, public_keys):
        self.node = node
        self.configs = {
            "request-transformer": {"add": {"headers": ["X-Added: yes"]}, "remove": {"headers": ["X-Secret"], "querystring": ["token"]}},
            "response-transformer": {"add": {"json": ["via:sluice"]}, "remove": {"json": ["headers"]}},
            "correlation-id": {"echo_downstream": True},
            "key-auth-static": {"keys": {"k1": "ann"}, "hide_credentials": True},
            "key-auth-consumer": {"consumers": {"k1": "ann"}},
            "jwt-verify": {"secrets": {"ann": "s3cret"}, "public_keys": public_keys},
            "hmac-verify": {"secrets": {"ann": "s3cret"}},
            "ip-restriction": {"deny": ["127.0.0.0/8"]},
            "cors": {"origins": ["https://a.example"]},
            "bot-detection": {},
            "request-size-limiting": {"allowed_payload_size": 10, "size_unit": "bytes"},
            "canary-by-header": {"canary_prefix": "/next", "values": ["beta"]},
            "request-termination": {"status_code": 418, "message": "teapot"},
        }
        node.make("/consumers", {"username": "ann"})
        for name, config in self.configs.items():
            directory = EXAMPLES / name
            node.plugin(name, (directory / "handler.lua").read_text(), (directory / "schema.lua").read_text())
            route = node.route_to(origin, name=name)
            node.make("/plugins", {"name": name, "config": config, "route": {"id": route["id"]}})
        for name in self.configs:
            node.wait_plugin(name)
        node.wait_settled()

    def ask(self, name, method="GET", rest="", **kw):
        return requests.request(method, self.node.url(f"/{name}{rest}"), timeout=15 * SLOW, **kw)

    def seen(self, name, **kw):
        r = self.ask(name, **kw)
        assert r.status_code == 200, (name, r.status_code, r.text)
        doc = r.json()
        doc["headers"] = {k.lower(): v for k, v in (doc["headers"].items() if isinstance(doc["headers"], dict) else doc["headers"])}
        return doc, r


def test_all_of_them_are_streamed_and_work_on_real_traffic(node, tmp_path):
    def behave(request):
        body = json.dumps({k: request[k] for k in ("method", "target", "headers", "body")}).encode()
        return reply(body, is_head=request["method"] == "HEAD")
    origin = Origin(behave)
    (rsa, rsa_public), (ec, ec_public) = key_pair(tmp_path, "rsa"), key_pair(tmp_path, "ec")
    bed = Bed(node, origin, {"rsa": rsa_public, "ec": ec_public})

    doc, _ = bed.seen("request-transformer", rest="?token=1&q=2", headers={"X-Secret": "s"})
    assert doc["headers"]["x-added"] == "yes" and "x-secret" not in doc["headers"] and doc["target"].endswith("?q=2")
    r = bed.ask("response-transformer")
    assert r.json()["via"] == "sluice" and "headers" not in r.json()
    doc, r = bed.seen("correlation-id")
    assert re.fullmatch("[0-9a-f]{32}", r.headers["X-Correlation-ID"]) and doc["headers"]["x-correlation-id"] == r.headers["X-Correlation-ID"]

    assert bed.ask("key-auth-static").status_code == 401
    doc, _ = bed.seen("key-auth-static", headers={"apikey": "k1"})
    assert doc["headers"]["x-consumer-username"] == "ann" and "apikey" not in doc["headers"]
    assert bed.ask("key-auth-consumer", headers={"apikey": "k2"}).status_code == 401
    doc, _ = bed.seen("key-auth-consumer", headers={"apikey": "k1"})
    assert doc["headers"]["x-consumer-username"] == "ann" and len(doc["headers"]["x-consumer-id"]) == 36 and "apikey" not in doc["headers"]
    claims = {"iss": "ann", "sub": "u1", "exp": time.time() + 60}
    doc, _ = bed.seen("jwt-verify", headers={"Authorization": "Bearer " + token(claims, b"s3cret")})
    assert doc["headers"]["x-jwt-subject"] == "u1"
    assert bed.ask("jwt-verify", headers={"Authorization": "Bearer " + token(claims, b"other")}).json() == {"message": "Invalid signature"}
    for alg, issuer, key, other in (("RS256", "rsa", rsa, ec), ("ES256", "ec", ec, rsa)):
        claims = {"iss": issuer, "sub": alg, "exp": time.time() + 60}
        doc, _ = bed.seen("jwt-verify", headers={"Authorization": "Bearer " + openssl_token(alg, claims, key)})
        assert doc["headers"]["x-jwt-subject"] == alg
        bad = openssl_token(alg, claims, key).rsplit(".", 1)[0] + "." + openssl_token(alg, claims, other).rsplit(".", 1)[1]
        assert bed.ask("jwt-verify", headers={"Authorization": "Bearer " + bad}).json() == {"message": "Invalid signature"}
    confused = token({"iss": "rsa", "sub": "root"}, rsa_public.encode())
    assert bed.ask("jwt-verify", headers={"Authorization": "Bearer " + confused}).status_code == 401
    assert bed.seen("hmac-verify", headers=signed("/hmac-verify", b"s3cret"))[0]["headers"]["x-consumer-username"] == "ann"
    assert bed.ask("hmac-verify", headers=signed("/hmac-verify", b"other")).status_code == 401

    assert bed.ask("ip-restriction").status_code == 403
    r = bed.ask("cors", "OPTIONS", headers={"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"})
    assert r.status_code == 200 and r.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert bed.ask("cors", headers={"Origin": "https://a.example"}).headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert bed.ask("bot-detection", headers={"User-Agent": "sqlmap/1"}).status_code == 403
    assert bed.ask("bot-detection", headers={"User-Agent": "Mozilla/5.0"}).status_code == 200
    assert bed.ask("request-size-limiting", "POST", data=b"x" * 11).status_code == 413
    assert bed.ask("request-size-limiting", "POST", data=iter([b"x" * 6, b"x" * 5])).status_code == 413
    assert bed.ask("request-size-limiting", "POST", data=b"x" * 10).status_code == 200
    doc, r = bed.seen("canary-by-header", headers={"X-Canary": "beta"})
    assert doc["target"].startswith("/next/") and r.headers["X-Canary"] == "true"
    r = bed.ask("request-termination")
    assert r.status_code == 418 and r.json() == {"message": "teapot"}
    origin.close()


def authorizer(asked):
    """200, 403 or 500 as the Authorization header says."""
    def behave(request):
        headers = {k.lower(): v for k, v in request["headers"]}
        asked.append(headers)
        how = headers.get("authorization", "")
        if how == "slow":
            time.sleep(2)
        if how == "broken":
            return reply(b"{}", status="500 Internal Server Error")
        if how in ("ann", "slow"):
            return reply(b"{}", headers=["X-User: " + how])
        return reply(b'{"why":"who are you?"}', status="401 Unauthorized", headers=["WWW-Authenticate: Custom"])
    return Origin(behave)


def test_an_external_authorizer_decides_and_is_remembered(make_node):
    node, origin, asked = make_node(workers="2", untrusted_lua="lax", plugin_egress="any,127.0.0.0/8", plugin_limits_cpu_ms="200"), Origin(), []
    who = authorizer(asked)
    node.start()
    directory = EXAMPLES / "external-authorizer"
    node.plugin("external-authorizer", (directory / "handler.lua").read_text(), (directory / "schema.lua").read_text())
    common = {"url": f"http://127.0.0.1:{who.port}/check", "upstream_headers": ["X-User"], "timeout": 500}
    for name, extra in (("asks", {}), ("keeps", {"cache_ttl": 60}), ("opens", {"fail_open": True})):
        route = node.route_to(origin, name=name)
        node.make("/plugins", {"name": "external-authorizer", "config": {**common, **extra}, "route": {"id": route["id"]}})
    node.wait_plugin("external-authorizer")
    node.wait_settled()

    def ask(name, how):
        return requests.get(node.url(f"/{name}/a?q=1"), headers={"Authorization": how, "X-User": "mallory"}, timeout=15 * SLOW)

    r = ask("asks", "ann")
    assert r.status_code == 200 and dict((k.lower(), v) for k, v in r.json()["headers"])["x-user"] == "ann"
    assert asked[-1]["x-forwarded-method"] == "GET" and asked[-1]["x-forwarded-path"] == "/asks/a" and "x-user" not in asked[-1]
    r = ask("asks", "bob")
    assert (r.status_code, r.json(), r.headers["WWW-Authenticate"]) == (401, {"why": "who are you?"}, "Custom")
    assert ask("asks", "broken").status_code == 503
    assert ask("asks", "slow").status_code == 503
    r = ask("opens", "slow")
    assert r.status_code == 200 and "mallory" not in r.text

    n = len(asked)
    assert [ask("keeps", "ann").status_code for _ in range(6)] == [200] * 6
    assert [ask("keeps", "bob").status_code for _ in range(6)] == [401] * 6
    assert len(asked) == n + 2
    assert [ask("keeps", "broken").status_code for _ in range(2)] == [503] * 2
    assert len(asked) == n + 4
    who.close()
    origin.close()
