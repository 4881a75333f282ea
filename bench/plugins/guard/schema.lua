return {
  name = "guard",
  fields = {
    { config = { type = "record", fields = { { forbidden = { type = "string", default = "/internal" } } } } },
  },
}
