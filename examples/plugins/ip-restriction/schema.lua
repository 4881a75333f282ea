local ranges = {
  type = "array", default = {},
  elements = { type = "string", match = "^%d+%.%d+%.%d+%.%d+/?%d*$" },
}

return {
  name = "ip-restriction",
  fields = {
    { config = {
        type = "record",
        fields = {
          { allow = ranges },
          { deny = ranges },
          { status = { type = "integer", default = 403, between = { 400, 599 } } },
          { message = { type = "string", default = "Your IP address is not allowed" } },
        },
    } },
  },
}
