-- What an operator may set on `replaceme`.
return {
  name = "replaceme",
  fields = {
    { config = {
        type = "record",
        fields = {
          { target_word = { type = "string", required = true,
              description = "The word to look for in the request body." } },
          { replacement_word = { type = "string", required = true,
              description = "What takes its place." } },
        },
    } },
  },
}
