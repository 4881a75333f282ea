return {
  name = "stamp",
  fields = {
    { config = { type = "record", fields = { { value = { type = "string", default = "bench" } } } } },
  },
}
