"""What plugins of all workers share: exact under load, there after a worker's death, in /metrics and status."""
import os
import re
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from node import ROOT, eventually

LIMIT, REQUESTS, CLIENTS = 300, 900, 16


def source(part):
    return (ROOT / f"examples/plugins/rate-limiter/{part}.lua").read_text()


@pytest.fixture
def limited(make_node, origin):
    node = make_node("node", workers="4").start()
    node.route_to(origin, name="r")
    node.plugin("rate-limiter", source("handler"), source("schema"))
    node.make("/plugins", {"name": "rate-limiter", "config": {"limit": LIMIT, "window_size": 86400, "limit_by": "service"}})
    node.wait_plugin("rate-limiter")
    node.wait_settled()
    return node


def ask(node, n):
    """The answers to n requests, a connection each, so that every worker gets its part."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda _: node.get("/r"), range(n)))


def metric(node, name):
    text = node.session.get(f"http://127.0.0.1:{node.status_port}/metrics").text
    return sum(map(int, re.findall(rf"^{name}(?:{{[^}}]*}})? (\d+)$", text, re.M)))


def test_exactly_the_limit_passes_over_four_workers(limited):
    answers = ask(limited, REQUESTS)
    assert Counter(r.status_code for r in answers) == {200: LIMIT, 429: REQUESTS - LIMIT}
    passed = sorted(int(r.headers["RateLimit-Remaining"]) for r in answers if r.status_code == 200)
    assert passed == list(range(LIMIT)), "each passed request took one of the limit's places"
    refused = next(r for r in answers if r.status_code == 429)
    assert refused.json()["message"] == "API rate limit exceeded"
    assert refused.headers["RateLimit-Limit"] == str(LIMIT) and refused.headers["RateLimit-Remaining"] == "0"
    assert 0 < int(refused.headers["Retry-After"]) <= 86400

    def busy():
        text = limited.session.get(f"http://127.0.0.1:{limited.status_port}/metrics").text
        return re.findall(r'sluice_worker_plugin_runs_total{worker="(\d)"} [1-9]', text)
    eventually(lambda: len(busy()) >= 2, "more than one worker counted")


def test_a_count_outlives_the_worker_that_made_it(limited):
    assert all(r.status_code == 200 for r in ask(limited, LIMIT))
    limited.may_crash = True  # we kill them
    old = limited.worker_pids()
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(set(limited.worker_pids()) - set(old)) == 4, "four new workers")
    assert {r.status_code for r in ask(limited, 32)} == {429}


def test_what_plugins_share_is_in_metrics_and_status(limited):
    ask(limited, 4)
    assert metric(limited, "sluice_dict_entries") == 1
    assert metric(limited, "sluice_dict_used_bytes") == 256
    assert metric(limited, "sluice_dict_size_bytes") == 16 << 20
    assert metric(limited, "sluice_dict_repairs_total") == metric(limited, "sluice_dict_evictions_total") == 0
    shared = limited.status("/status")["sluice"]["dict"]
    assert shared["entries"] == 1 and shared["spaces"] == 1 and shared["size_bytes"] == 16 << 20
