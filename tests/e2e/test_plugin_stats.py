"""What workers count of each plugin reaches /metrics."""
import re

from node import eventually

BUSY = """
    local P = { PRIORITY = 1, VERSION = "1.0" }
    function P:access() local x = 0 for i = 1, 20000 do x = x + i % 7 end kong.ctx.shared.x = x end
    return P"""


def test_runs_and_cpu_time_of_a_plugin_are_counted(make_node, origin):
    node = make_node("node", workers="1").start()
    node.route_to(origin, name="r")
    node.plugin("busy", BUSY)
    node.make("/plugins", {"name": "busy"})
    eventually(lambda: node.plugin_status("busy")["active"], "the plugin is active")
    for _ in range(50):
        assert node.get("/r").status_code == 200

    def counted(what):
        text = node.session.get(f"http://127.0.0.1:{node.status_port}/metrics").text
        return sum(map(float, re.findall(rf'sluice_plugin_{what}_total{{plugin="busy"}} (\S+)', text)))

    eventually(lambda: counted("runs") >= 50, "every run is counted")
    assert 50 * 1e-6 < counted("cpu_seconds") < 50 * 0.1
