/* SPDX-License-Identifier: Apache-2.0
 *
 * A node configuration: what is accepted survives the way to a child unchanged.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shm/conf.h"
#include "shm/conf_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	sl_auto(conf) c = NULL;
	sl_auto(conf) child = NULL;
	struct conf_address address;
	struct why why = WHY_NONE;
	struct str text = {(const char *)data, size}, member;
	const char *at;
	int fd;

	if (conf_load(&c, NULL, &why) != 0)
		abort();
	conf_parse_address(text, &address, &why);
	if (conf_text_read(c, "fuzz", text, &why) != 0) {
		if (why.text[0] == '\0')
			abort();
		return 0;
	}
	fd = conf_to_fd(c, &why);
	if (fd < 0 || conf_from_fd(&child, fd, &why) != 0)
		abort();
	close(fd);
	if (strcmp(c->proxy_listen, child->proxy_listen) != 0 || c->header_max != child->header_max)
		abort();
	at = c->proxy_listen;
	while (conf_list_next(&at, &member))
		if (conf_parse_address(member, &address, &why) != 0)
			abort();
	return 0;
}
