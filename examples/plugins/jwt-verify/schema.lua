return {
  name = "jwt-verify",
  fields = {
    { config = {
        type = "record",
        fields = {
          { secrets = { type = "map", len_min = 1,
              keys = { type = "string" }, values = { type = "string", encrypted = true, referenceable = true },
              description = "Issuer (iss) → the secret it signs with (HS256)." } },
          { public_keys = { type = "map", len_min = 1,
              keys = { type = "string" }, values = { type = "string" },
              description = "Issuer (iss) → its public key as PEM: RSA for RS256, P-256 for ES256." } },
        },
        entity_checks = {
          { at_least_one_of = { "secrets", "public_keys" } },
        },
    } },
  },
}
