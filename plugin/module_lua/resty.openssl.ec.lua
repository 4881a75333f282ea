-- SPDX-License-Identifier: Apache-2.0
-- Numbers of EC keys: their names; pkey:get_parameters() gives them.
return {
  params = { "group", "public", "private", "x", "y" },
  get_parameters = function(key)
    return key:get_parameters()
  end,
}
