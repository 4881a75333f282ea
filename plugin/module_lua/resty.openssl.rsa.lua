-- SPDX-License-Identifier: Apache-2.0
-- Numbers of RSA keys: their names; pkey:get_parameters() gives them.
return {
  params = { "n", "e", "d", "p", "q", "dmp1", "dmq1", "iqmp" },
  get_parameters = function(key)
    return key:get_parameters()
  end,
}
