return {
  name = "canary-by-header",
  fields = {
    { config = {
        type = "record",
        fields = {
          { header_name = { type = "string", required = true, default = "X-Canary" } },
          { values = { type = "array", default = {}, elements = { type = "string" },
              description = "Values that choose the canary; none: any value does." } },
          { canary_prefix = { type = "string", required = true, match = "^/.*[^/]$" } },
        },
    } },
  },
}
