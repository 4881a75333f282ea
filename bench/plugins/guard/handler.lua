-- Refuses some paths and agents; counts what passes.
local Guard = { PRIORITY = 100, VERSION = "1.0.0" }
local passed = 0

function Guard:access(conf)
  local path = kong.request.get_path()
  if path:sub(1, #conf.forbidden) == conf.forbidden then
    return kong.response.exit(403, { message = "Forbidden" })
  end
  local agent = kong.request.get_header("user-agent") or ""
  if agent:find("badbot", 1, true) then
    return kong.response.exit(403, { message = "Forbidden" })
  end
end

function Guard:log()
  if kong.response.get_status() < 400 then
    passed = passed + 1
  end
end

return Guard
