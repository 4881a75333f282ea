/* SPDX-License-Identifier: Apache-2.0
 * kong.tracing and the trace of a request. */
#include <stdio.h>
#include <string.h>

#include "plugin/telemetry.h"
#include "plugin/trace.h"
#include "plugin/traceparent.h"
#include "tests/unit/pdk_rows.h"

static const uint8_t trace_id[TRACE_ID_BYTES] = "0123456789abcdef";
static uint32_t n_spans_seen;

/* A sampled trace with the gateway's root span. */
static void prepare(struct bench *b)
{
	struct trace *t = trace_new(b->arena, trace_id);

	assert_non_null(t);
	t->is_sampled = true;
	t->rate = 0.5;
	t->parts = trace_parts("all");
	b->x.trace = t;
	trace_set_active(t, trace_start_span(t, STR("kong"), NULL, SPAN_SERVER));
}

static const char spans_of[] = "local function n() return kong.tracing.get_spans()[0] end "
			       "local function s(...) return kong.tracing.start_span(...) end "
			       "local x = s('mine') ";

static void wrong_arguments_raise_the_documented_texts(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.tracing.start_span()", "! invalid span name"},
			{"kong.tracing.start_span('')", "! invalid span name"},
			{"kong.tracing.start_span('a', 1)", "! invalid options type"},
			{"s('a', {start_time_ns = 'x'})", "! invalid start time"},
			{"s('a', {span_kind = 'x'})", "! invalid start kind"},
			{"s('a', {should_sample = 1})", "! invalid sampled"},
			{"s('a', {attributes = 1})", "! invalid attributes"},
			{"kong.tracing.create_span(1)", "! invalid tracer"},
			{"kong.tracing.create_span(nil, 1)", "! invalid options type"},
			{"kong.tracing.link_span(1)", "! invalid tracer"},
			{"kong.tracing.link_span(nil, 1)", "! invalid span"},
			{"kong.tracing.link_span(nil, x, 1)", "! invalid span name"},
			{"x:set_attribute(1, 2)", "! invalid key"},
			{"x:add_event(1)", "! invalid name"},
			{"x:add_event('a', 1)", "! invalid attribute"},
			{"x:add_event('a', {}, 'x')", "! invalid time"},
			{"x:set_status('x')", "! invalid status"},
			{"x:add_span_link(1)", "! invalid span"},
			{"x:finish('x')", "! invalid span end time"},
			{"x:finish(1)", "! invalid span duration"},
			{"kong.tracing.process_span(1)",
					"! function cannot be called in access phase (only in: "
					"log)"},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "access", spans_of, rows);
}

