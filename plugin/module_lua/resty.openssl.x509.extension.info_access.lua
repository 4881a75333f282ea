-- SPDX-License-Identifier: Apache-2.0
-- Where its issuer and OCSP responder are: a list of { nid of what it is, kind of name, name }.
local core = ...
local altname = core.part("resty.openssl.x509.altname")
local M, wrap = core.part("_list_class")("x509.extension.info_access", "places")

-- For other modules: of the extension's DER.
function M._of(der)
  local places = core.x509_access(der)
  if not places then
    return nil
  end
  for i, one in ipairs(places) do
    local name = altname._wrap(one.place)[1]
    places[i] = { one.nid, name[1], name[2] }
  end
  return wrap({ places = places, der = der })
end

function M.new()
  return nil, "x509.extension.info_access.new: certificates are read here, not made"
end

return M
