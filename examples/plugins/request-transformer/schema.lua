local function names()
  return { type = "array", default = {}, elements = { type = "string" } }
end

local function pairs_of_names()
  return { type = "array", default = {}, elements = { type = "string", match = "^[^:]+:.*$" } }
end

local function both(list)
  return { type = "record", fields = { { headers = list() }, { querystring = list() } } }
end

return {
  name = "request-transformer",
  fields = {
    { config = {
        type = "record",
        fields = {
          { http_method = { type = "string", match = "^%u+$",
              description = "The method the service gets." } },
          { remove = both(names) },
          { rename = { type = "record", fields = { { headers = pairs_of_names() } } } },
          { add = both(pairs_of_names) },
        },
    } },
  },
}
