return {
  name = "request-size-limiting",
  fields = {
    { config = {
        type = "record",
        fields = {
          { allowed_payload_size = { type = "integer", required = true, default = 128, gt = 0 } },
          { size_unit = { type = "string", required = true, default = "megabytes",
              one_of = { "megabytes", "kilobytes", "bytes" } } },
          { require_content_length = { type = "boolean", required = true, default = false } },
        },
    } },
  },
}
