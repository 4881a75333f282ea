-- SPDX-License-Identifier: Apache-2.0
-- new(), update(text), final() → bytes, reset().
return (...).part("_digest_class")("sha384")
