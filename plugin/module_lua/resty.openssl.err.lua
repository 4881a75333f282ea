-- SPDX-License-Identifier: Apache-2.0
-- OpenSSL's queue of errors: empty, as every function here returns its own error.
return {
  format_error = function(context)
    return type(context) == "string" and context or ""
  end,
  format_all_error = function(context)
    return type(context) == "string" and context or ""
  end,
  get_last_error_code = function()
    return 0
  end,
}
