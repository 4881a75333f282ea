-- SPDX-License-Identifier: Apache-2.0
-- Numbers of DH keys: their names; pkey:get_parameters() gives them.
return {
  params = { "private", "public", "p", "q", "g" },
  get_parameters = function(key)
    return key:get_parameters()
  end,
}
