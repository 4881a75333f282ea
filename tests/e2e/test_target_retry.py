"""kong.service.set_target_retry_callback: where further tries go."""
from node import eventually
from ports import free_port
from origin import Origin

HANDLER = """
local P = { PRIORITY = 10, VERSION = "1" }
function P:access(conf)
  local n = 0
  kong.service.set_target_retry_callback(function()
    n = n + 1
    if kong.request.get_header("x-give-up") then return kong.response.exit(503, "given up") end
    if n == 1 then return "localhost", %d end
    return "127.0.0.1", %d
  end)
end
return P
"""


def test_each_further_try_goes_where_the_callback_says(make_node):
    origin, dead = Origin(), free_port()
    node = make_node(workers="1", untrusted_lua="lax").start()
    node.route_to(dead, name="r", service_extra={"retries": 3})
    node.plugin("retry", HANDLER % (free_port(), origin.port))
    node.wait_plugin("retry")
    assert node.get("/r").status_code == 502
    node.make("/plugins", {"name": "retry"})
    node.wait_settled()
    eventually(lambda: node.get("/r").status_code == 200, "the callback sends the third try to the origin")
    assert [request["target"] for request in origin.requests]
    got = node.get("/r", headers={"x-give-up": "1"})
    assert (got.status_code, got.text) == (503, "given up")
