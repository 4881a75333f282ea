/* SPDX-License-Identifier: Apache-2.0
 *
 * pdk-doc: prints docs/pdk.md from the tables that make the functions.  Not installed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "plugin/engine.h"
#include "plugin/pdk.h"

#define MODULES_MAX 128

static const char head[] =
		"# What a plugin can call\n"
		"\n"
		"Made from the tables that register the functions (`plugin/pdk-doc` in the build "
		"directory prints it); a test keeps it so.\n"
		"A mark: the function may be called in that phase; elsewhere it raises. *load*:\n"
		"the file itself and `configure`, where there is no request. *retry*: the function "
		"of `set_target_retry_callback`.\n"
		"Functions marked *lax* exist with `untrusted_lua: lax` only. Beside these there "
		"are `kong.ctx.shared`,\n"
		"`kong.ctx.plugin`, `kong.configuration`, `kong.version`, `ngx.var`, `ngx.ctx`, "
		"`ngx.arg`, `ngx.header`, `ngx.status` and the modules that `require` gives.\n";

static const struct {
	uint32_t bit;
	const char *title;
} columns[] = {
		{PDK_CERTIFICATE, "certificate"},
		{PDK_REWRITE, "rewrite"},
		{PDK_ACCESS, "access"},
		{PDK_BALANCER, "retry"},
		{PDK_RESPONSE, "response"},
		{PDK_HEADER_FILTER, "header_filter"},
		{PDK_BODY_FILTER, "body_filter"},
		{PDK_LOG, "log"},
};

static struct module {
	const char *path;
	const struct pdk_function *rows;
	size_t n;
	size_t order;
} modules[MODULES_MAX];
static size_t n_modules;

static void note_module(const char *path, const struct pdk_function *rows, size_t n)
{
	if (n_modules == MODULES_MAX)
		abort();
	modules[n_modules] = (struct module){path, rows, n, n_modules};
	n_modules++;
}

static int order_modules(const void *a, const void *b)
{
	const struct module *x = a, *y = b;
	int r = strcmp(x->path, y->path);

	return r != 0 ? r : x->order < y->order ? -1 : 1;
}

static void print_text(const char *text)
{
	for (; *text != '\0'; text++)
		printf(*text == '|' ? "\\|" : "%c", *text);
}

static void print_function(const char *path, const struct pdk_function *f)
{
	printf("| `%s%s%s` |", path, f->name[0] != '\0' ? "." : "", f->name);
	printf("%s|", f->phases == PDK_ANY ? " • " : " ");
	for (size_t i = 0; i < PDK_COUNT(columns); i++)
		printf("%s|", f->phases == PDK_ANY || (f->phases & columns[i].bit) != 0 ? " • "
											: " ");
	printf(" %s", f->level == VM_LAX ? "*lax*: " : "");
	print_text(f->doc);
	printf(" |\n");
}

static void print_title(const char *path)
{
	printf("\n## %s\n\n| function | load |", path);
	for (size_t i = 0; i < PDK_COUNT(columns); i++)
		printf(" %s |", columns[i].title);
	printf(" what it does |\n|---|");
	for (size_t i = 0; i < PDK_COUNT(columns) + 2; i++)
		printf("---|");
	printf("\n");
}

static void print_modules(void)
{
	qsort(modules, n_modules, sizeof(modules[0]), order_modules);
	printf("%s", head);
	for (size_t i = 0; i < n_modules; i++) {
		if (i == 0 || strcmp(modules[i - 1].path, modules[i].path) != 0)
			print_title(modules[i].path);
		for (size_t k = 0; k < modules[i].n; k++)
			print_function(modules[i].path, &modules[i].rows[k]);
	}
}

int main(void)
{
	const struct engine_conf conf = {
			.level = VM_LAX, .node_id = "", .hostname = "", .version = ""};
	struct pdk_host host = {.conf = &conf,
			.level = VM_LAX,
			.plugin_name = "pdk-doc",
			.phase = PHASE_COUNT};
	const struct vm_limits limits = {.cpu_ms = 0};
	struct why why = WHY_NONE;
	struct vm *vm;

	if (vm_process_init(&why) != 0) {
		fprintf(stderr, "pdk-doc: %s\n", why.text);
		return 1;
	}
	pdk_observer = note_module;
	if (vm_new(&vm, "pdk-doc", VM_LAX, &limits, pdk_open, &host) != 0) {
		fprintf(stderr, "pdk-doc: out of memory\n");
		return 1;
	}
	pdk_observer = NULL;
	vm_free(vm);
	print_modules();
	return 0;
}
