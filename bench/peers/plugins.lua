-- The same three plugins for nginx + Lua, as one would write them there.
local M = {}
local passed = 0

function M.access()
  local headers = ngx.req.get_headers()
  if headers["x-api-key"] ~= "secret" then
    ngx.status = 401
    ngx.say('{"message":"Unauthorized"}')
    return ngx.exit(401)
  end
  ngx.req.set_header("X-Consumer", "someone")
  ngx.req.clear_header("x-api-key")

  ngx.req.set_header("X-Gateway", "bench")
  ngx.ctx.method = ngx.req.get_method()

  local path = ngx.var.uri
  if path:sub(1, #"/internal") == "/internal" then
    return ngx.exit(403)
  end
  local agent = headers["user-agent"] or ""
  if agent:find("badbot", 1, true) then
    return ngx.exit(403)
  end
end

function M.header_filter()
  ngx.header["X-Stamp"] = "bench"
  ngx.header["X-Method"] = ngx.ctx.method
end

function M.log()
  if ngx.status < 400 then
    passed = passed + 1
  end
end

return M