static void a_span_tells_what_it_was_told(void **state)
{
	static const struct pdk_row rows[] = {
			{"x.name, x.kind, x.should_sample", "mine, 1, true"},
			{"#x.span_id, x.trace_id, x.end_time_ns", "8, 0123456789abcdef, nil"},
			{"x.parent == kong.tracing.active_span(), x.parent.name",
					"true, kong.access.plugin.p"},
			{"kong.tracing.get_root_span().name, kong.tracing.get_root_span().kind",
					"kong, 2"},
			{"x:set_attribute('a', 'b')", ""},
			{"x:set_attribute('n', 1.5)", ""},
			{"x:set_attribute('gone', 1), x:set_attribute('gone', nil)", "nil"},
			{"x:set_attribute('t', {})", ""},
			{"x.attributes.a, x.attributes.n, x.attributes.gone, x.attributes.t",
					"b, 1.5, nil, nil"},
			{"x:add_event('e', {k = true}, 123456789)", ""},
			{"x.events[1].name, x.events[1].attributes.k, x.events[1].time_ns",
					"e, true, 123456789"},
			{"x:record_error('oops')", ""},
			{"x.events[2].name, x.events[2].attributes['exception.message']",
					"exception, oops"},
			{"x:set_status(2), x.status", "nil, 2"},
			{"(function() x.name = 'other' x.mine = 7 return x.name, x.mine end)()",
					"other, 7"},
			{"(function() for k, v in x:each_baggage_item() do return k, v end "
			 "return 'none' end)()",
					"none"},
			{"x:set_baggage_item('user', 'u1')", ""},
			{"(function() for k, v in x:each_baggage_item() do return k, v end end)()",
					"user, u1"},
			{"(function() local y = s('b', {start_time_ns = 1000, span_kind = 3, "
			 "attributes = {q = 1}}) y:finish(2000) y:finish(3000) "
			 "return y.start_time_ns, y.end_time_ns, y.kind, y.attributes.q end)()",
					"1000, 2000, 3, 1"},
			{"(function() kong.tracing.set_active_span(x) local y = s('below') "
			 "x:finish() return y.parent == x, kong.tracing.active_span() == x, "
			 "kong.tracing.active_span().name end)()",
					"true, false, kong.access.plugin.p"},
			{"(function() local y = kong.tracing.create_span(kong.tracing, {}) "
			 "local before = n() kong.tracing.link_span(nil, y, 'late') "
			 "return before, n(), y.name, y.linked end)()",
					"5, 6, late, true"},
			{"getmetatable(x), pcall(setmetatable, x, {})",
					"false, false, cannot change a protected metatable"},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "access", spans_of, rows);
}

static void sampling_follows_the_parent_then_the_rate(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.tracing:get_sampling_decision(false, 1)", "false"},
			{"kong.tracing.get_sampling_decision(nil, 1)", "true"},
			{"kong.tracing.get_sampling_decision(true, 0)", "false"},
			{"kong.tracing.get_sampling_decision(true, 'x')", "true"},
			{"kong.tracing.get_probability_sampling_decision(1)", "true"},
			{"kong.tracing.get_probability_sampling_decision(0)", "false"},
			{"s('child', {should_sample = false}).should_sample", "true"},
			{"kong.tracing.create_span(nil, {}).should_sample", "false"},
			{"kong.tracing:set_should_sample(false), x.should_sample", "nil, false"},
			{"s('later').should_sample", "false"},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "access", spans_of, rows);
}

static void off_means_a_tracer_that_does_nothing(void **state)
{
	static const struct pdk_row rows[] = {
			{"s().is_recording", "false"},
			{"s():set_attribute(1, 2), s():finish('x'), s():add_event(), "
			 "s():set_status()",
					"nil, nil, nil"},
			{"s():each_baggage_item()()", ""},
			{"(function() local y = s() y.field = 1 return y.field end)()", "nil"},
			{"kong.tracing.active_span(), kong.tracing.get_root_span()", "nil, nil"},
			{"kong.tracing.get_spans(), kong.tracing.set_should_sample(true)", "nil"},
			{"kong.tracing.get_sampling_decision(true, 1)", ""},
			{"kong.tracing.create_span().is_recording", "false"},
			{"kong.tracing.link_span()", ""},
			{"kong.tracing.set_active_span(s())", ""},
	};

	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(*state, "access",
			"local function s(...) return kong.tracing.start_span(...) end ", rows);
}

static void a_forged_span_reaches_nothing(void **state)
{
	static const struct pdk_row rows[] = {
			{"x.finish({handle = 2^41})", ""},
			{"x.finish({handle = -1}), x.finish({handle = 0/0}), x.finish({handle = "
			 "1/0})",
					"nil, nil"},
			{"x.finish({handle = 'x'}), x.finish({}), x.finish(), x.finish(1)",
					"nil, nil, nil"},
			{"x.set_attribute({handle = x.handle + 500}, 'a', 'b')", ""},
			{"x.set_baggage_item({}, 'a', 'b')", ""},
			{"kong.tracing.set_active_span({handle = 1e300})", ""},
			{"s('y', {parent = {handle = 1e15}}).parent", "nil"},
			{"s('y', {parent = {span_id = '12345678'}}).parent_id", "12345678"},
			{"x:add_span_link({trace_id = 'short', span_id = 'short'})", ""},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "access", spans_of, rows);
}

