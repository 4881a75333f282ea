-- SPDX-License-Identifier: Apache-2.0
-- Times of ASN.1, as text (UTCTime, GeneralizedTime): seconds since 1970.
local asn1_time, type = (...).asn1_time, type

return {
  asn1_to_unix = function(text)
    if type(text) == "number" then
      return text
    end
    local seconds = type(text) == "string" and asn1_time(text)
    if not seconds then
      return nil, "asn1.asn1_to_unix: not a time"
    end
    return seconds
  end,
}
