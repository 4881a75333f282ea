return {
  name = "key",
  fields = {
    { config = { type = "record", fields = {
        { key = { type = "string", required = true } },
        { consumer = { type = "string", default = "someone" } },
    } } },
  },
}
