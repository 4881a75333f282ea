-- Answers each request with its own body: what the plugins before it made of it.
local Reflector = {
  PRIORITY = -10,
  VERSION = "1.0.0",
}

function Reflector:access()
  local body, err = kong.request.get_raw_body()
  if err then
    kong.log.err("could not read the request body: ", err)
    return
  end

  local content_type = kong.request.get_header("Content-Type") or "text/plain"
  kong.response.exit(200, body, { ["Content-Type"] = content_type })
end

return Reflector
