return {
  name = "external-authorizer",
  fields = {
    { config = {
        type = "record",
        fields = {
          { url = { type = "string", required = true, match = "^https?://[^/]",
              description = "Where the authorizer is asked, with POST." } },
          { ssl_verify = { type = "boolean", required = true, default = true } },
          { timeout = { type = "integer", required = true, default = 1000, between = { 1, 60000 },
              description = "Milliseconds for connecting, and for each wait." } },
          { forward_headers = { type = "array", required = true, default = { "Authorization" },
              elements = { type = "string" },
              description = "Headers of the request that the authorizer is told." } },
          { upstream_headers = { type = "array", required = true, default = {},
              elements = { type = "string" },
              description = "Headers of its answer that the service is told." } },
          { cache_ttl = { type = "integer", required = true, default = 0, between = { 0, 86400 },
              description = "Seconds that an answer counts for the same request; 0: each is asked." } },
          { fail_open = { type = "boolean", required = true, default = false,
              description = "Without an answer: let the request through?" } },
        },
    } },
  },
}
