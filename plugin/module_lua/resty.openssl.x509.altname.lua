-- SPDX-License-Identifier: Apache-2.0
-- Alternative names of a certificate: a list of kinds (DNS, URI, IP, RFC822Name …) and values.
local type = type
local core = ...
local name = core.part("resty.openssl.x509.name")
local M, wrap, check = core.part("_list_class")("x509.altname", "names", function(n)
  return { n.kind, n.value }
end)
local KINDS = {
  DNS = "DNS", DNSName = "DNS", URI = "URI", UniformResourceIdentifier = "URI", IP = "IP", IPAddress = "IP",
  RFC822 = "RFC822Name", RFC822Name = "RFC822Name", Email = "RFC822Name", EMAIL = "RFC822Name", DirName = "DirName", RID = "RID",
}

-- For other modules: of names as they were read.
function M._wrap(names, der)
  for _, n in ipairs(names) do
    if n.kind == "IP" then
      n.value = core.format_ip(n.value) or n.value
    elseif n.kind == "DirName" then
      n.value = name._of(n.value)
    elseif n.kind == "RID" then
      n.value = n.id
    end
  end
  return wrap({ names = names, der = der })
end

-- ... of the DER of GeneralNames.
function M._of(der)
  local names = core.x509_altname(der)
  return names and M._wrap(names, der)
end

function M.new()
  return wrap({ names = {} })
end

function M:add(kind, value)
  local names = check(self)
  kind = KINDS[kind]
  if not kind or (type(value) ~= "string" and kind ~= "DirName") then
    return nil, "x509.altname:add: unknown type, or not a string at #2"
  end
  names[#names + 1] = { kind = kind, value = value }
  return self
end

function M:each()
  local names, i = check(self), 0
  return function()
    i = i + 1
    if names[i] then
      return names[i].kind, names[i].value
    end
  end
end

function M:tostring()
  local out = {}
  for i, n in ipairs(check(self)) do
    out[i] = n.kind .. "=" .. tostring(n.value or "")
  end
  return table.concat(out, "/")
end

return M
