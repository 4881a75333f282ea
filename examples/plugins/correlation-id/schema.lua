return {
  name = "correlation-id",
  fields = {
    { config = {
        type = "record",
        fields = {
          { header_name = { type = "string", required = true, default = "X-Correlation-ID" } },
          { generator = { type = "string", required = true, default = "request",
              one_of = { "request", "counter" } } },
          { echo_downstream = { type = "boolean", required = true, default = false } },
        },
    } },
  },
}