static void a_request_has_a_bounded_number_of_spans(void **state)
{
	static const struct pdk_row rows[] = {
			{"(function() for i = 1, 10000 do s('many') end return n() end)()", "1000"},
			{"s('one more').is_recording", "false"},
			{"(function() for i = 1, 300 do x:set_attribute('k' .. i, i) end "
			 "local n = 0 for _ in pairs(x.attributes) do n = n + 1 end return n "
			 "end)()",
					"128"},
			{"(function() for i = 1, 300 do x:add_event('e') end return #x.events "
			 "end)()",
					"128"},
			{"(function() x:set_attribute('k1', ('v'):rep(1e6)) "
			 "return #x.attributes.k1 end)()",
					"4096"},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "access", spans_of, rows);
}

static void the_log_phase_walks_all_spans(void **state)
{
	static const struct pdk_row rows[] = {
			{"(function() local names = {} kong.tracing.process_span(function(s, a, b) "
			 "names[#names + 1] = s.name .. a .. b end, '-', '!') "
			 "return table.concat(names, ' ') end)()",
					"kong-! kong.log.plugin.p-! mine-!"},
			{"kong.tracing.process_span(1)", "! processor must be a function"},
			{"kong.tracing.process_span(function() error('mine') end)", "! mine"},
	};

	pdk_rows_prepare = prepare;
	PDK_ROWS_CHECK(*state, "log", spans_of, rows);
}

static void plugins_of_one_request_share_its_trace(void **state)
{
	struct bench *b = *state;
	struct trace *t;

	bench_plugin(b, "one", 2,
			"function P:access() local s = kong.tracing.start_span('of one') "
			"kong.tracing.set_active_span(s) end");
	bench_plugin(b, "two", 1,
			"function P:access() kong.tracing.start_span('of two'):finish() "
			"kong.ctx.shared.n = kong.tracing.get_spans()[0] error('broken') end");
	bench_instance(b, "one", "i-one", (struct bench_scope){.config = "{}"});
	bench_instance(b, "two", "i-two", (struct bench_scope){.config = "{}"});
	bench_commit(b);
	bench_request(b, "/");
	prepare(b);
	t = b->x.trace;
	bench_route(b, "r", "s");
	assert_int_equal(chain_access(b->chain), CHAIN_ANSWER);
	assert_string_equal(bench_shared(b, "n"), "5");
	assert_int_equal(t->n, 5);
	assert_string_equal(bench_text(t->v[1]->name), "kong.access.plugin.one");
	assert_string_equal(bench_text(t->v[2]->name), "of one");
	assert_ptr_equal(t->v[2]->parent, t->v[1]);
	assert_string_equal(bench_text(t->v[3]->name), "kong.access.plugin.two");
	assert_ptr_equal(t->v[3]->parent, t->root);
	assert_ptr_equal(t->v[4]->parent, t->v[3]);
	assert_int_equal(t->v[3]->status, SPAN_ERROR);
	assert_int_not_equal(t->v[3]->end_ns, 0);
	assert_ptr_equal(t->active, t->root);
}

/* telemetry_sink.log */
static void take_record(void *arg, const struct telemetry_record *r)
{
	n_spans_seen++;
	snprintf(arg, 256, "%.*s|%.*s|%.*s|%.*s|%u", STR_ARG(r->plugin), STR_ARG(r->type),
			STR_ARG(r->message), STR_ARG(r->instance),
			r->attributes != NULL ? r->attributes->n : 0);
}

