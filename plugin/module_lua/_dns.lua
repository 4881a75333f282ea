-- SPDX-License-Identifier: Apache-2.0
-- kong.dns: names as the node looks them up (hosts file, search domains, its cache), and records of its name servers.
local C = ...
local type, tonumber = type, tonumber

local TIMEOUT_MS = 60000
local M = {}

-- An address and the port; nil and why.
function M.toip(host, port)
  if type(host) ~= "string" then
    return nil, "host must be a string"
  end
  local id, err = C.net_open(true)
  if not id then
    return nil, err
  end
  local address, why = C.net_resolve(id, host, TIMEOUT_MS)
  C.net_close(id)
  if not address then
    return nil, why
  end
  return address, tonumber(port)
end

local function records(resolver, host, kind)
  local answers, err = resolver:query(host, { qtype = kind })
  if not answers then
    return nil, "dns client error: " .. err
  elseif answers.errcode then
    return nil, "dns server error: " .. answers.errcode .. " " .. answers.errstr
  elseif #answers == 0 then
    return nil, "dns client error: 101 empty record received"
  end
  return answers
end

-- Records; nil and why. options.qtype: of that type, else A, or AAAA where there is none.
function M.resolve(host, options)
  if type(host) ~= "string" then
    return nil, "host must be a string"
  end
  local resolver, err = C.part("resty.dns.resolver"):new({ retrans = 2 })
  if not resolver then
    return nil, "dns client error: " .. err
  end
  local kind = type(options) == "table" and options.qtype or nil
  local answers, why = records(resolver, host, kind or resolver.TYPE_A)
  if not answers and not kind then
    answers = records(resolver, host, resolver.TYPE_AAAA)
  end
  resolver:destroy()
  return answers, not answers and why or nil
end

return M
