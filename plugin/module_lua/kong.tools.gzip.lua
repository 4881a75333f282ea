-- SPDX-License-Identifier: Apache-2.0
-- gzip of strings: deflate_gzip() of at most 2 MB, inflate_gzip() to at most 4 MB.
local core = ...

return { deflate_gzip = core.gzip, inflate_gzip = core.gunzip }
