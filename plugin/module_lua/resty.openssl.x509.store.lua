-- SPDX-License-Identifier: Apache-2.0
-- What is trusted: new(), add(certificate or revocation list), verify(certificate, chain).
local error, setmetatable, type = error, setmetatable, type
local core = ...
local chain, crl, x509 = core.part("resty.openssl.x509.chain"), core.part("resty.openssl.x509.crl"), core.part("resty.openssl.x509")
local bor = require("bit").bor
local M = {
  verify_flags = {
    X509_V_FLAG_CRL_CHECK = 0x4, X509_V_FLAG_CRL_CHECK_ALL = 0x8, X509_V_FLAG_X509_STRICT = 0x20,
    X509_V_FLAG_CHECK_SS_SIGNATURE = 0x4000, X509_V_FLAG_TRUSTED_FIRST = 0x8000, X509_V_FLAG_PARTIAL_CHAIN = 0x80000,
    X509_V_FLAG_NO_CHECK_TIME = 0x200000,
  },
}
local STORE = { __index = M, __metatable = false }

local function check(self)
  if type(self) ~= "table" or type(self.roots) ~= "table" or type(self.lists) ~= "table" then
    error("expect a x509.store instance at #1", 3)
  end
end

function M.new()
  return setmetatable({ roots = {}, lists = {}, flags = 0 }, STORE)
end

function M.istype(v)
  return type(v) == "table" and type(v.roots) == "table" and type(v.lists) == "table"
end

function M:add(v)
  check(self)
  if crl.istype(v) then
    self.lists[#self.lists + 1] = v.der
  elseif x509.istype(v) then
    self.roots[#self.roots + 1] = v.der
  else
    return nil, "x509.store:add: expect a x509 or crl instance at #1"
  end
  return true
end

local function no_file(what)
  M[what] = function()
    return nil, "x509.store:" .. what .. ": plugins have no files: add(certificate) instead"
  end
end
no_file("use_default")
no_file("load_file")
no_file("load_directory")

function M:set_depth(n)
  check(self)
  self.depth = n
  return true
end

function M:set_purpose(purpose)
  check(self)
  self.purpose = purpose
  return true
end

function M:set_flags(...)
  check(self)
  for _, flag in ipairs({ ... }) do
    self.flags = bor(self.flags, flag)
  end
  return true
end

local function ders(list)
  local out = {}
  for i, x in ipairs(list and list:all() or {}) do
    out[i] = x.der
  end
  return out
end

function M:verify(certificate, between, want_chain, _, purpose, flags)
  check(self)
  if not x509.istype(certificate) then
    return nil, "x509.store:verify: expect a x509 instance at #1"
  elseif between ~= nil and not chain.istype(between) then
    return nil, "x509.store:verify: expect a x509.chain instance at #2"
  end
  local r = core.x509_trust(certificate.der, {
    roots = self.roots, lists = self.lists, between = ders(between), depth = self.depth,
    flags = bor(self.flags, flags or 0), purpose = purpose or self.purpose,
  })
  if not r then
    return nil, "x509.store:verify: the chain is too large"
  elseif not r.is_good then
    return nil, r.error or "x509.store:verify: not trusted"
  end
  if not want_chain then
    return true
  end
  local out = chain.new()
  for _, der in ipairs(r.chain) do
    out:add(x509.new(der))
  end
  return out
end

-- Is it revoked, by the lists added?
function M:check_revocation(certificates)
  check(self)
  if not chain.istype(certificates) or not certificates[1] then
    return nil, "x509.store:check_revocation: expect a x509.chain instance at #1"
  end
  return M.verify(self, certificates[1], certificates, false, nil, nil, M.verify_flags.X509_V_FLAG_CRL_CHECK_ALL
    + M.verify_flags.X509_V_FLAG_CRL_CHECK)
end

return M
