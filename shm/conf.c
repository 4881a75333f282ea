/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "shm/conf_file.h"
#include "shm/conf_row.h"

#define FD_BYTES_MAX (1 << 20)

void conf_free(struct conf *c)
{
	size_t n;
	const struct conf_row *rows = conf_rows(&n);

	for (size_t i = 0; c != NULL && i < n; i++) {
		const char **owned = conf_row_owned(&rows[i], c);

		if (owned != NULL)
			free((void *)(uintptr_t)*owned);
	}
	free(c);
}

static int conf_set_defaults(struct conf *c)
{
	size_t n;
	const struct conf_row *rows = conf_rows(&n);
	struct conf_problem problem;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = conf_row_set(&rows[i], c, str_of(rows[i].def), &problem);
	return r;
}

static void env_name(const struct conf_row *row, char *buf, size_t size)
{
	snprintf(buf, size, "SLUICE_%s", row->name);
	for (; *buf != '\0'; buf++)
		if (*buf >= 'a' && *buf <= 'z')
			*buf = (char)(*buf - 'a' + 'A');
}

static int conf_read_env(struct conf *c, struct why *why)
{
	size_t n;
	const struct conf_row *rows = conf_rows(&n);
	struct conf_problem problem;
	char name[64];
	int r;

	for (size_t i = 0; i < n; i++) {
		const char *value;

		env_name(&rows[i], name, sizeof(name));
		value = getenv(name);
		if (value == NULL)
			continue;
		r = conf_row_set(&rows[i], c, str_of(value), &problem);
		if (r == -EINVAL)
			why_set(why, name, 0, "%s", problem.text);
		if (r < 0)
			return r;
	}
	return 0;
}

static struct str without_tls(struct str address)
{
	return str_ends(address, STR(" ssl")) ? str_trim(str_head(address, address.n - 4))
					      : address;
}

static unsigned list_count(const char *list)
{
	struct str one;
	unsigned n = 0;

	while (conf_list_next(&list, &one))
		n++;
	return n;
}

/* Where both lists have the same address; port 0 is another one every time. */
static bool conf_share_address(const char *a, const char *b, struct str *ret)
{
	struct str other;

	while (conf_list_next(&a, ret))
		for (const char *at = b; conf_list_next(&at, &other);)
			if (str_eq(without_tls(*ret), without_tls(other)) &&
					!str_ends(other, STR(":0")))
				return true;
	return false;
}

/* Else it would be found only when the second listens. */
static int conf_check_listeners(const struct conf *c, struct why *why)
{
	const char *names[] = {"proxy_listen", "admin_listen", "status_listen"};
	const char *lists[] = {c->proxy_listen, c->admin_listen, c->status_listen};
	struct str same;

	for (size_t i = 0; i < 3; i++) {
		size_t next = (i + 1) % 3;

		if (!conf_share_address(lists[i], lists[next], &same))
			continue;
		why_set(why, NULL, 0, "%s and %s are both %.*s", names[i], names[next], (int)same.n,
				same.p);
		return -EINVAL;
	}
	return 0;
}

/* What no single key can tell. */
static int conf_check_together(const struct conf *c, struct why *why)
{
	const char *problem = NULL, *at = c->cluster_control_plane;
	struct str peer;

	if ((c->cluster_cert[0] != '\0') != (c->cluster_cert_key[0] != '\0'))
		problem = "cluster_cert and cluster_cert_key must be given together";
	else if (strcmp(c->role, "data_plane") == 0 && !conf_list_next(&at, &peer))
		problem = "role data_plane needs cluster_control_plane";
	else if (list_count(c->ssl_cert) != list_count(c->ssl_cert_key))
		problem = "ssl_cert and ssl_cert_key must be given together, as many of each";
	else if (c->declarative_config[0] != '\0' && strcmp(c->database, "off") != 0)
		problem = "declarative_config is read only with database: off";
	if (problem == NULL)
		return conf_check_listeners(c, why);
	why_set(why, NULL, 0, "%s", problem);
	return -EINVAL;
}

