/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys that belong to nobody, as members of JSON objects with single quotes and as PEM.
 */
#pragma once

/* clang-format off */
#define RSA_PUBLIC "'n':'n0nyXFL5_5Syj_tI3JS-QoxZi35loIIzixcl7sFrak01CcaBCGyTuZPrevoqtY6WjKKXEtMNL" \
	"q3EPQWWaL5F27fxKzyp5M2277fZ4o2IR3pzUKas95h77KwPjgl9iLGg3X1Rd4-3tBInR8WQpexY5c6" \
	"Z6S6vf0DlOmnmfFT95Tc','e':'AQAB'"
#define RSA_D "'d':'DQNTg2tb9R9GvzB-MVcNfA5POnAnCUfZwiEv_iNbDSIllRjcbb3BC8Yj1LYfSxnM_sxBn04So" \
	"5-aiomsUf5JYprTSGdLj4Aj49E_ZDglBASSfO3q0oiFitCEiy3no8iWllVSLFVZ9ZVlCjYLfoD-6L2" \
	"lQfLsQWQeXCucP9jxLUE'"
#define RSA_FACTORS "'p':'zCfMkjKIXQxrnqV5t4w5FAwdWpwrWxtszOVgcQ1lRjqmcDEB380_FHnplw1zxfphqJlnRFJOU" \
	"3JBtkuMI5oDsQ','q':'x71be4OQSRrJeJXJKCq3NKbRWmwBulxrTvx7Uhx6PXq7Ny31wfnPAlVP4Y" \
	"t9SouR_PoepLxsS6fvtr2te3Q5Zw','dp':'svKrwPYkSxNI_f1jzDxQB796t2KuKiTG4G6qc03fmI" \
	"huPWbnkqlQgn0-ABZdhYqrsWINf3h5iXFcIhLkWox0cQ','dq':'sOJ6f5l1T6hPP2C2scGSWShaQk" \
	"9gAGAUD_D8bS0W_BcScL1c5JmLv685fK4BGOEdOgFu3ciXxzBD03uKhMfahQ','qi':'oN-WzXSgWp" \
	"gI2gQ0Pfzv86DVjBJDSzoJoP5y0Ztm6jple4-afdizT2y0Fw220RC-2cGUyLePi-n7H5P4LKU6DQ'"
#define EC_PUBLIC "'crv':'P-256','x':'-1A4jylJjQqTrSXsTDQDe508w8ykeH62_tq-KzAD6sg','y':'n3dlyp1ii" \
	"Ob_c09c0I86WSHPVLIbs5i1CsDSV3-gdHI'"
#define EC_D "'d':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAdbzRU'"
#define EC_PRIVATE_PEM "-----BEGIN PRIVATE KEY-----\\n" \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAAAAAAAAAAAAAAAA\\n" \
	"AAAAAAAAAAAAAAAAAAAAAAdbzRWhRANCAAT7UDiPKUmNCpOtJexMNAN7nTzDzKR4\\n" \
	"frb+2r4rMAPqyJ93ZcqdYojm/3NPXNCPOlkhz1SyG7OYtQrA0ld/oHRy\\n" \
	"-----END PRIVATE KEY-----"
#define EC_PUBLIC_PEM "-----BEGIN PUBLIC KEY-----\\n" \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+1A4jylJjQqTrSXsTDQDe508w8yk\\n" \
	"eH62/tq+KzAD6sifd2XKnWKI5v9zT1zQjzpZIc9UshuzmLUKwNJXf6B0cg==\\n" \
	"-----END PUBLIC KEY-----"
#define OTHER_PUBLIC_PEM "-----BEGIN PUBLIC KEY-----\\n" \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEPVpyl7JCVJWYG7jgylCDNp0XiPd5\\n" \
	"x5kLWAKSTLurxswNFP+WDaw9Q/GLyy2eNy91H6WX9f5NrCjHY0i7QHE3Fg==\\n" \
	"-----END PUBLIC KEY-----"
/* RFC 8037 A.1, A.2 */
#define OKP_PUBLIC "'crv':'Ed25519','x':'11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'"
#define OKP_D "'d':'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A'"
/* clang-format on */
