/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pdk_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "plugin/value.h"

void (*pdk_rows_prepare)(struct bench *b);

/* keep(): a tail call would leave no line for an error to point at. */
static const char helper[] = "local function keep(...) return ... end "
			     "local function show(v) if type(v) == 'table' then return 'table' end "
			     "return tostring(v) end "
			     "local function try(f) "
			     "local r = { n = 0 } "
			     "local function take(ok, ...) r.ok = ok r.n = select('#', ...) "
			     "for i = 1, r.n do r[i] = show((select(i, ...))) end end "
			     "take(pcall(f)) "
			     "if not r.ok then local text, n = r[1]:gsub('^handler.lua:%d+: ', '') "
			     "return (n == 1 and '! ' or 'no place! ') .. text end "
			     "return table.concat(r, ', ', 1, r.n) end ";

static void write_plugin(struct buf *b, const char *phase, const char *prelude,
		const struct pdk_row *rows, size_t n)
{
	buf_printf(b, "%s function P:%s(conf) %s ", helper, phase, prelude);
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "kong.ctx.shared.r%zu = try(function() return keep(%s) end)\n", i,
				rows[i].expression);
	buf_printf(b, "end");
}

static void run_phase(struct bench *b, const char *phase)
{
	bench_request(b, "/a%20b/../c?x=1&y&x=2&z=%41+b");
	if (pdk_rows_prepare != NULL)
		pdk_rows_prepare(b);
	if (strcmp(phase, "rewrite") == 0)
		assert_int_equal(chain_rewrite(b->chain), CHAIN_GO_ON);
	bench_route(b, "r", "s");
	assert_int_equal(bench_serve(b, chain_access(b->chain)), CHAIN_GO_ON);
	if (strcmp(phase, "response") == 0)
		assert_int_equal(chain_response(b->chain), CHAIN_GO_ON);
	if (strcmp(phase, "header_filter") == 0)
		assert_int_equal(chain_header_filter(b->chain), CHAIN_GO_ON);
	if (strcmp(phase, "body_filter") == 0)
		chain_body_filter(b->chain);
	if (strcmp(phase, "log") == 0)
		chain_log(b->chain);
}

void pdk_rows_check(struct bench *b, const char *phase, const char *prelude,
		const struct pdk_row *rows, size_t n)
{
	sl_auto_buf text = {.p = NULL};
	unsigned n_wrong = 0;
	char name[32];

	write_plugin(&text, phase, prelude, rows, n);
	bench_plugin_with(b, "p", 1, buf_z(&text), NULL, 1000, 0);
	bench_instance(b, "p", "i-p", (struct bench_scope){.config = "{}"});
	bench_commit(b);
	run_phase(b, phase);
	for (size_t i = 0; i < n; i++) {
		const char *got;

		snprintf(name, sizeof(name), "r%zu", i);
		got = bench_shared(b, name);
		if (strcmp(got, rows[i].expected) == 0)
			continue;
		print_error("%s: %s\n  gives    %s\n  expected %s\n", phase, rows[i].expression,
				got, rows[i].expected);
		n_wrong++;
	}
	assert_int_equal(n_wrong, 0);
}
