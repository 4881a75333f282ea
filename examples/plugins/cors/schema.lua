local function list(default)
  return { type = "array", default = default, elements = { type = "string" } }
end

return {
  name = "cors",
  fields = {
    { config = {
        type = "record",
        fields = {
          { origins = list({}) },
          { methods = list({ "GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS" }) },
          { headers = list({}) },
          { exposed_headers = list({}) },
          { credentials = { type = "boolean", required = true, default = false } },
          { max_age = { type = "integer", gt = 0 } },
          { preflight_continue = { type = "boolean", required = true, default = false } },
        },
    } },
  },
}
