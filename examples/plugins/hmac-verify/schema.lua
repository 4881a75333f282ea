return {
  name = "hmac-verify",
  fields = {
    { config = {
        type = "record",
        fields = {
          { secrets = { type = "map", required = true, len_min = 1,
              keys = { type = "string" }, values = { type = "string" } } },
          { clock_skew = { type = "number", required = true, default = 300, gt = 0,
              description = "Seconds that Date may be off." } },
        },
    } },
  },
}
