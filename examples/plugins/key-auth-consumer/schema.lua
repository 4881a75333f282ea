return {
  name = "key-auth-consumer",
  fields = {
    { config = {
        type = "record",
        fields = {
          { consumers = { type = "map", required = true, len_min = 1,
              keys = { type = "string" }, values = { type = "string" },
              description = "Key → username of the consumer it belongs to." } },
          { key_names = { type = "array", required = true, default = { "apikey" },
              elements = { type = "string" } } },
          { hide_credentials = { type = "boolean", required = true, default = true } },
        },
    } },
  },
}
