/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/programs.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

/* X(program, folder of the build tree) */
#define PROGRAM_TABLE(X) \
	X("sluiced", "master") \
	X("sluice-worker", "worker") \
	X("sluice-control", "control") \
	X("sluice-check", "plugin") \
	X("sluicectl", "tools")

static const struct {
	const char *name, *folder;
} programs[] = {
#define X(name, folder) {name, folder},
		PROGRAM_TABLE(X)
#undef X
};

#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))

struct search {
	const char *name;
	char path[PATH_MAX];
	struct buf tried;
};

static bool search_try(struct search *s, const char *dir, const char *folder)
{
	struct stat st;
	int n = snprintf(s->path, sizeof(s->path), "%s/%s%s%s", dir, folder,
			folder[0] != '\0' ? "/" : "", s->name);

	if (n < 0 || (size_t)n >= sizeof(s->path))
		return false;
	if (stat(s->path, &st) == 0 && S_ISREG(st.st_mode) && access(s->path, X_OK) == 0)
		return true;
	buf_printf(&s->tried, "%s%s", s->tried.n != 0 ? ", " : "", s->path);
	return false;
}

static bool self_dir(char *dir, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", dir, size - 1);
	char *slash;

	if (n <= 0 || (size_t)n >= size - 1)
		return false;
	dir[n] = '\0';
	slash = strrchr(dir, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

/* Only a directory named as a folder of the build tree has siblings that may be run. */
static bool search_build_tree(struct search *s, const char *dir, const char *folder)
{
	const char *last = strrchr(dir, '/');
	char root[PATH_MAX];

	if (last == NULL)
		return false;
	for (size_t i = 0; i < PROGRAMS; i++) {
		if (strcmp(last + 1, programs[i].folder) != 0)
			continue;
		snprintf(root, sizeof(root), "%.*s", (int)(last - dir), dir);
		return search_try(s, root, folder);
	}
	if (strcmp(last, "/unit") == 0 && last - dir > 6 && memcmp(last - 6, "/tests", 6) == 0) {
		snprintf(root, sizeof(root), "%.*s", (int)(last - dir) - 6, dir);
		return search_try(s, root, folder);
	}
	return false;
}

static bool search_all(struct search *s, const char *folder)
{
	const char *libexec = getenv("SLUICE_LIBEXEC");
	char dir[PATH_MAX];

	if (libexec != NULL && libexec[0] == '/' && search_try(s, libexec, ""))
		return true;
	if (self_dir(dir, sizeof(dir)) &&
			(search_build_tree(s, dir, folder) || search_try(s, dir, "")))
		return true;
	return search_try(s, PKGLIBEXECDIR, "") || search_try(s, SBINDIR, "") ||
	       search_try(s, BINDIR, "");
}

int program_find(const char *name, char **ret, struct why *why)
{
	sl_auto_mem struct search *s = calloc(1, sizeof(*s));
	const char *folder = NULL;
	bool is_found;

	for (size_t i = 0; i < PROGRAMS; i++)
		if (strcmp(programs[i].name, name) == 0)
			folder = programs[i].folder;
	if (folder == NULL) {
		why_set(why, NULL, 0, "%s is not a program of Sluice", name);
		return -EINVAL;
	}
	if (s == NULL)
		return -ENOMEM;
	s->name = name;
	is_found = search_all(s, folder);
	if (!is_found)
		why_set(why, NULL, 0, "%s is not installed; looked for %.*s", name,
				STR_ARG(buf_str(&s->tried)));
	buf_done(&s->tried);
	if (!is_found)
		return -ENOENT;
	*ret = strdup(s->path);
	return *ret != NULL ? 0 : -ENOMEM;
}
