-- Replaces one word by another in the body of each request on its way to the service.
local ReplaceMe = {
  PRIORITY = 800,
  VERSION = "1.0.0",
}

-- A literal word as a Lua pattern: everything that is not a letter or digit is escaped.
local function literal(word)
  return (word:gsub("(%W)", "%%%1"))
end

function ReplaceMe:access(conf)
  local body, err = kong.request.get_raw_body()
  if err then
    kong.log.err("could not read the request body: ", err)
    return
  end

  local escaped = conf.replacement_word:gsub("%%", "%%%%")
  local changed, count = body:gsub(literal(conf.target_word), escaped)
  if count > 0 then
    kong.service.request.set_raw_body(changed)
  end
end

return ReplaceMe
