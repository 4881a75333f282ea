-- SPDX-License-Identifier: Apache-2.0
-- A list of certificates: new(), add(certificate), each(), all(), count().
local core = ...
local x509 = core.part("resty.openssl.x509")
local M, wrap, check = core.part("_list_class")("x509.chain", "certificates")

function M.new()
  return wrap({ certificates = {} })
end

function M:add(certificate)
  local all = check(self)
  if not x509.istype(certificate) then
    return nil, "x509.chain:add: expect a x509 instance at #1"
  end
  all[#all + 1] = certificate
  return true
end

return M
