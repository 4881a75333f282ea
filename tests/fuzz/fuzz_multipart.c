/* SPDX-License-Identifier: Apache-2.0
 * The parts of a multipart body lie within it, one behind the other. */
#include <stdint.h>
#include <stdlib.h>

#include "plugin/pdk_multipart.h"
#include "plugin/pdk_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str body = {(const char *)data, size}, rest = body;
	struct str boundary = multipart_boundary(STR("multipart/form-data; boundary=x"));
	struct multipart_part part;
	struct query_item item;

	while (multipart_next(&rest, boundary, &part) == 1)
		if (part.content.n != 0 &&
				(part.content.p < body.p ||
						part.content.p + part.content.n > body.p + body.n))
			abort();
	multipart_boundary(body);
	while (query_next(&body, &item))
		query_name_is(item.name, STR("abc"));
	return 0;
}