static void a_log_record_reaches_the_sink(void **state)
{
	static const struct pdk_row rows[] = {
			{"kong.telemetry.log('p', {plugin_instance_name = 'i'}, 't', 'm', {a = 1})",
					"true"},
			{"kong.telemetry.log('p', {}, 't', nil, {f = print})",
					"nil, attributes cannot hold a function"},
			{"kong.telemetry.log('p', {}, 't', nil, {f = ('x'):rep(1e6)})",
					"nil, attributes are too large"},
			{"kong.telemetry.log(1)", "nil, plugin_name must be a string"},
			{"kong.telemetry.log('p', {}, 1)", "nil, message_type must be a string"},
			{"kong.telemetry.log('p', {}, 't', 'm', 1)",
					"nil, attributes must be a table"},
	};
	static char seen[256];
	const struct telemetry_sink sink = {take_record, seen};
	struct bench *b = *state;
	struct why why = WHY_NONE;

	b->conf.telemetry = &sink;
	engine_free(b->engine);
	assert_int_equal(engine_new(&b->engine, &b->conf, &why), 0);
	n_spans_seen = 0;
	pdk_rows_prepare = NULL;
	PDK_ROWS_CHECK(b, "access", "", rows);
	assert_int_equal(n_spans_seen, 1);
	assert_string_equal(seen, "p|t|m|i|1");
}

static void a_traceparent_is_read_as_the_standard_says(void **state)
{
	static const struct {
		const char *text;
		int expected; /* 0 not sampled, 1 sampled, -1 refused */
	} rows[] = {
			{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 1},
			{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", 0},
			{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03", 1},
			{"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", 1},
			{"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 1},
			{"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what", -1},
			{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", -1},
			{"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", -1},
			{"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", -1},
			{"00-00000000000000000000000000000000-b7ad6b7169203331-01", -1},
			{"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", -1},
			{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", -1},
			{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x", -1},
			{"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", -1},
			{"", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct traceparent p;
		int r = traceparent_parse(str_of(rows[i].text), &p);

		assert_int_equal(r == 0 ? p.is_sampled : -1, rows[i].expected);
	}
}

static void what_is_written_is_read_back(void **state)
{
	struct traceparent p = {.is_sampled = true}, q;
	char text[TRACEPARENT_CHARS + 1];

	(void)state;
	memcpy(p.trace_id, trace_id, TRACE_ID_BYTES);
	span_new_id(p.span_id);
	traceparent_write(&p, text);
	assert_int_equal(traceparent_parse(str_of(text), &q), 0);
	assert_memory_equal(p.trace_id, q.trace_id, TRACE_ID_BYTES);
	assert_memory_equal(p.span_id, q.span_id, SPAN_ID_BYTES);
	assert_true(q.is_sampled);
}

static void a_rate_chooses_that_share_of_ids(void **state)
{
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		uint8_t id[TRACE_ID_BYTES];

		span_new_id(id);
		span_new_id(id + SPAN_ID_BYTES);
		n += trace_is_chosen(id, 0.25);
		assert_true(trace_is_chosen(id, 1));
		assert_false(trace_is_chosen(id, 0));
	}
	assert_in_range(n, 2200, 2800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
			BENCH_TEST(wrong_arguments_raise_the_documented_texts),
			BENCH_TEST(a_span_tells_what_it_was_told),
			BENCH_TEST(sampling_follows_the_parent_then_the_rate),
			BENCH_TEST(off_means_a_tracer_that_does_nothing),
			BENCH_TEST(a_forged_span_reaches_nothing),
			BENCH_TEST(a_request_has_a_bounded_number_of_spans),
			BENCH_TEST(the_log_phase_walks_all_spans),
			BENCH_TEST(plugins_of_one_request_share_its_trace),
			BENCH_TEST(a_log_record_reaches_the_sink),
			cmocka_unit_test(a_traceparent_is_read_as_the_standard_says),
			cmocka_unit_test(what_is_written_is_read_back),
			cmocka_unit_test(a_rate_chooses_that_share_of_ids),
	};

	return cmocka_run_group_tests(tests, bench_process, NULL);
}
