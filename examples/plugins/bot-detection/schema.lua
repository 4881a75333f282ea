local function patterns()
  return { type = "array", default = {}, elements = { type = "string", is_regex = true } }
end

return {
  name = "bot-detection",
  fields = {
    { config = { type = "record", fields = { { allow = patterns() }, { deny = patterns() } } } },
  },
}
