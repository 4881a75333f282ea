return {
  name = "request-termination",
  fields = {
    { config = {
        type = "record",
        fields = {
          { status_code = { type = "integer", required = true, default = 503, between = { 100, 599 } } },
          { message = { type = "string", default = "Service unavailable" } },
          { body = { type = "string" } },
          { content_type = { type = "string", default = "application/json; charset=utf-8" } },
          { trigger = { type = "string", description = "Only requests with this header." } },
        },
    } },
  },
}
