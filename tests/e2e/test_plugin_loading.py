"""What a worker loads, when, and what is told when it cannot."""
import re

from node import eventually
from origin import Origin

HANDLER = """
local P = { PRIORITY = 10, VERSION = "1" }
function P:access(conf) kong.response.set_header("x-seen", "yes") end
return P
"""


def test_bound_code_is_loaded_from_bytecode_before_the_first_request(make_node):
    origin = Origin()
    node = make_node(workers="1", log_level="debug").start()
    node.route_to(origin, name="r")
    node.plugin("seen", HANDLER)
    node.make("/plugins", {"name": "seen"})
    node.wait_plugin("seen")
    node.wait_settled()
    node.plugin("late", HANDLER)
    node.make("/plugins", {"name": "late"})
    line = eventually(lambda: re.search(r'msg="plugin loaded" plugin=late from=(\w+)', node.log()), "it is loaded")
    assert line.group(1) == "bytecode"
    assert eventually(lambda: node.get("/r").headers.get("x-seen"), "it acts") == "yes"
