/* SPDX-License-Identifier: Apache-2.0 */
#include "master/proc.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* proc(5): the name, field 2, may hold anything; utime is field 14, rss field 24. */
#define FIELDS_BEFORE_UTIME 11
#define FIELDS_BEFORE_RSS 21

static const char *skip_fields(const char *p, unsigned n)
{
	for (; n > 0; n--) {
		p = strchr(p, ' ');
		if (p == NULL)
			return "";
		p++;
	}
	return p;
}

void proc_read(struct proc_usage *ret, pid_t pid)
{
	char path[32], text[1024];
	unsigned long long user = 0, system = 0, pages = 0;
	sl_auto_file FILE *f = NULL;
	const char *state;
	size_t n;

	*ret = (struct proc_usage){.cpu_ms = 0};
	if (pid <= 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	state = strrchr(text, ')');
	if (state == NULL || state[1] != ' ')
		return;
	state += 2;
	if (sscanf(skip_fields(state, FIELDS_BEFORE_UTIME), "%llu %llu", &user, &system) != 2 ||
			sscanf(skip_fields(state, FIELDS_BEFORE_RSS), "%llu", &pages) != 1)
		return;
	ret->cpu_ms = (user + system) * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK);
	ret->rss_bytes = pages * (unsigned long long)sysconf(_SC_PAGESIZE);
}
