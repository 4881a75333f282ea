-- SPDX-License-Identifier: Apache-2.0
-- The same as resty.lrucache.
return (...).part("resty.lrucache")
