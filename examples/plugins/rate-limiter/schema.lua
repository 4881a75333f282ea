return {
  name = "rate-limiter",
  fields = {
    { config = {
        type = "record",
        fields = {
          { limit = { type = "integer", required = true, gt = 0 } },
          { window_size = { type = "integer", default = 60, between = { 1, 86400 } } },
          { limit_by = { type = "string", default = "ip", one_of = { "ip", "header", "service" } } },
          { header_name = { type = "string" } },
        },
        entity_checks = {
          { conditional = {
              if_field = "limit_by", if_match = { eq = "header" },
              then_field = "header_name", then_match = { required = true },
          } },
        },
    } },
  },
}