int conf_load(struct conf **ret, const char *file, struct why *why)
{
	sl_auto(conf) c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL)
		return -ENOMEM;
	r = conf_set_defaults(c);
	if (r == 0 && file != NULL)
		r = conf_file_read(c, file, why);
	if (r == 0)
		r = conf_read_env(c, why);
	if (r == 0)
		r = conf_check_together(c, why);
	if (r < 0)
		return r;
	*ret = sl_steal(c);
	return 0;
}

/* key NUL value NUL … */
int conf_to_fd(const struct conf *c, struct why *why)
{
	sl_auto_fd int fd = memfd_create("conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	sl_auto_buf text = {.p = NULL};
	size_t n;
	const struct conf_row *rows = conf_rows(&n);

	if (fd < 0)
		return why_errno(why, errno, "cannot create the shared configuration");
	for (size_t i = 0; i < n; i++) {
		char number[32];
		const char *value = conf_row_text(&rows[i], c, number, sizeof(number));

		buf_add(&text, rows[i].name, strlen(rows[i].name) + 1);
		buf_add(&text, value, strlen(value) + 1);
	}
	if (text.is_failed)
		return -ENOMEM;
	if (write(fd, text.p, text.n) != (ssize_t)text.n ||
			fcntl(fd, F_ADD_SEALS,
					F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !=
					0)
		return why_errno(why, errno, "cannot write the shared configuration");
	return sl_steal_fd(&fd);
}

static bool take_z(struct str *rest, struct str *ret)
{
	const char *end = rest->n != 0 ? memchr(rest->p, '\0', rest->n) : NULL;

	if (end == NULL)
		return false;
	*ret = str_head(*rest, (size_t)(end - rest->p));
	*rest = str_from(*rest, ret->n + 1);
	return true;
}

static int conf_read_pairs(struct conf *c, struct str rest, struct why *why)
{
	struct conf_problem problem;
	struct str name, value;
	int r;

	while (rest.n != 0) {
		const struct conf_row *row;

		if (!take_z(&rest, &name) || !take_z(&rest, &value) ||
				(row = conf_row_find(name)) == NULL) {
			why_set(why, NULL, 0, "the inherited configuration is malformed");
			return -EINVAL;
		}
		r = conf_row_set(row, c, value, &problem);
		if (r == -EINVAL)
			why_set(why, NULL, 0, "inherited %s: %s", row->name, problem.text);
		if (r < 0)
			return r;
	}
	return 0;
}

int conf_from_fd(struct conf **ret, int fd, struct why *why)
{
	sl_auto(conf) c = calloc(1, sizeof(*c));
	sl_auto_buf text = {.p = NULL};
	struct stat st;
	int r;

	if (c == NULL)
		return -ENOMEM;
	if (fstat(fd, &st) != 0)
		return why_errno(why, errno, "fd %d is not a configuration", fd);
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > FD_BYTES_MAX) {
		why_set(why, NULL, 0, "fd %d is not a configuration", fd);
		return -EINVAL;
	}
	if (!buf_reserve(&text, (size_t)st.st_size))
		return -ENOMEM;
	if (pread(fd, text.p, (size_t)st.st_size, 0) != st.st_size)
		return why_errno(why, EIO, "cannot read the configuration on fd %d", fd);
	text.n = (size_t)st.st_size;
	r = conf_set_defaults(c);
	if (r == 0)
		r = conf_read_pairs(c, buf_str(&text), why);
	if (r < 0)
		return r;
	*ret = sl_steal(c);
	return 0;
}

void conf_print_help(FILE *out)
{
	size_t n;
	const struct conf_row *rows = conf_rows(&n);
	char name[64];

	fputs("# Node configuration of Sluice (sluice.yaml).  Every key is optional; an "
	      "environment\n"
	      "# variable of the name shown overrides the file.  Sizes take k, m, g.\n",
			out);
	for (size_t i = 0; i < n; i++) {
		env_name(&rows[i], name, sizeof(name));
		fprintf(out, "\n# %s\n# %s\n#%s: %s\n", rows[i].help, name, rows[i].name,
				rows[i].def[0] != '\0' ? rows[i].def : "\"\"");
	}
}
