return {
  name = "jwt-verify",
  fields = {
    { config = {
        type = "record",
        fields = {
          { secrets = { type = "map", required = true, len_min = 1,
              keys = { type = "string" }, values = { type = "string" },
              description = "Issuer (iss) → the secret it signs with." } },
        },
    } },
  },
}
