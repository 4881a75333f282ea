-- SPDX-License-Identifier: Apache-2.0
-- Where revocation lists are: a list of points, each a x509.altname of its places.
local core = ...
local altname = core.part("resty.openssl.x509.altname")
local M, wrap = core.part("_list_class")("x509.extension.dist_points", "points")

-- For other modules: of the extension's DER.
function M._of(der)
  local points = core.x509_points(der)
  if not points then
    return nil
  end
  for i, names in ipairs(points) do
    points[i] = altname._wrap(names)
  end
  return wrap({ points = points, der = der })
end

function M.new()
  return nil, "x509.extension.dist_points.new: certificates are read here, not made"
end

return M
