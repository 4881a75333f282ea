-- SPDX-License-Identifier: Apache-2.0
-- What resty.sha1 … resty.sha512 have in common.
return { _VERSION = "0.14" }
