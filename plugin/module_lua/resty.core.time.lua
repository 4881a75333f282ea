-- SPDX-License-Identifier: Apache-2.0
-- The clocks of ngx.*: they are there without it; monotonic_msec() and monotonic_time() besides.
local mono_ms = (...).mono_ms

return {
  version = "0.1.26",
  monotonic_msec = mono_ms,
  monotonic_time = function()
    return mono_ms() / 1000
  end,
}
