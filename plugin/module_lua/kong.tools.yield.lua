-- SPDX-License-Identifier: Apache-2.0
-- Nothing to do: a phase has its CPU budget, and no other plugin waits for it.
local function yield() end

return { yield = yield }
