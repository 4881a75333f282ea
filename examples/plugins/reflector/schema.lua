-- `reflector` has nothing to set.
return {
  name = "reflector",
  fields = {
    { config = { type = "record", fields = {} } },
  },
}
