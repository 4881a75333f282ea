return {
  name = "key-auth-static",
  fields = {
    { config = {
        type = "record",
        fields = {
          { keys = { type = "map", required = true, len_min = 1,
              keys = { type = "string" }, values = { type = "string" },
              description = "Key → who it belongs to." } },
          { key_names = { type = "array", required = true, default = { "apikey" },
              elements = { type = "string" } } },
          { hide_credentials = { type = "boolean", required = true, default = false } },
          { run_on_preflight = { type = "boolean", required = true, default = true } },
        },
    } },
  },
}
