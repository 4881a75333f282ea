/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tools/verbs.h"

/* %1$s is the plugin's name. */
static const struct {
	const char *file, *text;
} templates[] = {
		{"handler.lua", "local Handler = {\n"
				"  PRIORITY = 1000,\n"
				"  VERSION = \"0.1.0\",\n"
				"}\n"
				"\n"
				"function Handler:access(conf)\n"
				"  kong.service.request.set_header(conf.header_name, \"%1$s\")\n"
				"end\n"
				"\n"
				"function Handler:header_filter(conf)\n"
				"  kong.response.set_header(conf.header_name, \"%1$s\")\n"
				"end\n"
				"\n"
				"return Handler\n"},
		{"schema.lua", "return {\n"
			       "  name = \"%1$s\",\n"
			       "  fields = {\n"
			       "    { config = {\n"
			       "        type = \"record\",\n"
			       "        fields = {\n"
			       "          { header_name = { type = \"string\", required = true, "
			       "default = \"X-Plugin\",\n"
			       "              description = \"The header to set.\" } },\n"
			       "        },\n"
			       "    } },\n"
			       "  },\n"
			       "}\n"},
		{"test.yaml", "plugin: %1$s\n"
			      "cases:\n"
			      "  - name: the service and the client get the header\n"
			      "    config: { header_name: X-Test }\n"
			      "    request: { method: GET, path: /hello }\n"
			      "    response: { status: 200, body: hi }\n"
			      "    expect:\n"
			      "      status: 200\n"
			      "      headers: { X-Test: \"%1$s\" }\n"
			      "      body: hi\n"
			      "      service: { path: /hello, headers: { X-Test: \"%1$s\" } }\n"},
};

/* What a plugin may be called: its name stands in three files. */
static bool is_name(const char *name)
{
	return name[0] != '\0' && strlen(name) <= 64 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
			       strlen(name);
}

static int write_file(const char *directory, const char *file, const char *text, const char *name)
{
	sl_auto_mem char *path = NULL;
	int fd, r;

	if (asprintf(&path, "%s/%s", directory, file) < 0)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		r = -errno;
		fprintf(stderr, "sluicectl: cannot write %s: %s\n", path, strerror(-r));
		return r;
	}
	for (const char *at = text; *at != '\0';) {
		const char *mark = strstr(at, "%1$s");
		int n = mark != NULL ? (int)(mark - at) : (int)strlen(at);

		dprintf(fd, "%.*s%s", n, at, mark != NULL ? name : "");
		at += n + (mark != NULL ? 4 : 0);
	}
	close(fd);
	printf("%s\n", path);
	return 0;
}

enum ctl_exit verb_plugin_new(const struct ctl *ctl)
{
	const char *name = ctl->args[0];
	const char *directory = ctl->n_args > 1 ? ctl->args[1] : name;

	if (!is_name(name)) {
		fprintf(stderr, "sluicectl: \"%s\": a plugin's name is letters, digits, - and _\n",
				name);
		return CTL_USAGE;
	}
	if (mkdir(directory, 0777) < 0 && errno != EEXIST) {
		fprintf(stderr, "sluicectl: cannot make %s: %s\n", directory, strerror(errno));
		return CTL_USAGE;
	}
	for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++)
		if (write_file(directory, templates[i].file, templates[i].text, name) < 0)
			return CTL_USAGE;
	return CTL_OK;
}
