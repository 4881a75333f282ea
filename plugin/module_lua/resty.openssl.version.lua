-- SPDX-License-Identifier: Apache-2.0
-- Which OpenSSL it is.
local number, text = (...).openssl_version()

return {
  version_num = number, version_text = text, OPENSSL_3X = true, OPENSSL_30 = true, OPENSSL_11 = false,
  OPENSSL_111 = false, OPENSSL_11_OR_LATER = true, OPENSSL_111_OR_LATER = true, BORINGSSL = false,
  version = function()
    return text
  end,
}
