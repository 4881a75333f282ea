-- Refuses requests whose body is larger than allowed.
local RequestSizeLimiting = {
  PRIORITY = 951,
  VERSION = "1.0.0",
}

local units = { bytes = 1, kilobytes = 2 ^ 10, megabytes = 2 ^ 20 }

function RequestSizeLimiting:access(conf)
  local allowed = conf.allowed_payload_size * units[conf.size_unit]
  local said = tonumber(kong.request.get_header("Content-Length"))
  if not said then
    if conf.require_content_length then
      return kong.response.exit(411, { message = "A valid Content-Length header is required" })
    end
    -- Chunked: the body has to be seen.
    local body, err = kong.request.get_raw_body()
    said = err and allowed + 1 or #(body or "")
  end
  if said > allowed then
    return kong.response.exit(413, { message = "Request size limit exceeded" })
  end
end

return RequestSizeLimiting
