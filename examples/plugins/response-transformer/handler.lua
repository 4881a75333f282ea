-- Removes, replaces and adds headers of the response, and top-level fields of a JSON body.
local cjson = require "cjson.safe"

local ResponseTransformer = {
  PRIORITY = 800,
  VERSION = "1.0.0",
}

local function split(entry)
  return entry:match("^([^:]+):%s*(.*)$")
end

local function changes_body(conf)
  return #conf.remove.json > 0 or #conf.add.json > 0
end

function ResponseTransformer:header_filter(conf)
  for _, name in ipairs(conf.remove.headers) do
    kong.response.clear_header(name)
  end
  for _, entry in ipairs(conf.add.headers) do
    kong.response.set_header(split(entry))
  end
  if changes_body(conf) then
    kong.response.clear_header("Content-Length")
  end
end

function ResponseTransformer:body_filter(conf)
  if not changes_body(conf) then
    return
  end
  local body = kong.response.get_raw_body()
  if not body then
    return -- not the last chunk yet
  end
  local document = cjson.decode(body)
  if type(document) ~= "table" then
    return kong.response.set_raw_body(body)
  end
  for _, name in ipairs(conf.remove.json) do
    document[name] = nil
  end
  for _, entry in ipairs(conf.add.json) do
    local name, value = split(entry)
    document[name] = value
  end
  kong.response.set_raw_body(cjson.encode(document))
end

return ResponseTransformer
