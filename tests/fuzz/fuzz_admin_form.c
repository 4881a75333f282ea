/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "control/admin_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte chooses the parser; for multipart the next few are the boundary. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str body = {(const char *)data + 1, size - 1}, boundary;
	struct why why = WHY_NONE;
	json_t *got = NULL;

	if (size < 8)
		return 0;
	if (data[0] % 4 == 0)
		admin_form_parse(body, &got, &why);
	else if (data[0] % 4 == 1)
		admin_multipart_parse(str_from(body, 3), str_head(body, 3), &got, &why);
	else if (data[0] % 4 == 2)
		admin_json_parse(body, &got, &why);
	else
		admin_body_type(body, &boundary);
	json_decref(got);
	return 0;
}
