-- SPDX-License-Identifier: Apache-2.0
-- Parts of Ed25519, X25519 and their like: their names; pkey:get_parameters() gives them.
return {
  params = { "public", "private" },
  get_parameters = function(key)
    return key:get_parameters()
  end,
}
