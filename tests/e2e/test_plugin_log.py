"""What plugins print: kong.log, its formats, and loggers of their own."""
from node import eventually

HANDLER = """
local mine = kong.log.new("cache", "%namespace says %message in %func_name at %file_src:%line_src, 100%")
local P = { PRIORITY = 10, VERSION = "1.0" }
local function step() mine.err("miss ", 7) return 1 end
function P:access()
  local n = step()
  mine("called")
  mine.set_format(nil)
  mine.warn("plain")
  kong.log.set_format("<%namespace> %message")
  kong.log.err("shaped")
  kong.log("also")
  kong.log.set_format(nil)
  kong.log.err("bare %message")
  local s = kong.nginx.get_statistics()
  kong.log.inspect("shown", { 1, { deep = true } })
  kong.log.err("active=", s.connections_active, " requests=", s.total_requests > 0)
end
return P
"""

LINES = [
    'msg="cache says miss 7 in step at handler.lua:4, 100%"',
    'msg="cache says called in ',
    'msg="[cache] plain"',
    'msg="<talker> shaped"',
    'msg="<talker> also"',
    'msg="bare %message"',
    'msg="|\\"shown\\" { 1, {',
    'msg="|    deep = true   ',
    'msg="active=1 requests=true"',
]


def test_loggers_word_their_lines_as_their_format_says(make_node, origin):
    node = make_node(workers="1").start()
    node.route_to(origin)
    node.plugin("talker", HANDLER)
    node.make("/routes/r/plugins", {"name": "talker"})
    node.wait_plugin("talker")
    eventually(lambda: node.get("/r").status_code == 200 and "plugin=talker" in node.log(), "the plugin runs")
    for line in LINES:
        assert line in node.log(), line
