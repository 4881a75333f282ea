/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "control/declarative.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct why why = WHY_NONE;
	struct declarative d;

	declarative_parse(&d, (struct str){(const char *)data, size}, &why);
	declarative_done(&d);
	return 0;
}
