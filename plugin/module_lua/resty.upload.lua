-- SPDX-License-Identifier: Apache-2.0
-- The parts of a multipart/form-data body, one after the other: new(self, chunk size), read() →
-- "header", { name, value, line } | "body", text | "part_end" | "eof". The whole body is read first.
local error, find, get_body, lower, match, read_body = error, string.find, ngx.req.get_body_data, string.lower, string.match, ngx.req.read_body
local get_headers, setmetatable, sub, type = ngx.req.get_headers, setmetatable, string.sub, type
local M = { _VERSION = "0.11" }
local FORM = { __index = M, __metatable = false }

-- RFC 2046, section 5.1.1: at most 70 characters.
local function boundary_of(value)
  if type(value) == "table" then
    value = value[1]
  end
  if type(value) ~= "string" then
    return nil, "no Content-Type header"
  end
  local start, stop = find(lower(value), ";%s*boundary%s*=%s*")
  local rest = start and sub(value, stop + 1)
  local name = rest and (match(rest, '^"([^"]+)"') or match(rest, '^([^%s;,"]+)'))
  if not name or #name > 70 then
    return nil, "no boundary defined in Content-Type"
  end
  return name
end

function M.new(_, chunk_size, max_line_size)
  local boundary, why = boundary_of(get_headers()["content-type"])
  if not boundary then
    return nil, why
  end
  read_body()
  -- as if a line had ended before it: the first delimiter is like the others
  return setmetatable({
    text = "\r\n" .. (get_body() or ""), delimiter = "\r\n--" .. boundary, at = 1, state = "preamble",
    chunk_size = type(chunk_size) == "number" and chunk_size >= 1 and chunk_size or 4096,
    max_line_size = type(max_line_size) == "number" and max_line_size >= 1 and max_line_size or 512,
  }, FORM)
end

function M:set_timeout()
  return true -- the body is there
end

-- What follows a delimiter: "--" is the end, a line's end another part.
local function after_delimiter(self, from)
  if sub(self.text, from, from + 1) == "--" then
    self.state = "eof"
    return true
  end
  local _, stop = find(self.text, "^[ \t]*\r\n", from)
  self.at, self.state = stop and stop + 1, "headers"
  return stop ~= nil
end

local read = {}

function read.preamble(self)
  local _, stop = find(self.text, self.delimiter, self.at, true)
  if not stop or not after_delimiter(self, stop + 1) then
    return nil, "the boundary is missing"
  end
  return read[self.state](self)
end

function read.headers(self)
  local stop = find(self.text, "\r\n", self.at, true)
  if not stop then
    return nil, "the body ends in a header"
  elseif stop - self.at > self.max_line_size then
    return nil, "line too long: " .. sub(self.text, self.at, self.at + 31) .. "..."
  end
  local line = sub(self.text, self.at, stop - 1)
  self.at = stop + 2
  if line == "" then
    -- an empty body: the delimiter's line end is the one behind the headers
    self.at, self.state = stop, sub(self.text, stop, stop + #self.delimiter - 1) == self.delimiter and "body" or "start"
    return read[self.state](self)
  end
  local name, value = match(line, "^([^:%s]+):%s*(.-)%s*$")
  if not name then
    return "header", line
  end
  return "header", { name, value, line }
end

function read.start(self)
  self.at, self.state = self.at + 2, "body"
  return read.body(self)
end

function read.body(self)
  local stop = self.stop or find(self.text, self.delimiter, self.at, true)
  if not stop then
    return nil, "the body ends in a part"
  end
  self.stop = stop
  if self.at < stop then
    local from, upto = self.at, self.at + self.chunk_size - 1
    upto = upto < stop - 1 and upto or stop - 1
    self.at = upto + 1
    return "body", sub(self.text, from, upto)
  end
  self.stop = nil
  if not after_delimiter(self, stop + #self.delimiter) then
    return nil, "a boundary is followed by something else"
  end
  return "part_end"
end

function read.eof()
  return "eof"
end

function M:read()
  if type(self) ~= "table" or not read[self.state] or type(self.text) ~= "string" then
    error("not initialized", 2)
  end
  return read[self.state](self)
end

return M
