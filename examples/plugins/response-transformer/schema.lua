local function names()
  return { type = "array", default = {}, elements = { type = "string" } }
end

local function pairs_of_names()
  return { type = "array", default = {}, elements = { type = "string", match = "^[^:]+:.*$" } }
end

local function both(list)
  return { type = "record", fields = { { headers = list() }, { json = list() } } }
end

return {
  name = "response-transformer",
  fields = {
    { config = {
        type = "record",
        fields = {
          { remove = both(names) },
          { add = both(pairs_of_names) },
        },
    } },
  },
}
