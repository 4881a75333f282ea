-- Removes, renames, replaces and adds headers and query arguments on the way to the service.
local RequestTransformer = {
  PRIORITY = 801,
  VERSION = "1.0.0",
}

-- "name:value" → name, value
local function split(entry)
  return entry:match("^([^:]+):%s*(.*)$")
end

local function change_headers(conf)
  local request = kong.service.request
  for _, name in ipairs(conf.remove.headers) do
    request.clear_header(name)
  end
  for _, entry in ipairs(conf.rename.headers) do
    local from, to = split(entry)
    local value = kong.request.get_header(from)
    if value then
      request.set_header(to, value)
      request.clear_header(from)
    end
  end
  for _, entry in ipairs(conf.add.headers) do
    local name, value = split(entry)
    if not kong.request.get_header(name) then
      request.set_header(name, value)
    end
  end
end

local function change_query(conf)
  local query = kong.request.get_query()
  local is_changed = false
  for _, name in ipairs(conf.remove.querystring) do
    is_changed = is_changed or query[name] ~= nil
    query[name] = nil
  end
  for _, entry in ipairs(conf.add.querystring) do
    local name, value = split(entry)
    if query[name] == nil then
      query[name] = value
      is_changed = true
    end
  end
  if is_changed then
    kong.service.request.set_query(query)
  end
end

function RequestTransformer:access(conf)
  if conf.http_method then
    kong.service.request.set_method(conf.http_method)
  end
  change_headers(conf)
  change_query(conf)
end

return RequestTransformer
