-- SPDX-License-Identifier: Apache-2.0
-- UTC time in milliseconds, and where the current second … year began.
local date, error, floor, now, setmetatable = os.date, error, math.floor, ngx.now, setmetatable
local FIELDS = setmetatable({ "second", "minute", "hour", "day", "month", "year" }, {
  __metatable = false,
  __newindex = function()
    error("Attempt to modify read-only table", 2)
  end,
})
local MS_FROM = 568971820800 -- seconds up to the year 20000; beyond, milliseconds are meant

-- Days from 1970-01-01 to a date of the Gregorian calendar.
local function days(year, month, day)
  year = month <= 2 and year - 1 or year
  local era = floor(year / 400)
  local of_era = year - era * 400
  local of_year = floor((153 * (month + (month > 2 and -3 or 9)) + 2) / 5) + day - 1
  return era * 146097 + of_era * 365 + floor(of_era / 4) - floor(of_era / 100) + of_year - 719468
end

local TIME = {}
TIME.__index = TIME
TIME.__metatable = false

function TIME:timestamp()
  return days(self.year, self.month, self.day) * 86400 + self.hour * 3600 + self.min * 60 + self.sec
end

local function get_utc()
  return floor(now()) * 1000
end

local function get_timetable(at)
  local seconds = at or get_utc()
  if seconds > MS_FROM then
    seconds = seconds / 1000
  end
  local t = date("!*t", floor(seconds))
  t.sec = t.sec + seconds - floor(seconds)
  return setmetatable(t, TIME)
end

local function get_timestamps(at, tracked)
  local t, stamps = get_timetable(at), {}
  local steps = { { "second", "sec", floor(t.sec) }, { "minute", "sec", 0 }, { "hour", "min", 0 }, { "day", "hour", 0 }, { "month", "day", 1 }, { "year", "month", 1 } }
  for i = 1, #steps do
    local step = steps[i]
    t[step[2]] = step[3]
    if not tracked or tracked[step[1]] ~= nil then
      stamps[step[1]] = t:timestamp() * 1000
    end
  end
  return stamps
end

return {
  get_utc = get_utc,
  get_utc_ms = function()
    return now() * 1000
  end,
  get_timetable = get_timetable,
  get_timestamps = get_timestamps,
  timestamp_table_fields = FIELDS,
}
