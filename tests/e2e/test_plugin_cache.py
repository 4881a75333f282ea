"""kong.cache and resty.lock: one callback per node, whoever dies meanwhile."""
import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from node import eventually

CLIENTS, REQUESTS = 16, 160

HANDLER = """
local P = { PRIORITY = 10, VERSION = "1" }
local function made(seconds)
  sluice.counter("started"):incr()
  kong.log.notice("in the callback")
  if seconds then ngx.sleep(seconds) end
  return { n = sluice.counter("made"):incr(), by = ngx.worker.pid() }
end
local function show(v)
  return { n = v and v.n, by = v and v.by, started = sluice.counter("started"):get(), made = sluice.counter("made"):get(),
           pid = ngx.worker.pid() }
end
function P:access(conf)
  local q = kong.request.get_query()
  if q.what == "get" then
    local v, err, level = kong.cache:get(q.key, { ttl = 60 }, made, tonumber(q.sleep))
    local out = show(v)
    out.err, out.level = err, level
    return kong.response.exit(err and 500 or 200, out)
  elseif q.what == "runaway" then
    local n = sluice.counter("runs"):incr()
    kong.cache:get("runaway", nil, function() while n < 3 do end return n end)
  elseif q.what == "invalidate" then
    kong.cache:invalidate(q.key)
  elseif q.what == "lock" then
    local lock = require("resty.lock"):new("locks", { timeout = 20, exptime = 60 })
    local waited, err = lock:lock("key")
    if not waited then return kong.response.exit(500, err) end
    local seen = sluice.counter("inside"):incr()
    ngx.sleep(tonumber(q.sleep))
    sluice.counter("inside"):incr(-1)
    lock:unlock()
    return kong.response.exit(200, { seen = seen, pid = ngx.worker.pid() })
  end
  return kong.response.exit(200, show())
end
return P
"""
SCHEMA = 'return { name = "cache-test", fields = { { config = { type = "record", fields = {} } } } }'


@pytest.fixture
def node(make_node, origin):
    node = make_node("node", workers="4").start()
    node.route_to(origin, name="r")
    node.plugin("cache-test", HANDLER, SCHEMA)
    node.make("/plugins", {"name": "cache-test"})
    node.wait_plugin("cache-test")
    node.wait_settled()
    return node


def ask_all(node, query, n=REQUESTS):
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda _: node.get(f"/r?{query}"), range(n)))


def test_many_requests_of_four_workers_are_one_callback(node):
    answers = ask_all(node, "what=get&key=k&sleep=0.3")
    assert Counter(r.status_code for r in answers) == {200: REQUESTS}
    found = [r.json() for r in answers]
    assert {f["n"] for f in found} == {1} and {f["started"] for f in found} == {1}
    assert len({f["by"] for f in found}) == 1 and len({f["pid"] for f in found}) > 1
    levels = Counter(f["level"] for f in found)
    assert levels[3] == 1 and levels[2] > 0 and levels[1] > 0


def test_what_one_worker_invalidates_no_worker_finds(node):
    ask_all(node, "what=get&key=k")
    node.get("/r?what=invalidate&key=k")
    assert {r.json()["n"] for r in ask_all(node, "what=get&key=k")} == {2}


def test_the_callback_of_a_killed_worker_runs_in_another(node):
    node.may_crash = True  # we kill it
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        first = pool.submit(lambda: node.get("/r?what=get&key=k&sleep=4"))
        eventually(lambda: node.get("/r?what=show").json()["started"] == 1, "the first callback runs")
        # whoever else comes waits for it; the first one's worker is the one with a connection that does not answer
        waiting = [pool.submit(lambda: node.get("/r?what=get&key=k")) for _ in range(CLIENTS)]
        time.sleep(0.3)
        begin = time.monotonic()
        holder = holder_of(node)
        os.kill(holder, signal.SIGKILL)
        answers = []
        for w in waiting:
            try:
                answers.append(w.result())
            except Exception:  # it was in the killed worker
                pass
        assert time.monotonic() - begin < 4, "nobody waited for the dead one"
        with pytest.raises(Exception):
            first.result()
    assert answers and {r.status_code for r in answers} == {200}
    assert {r.json()["n"] for r in answers} == {1} and {r.json()["started"] for r in answers} == {2}
    assert holder not in {r.json()["by"] for r in answers}


def holder_of(node):
    """The worker in whose callback counter `started` was raised: told by the only log line of it."""
    line = next(line for line in node.log().splitlines() if "in the callback" in line)
    return int(line.split(" pid=")[1].split()[0])


def test_a_lock_is_held_by_one_worker_at_a_time(node):
    answers = ask_all(node, "what=lock&sleep=0.01", 48)
    assert {r.status_code for r in answers} == {200}
    assert {r.json()["seen"] for r in answers} == {1} and len({r.json()["pid"] for r in answers}) > 1


def test_a_callback_that_is_stopped_at_its_limit_is_in_nobodys_way(node):
    begin = time.monotonic()
    assert [node.get("/r?what=runaway").status_code for _ in range(3)] == [500, 500, 200]
    assert time.monotonic() - begin < 5, "the lock did not have to time out"
