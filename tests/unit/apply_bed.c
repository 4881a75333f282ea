/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/apply_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/sha.h>
#include <string.h>

#include "master/wanted.h"
#include "stream/digest.h"

static const char schema_v1[] =
		"{\"name\":\"greet\",\"fields\":[{\"config\":{\"type\":\"record\",\"fields\":["
		"{\"word\":{\"type\":\"string\"}}]}}]}";

int bed_set_up(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	snprintf(b->dir, sizeof(b->dir), "/tmp/sluice-test-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	assert_int_equal(snapshot_writer_open(&b->writer, b->dir, (unsigned)-1, &b->why), 0);
	*state = b;
	return 0;
}

int bed_tear_down(void **state)
{
	struct bed *b = *state;
	char command[128];

	plan_free(b->plan);
	snapshot_writer_free(b->writer);
	snprintf(command, sizeof(command), "rm -r %s", b->dir);
	assert_int_equal(system(command), 0);
	free(b);
	return 0;
}

void bed_begin(struct bed *b, uint64_t base, uint64_t generation)
{
	static uint8_t nonce[] = "1234", epoch[] = "0123456789abcdef";

	sluice__stream__v1__update__init(&b->update);
	b->update.nonce = (ProtobufCBinaryData){.len = 4, .data = nonce};
	b->update.epoch = (ProtobufCBinaryData){.len = 16, .data = epoch};
	b->update.base_generation = base;
	b->update.generation = generation;
	b->update.resources = b->resources;
	b->update.removed = b->removed;
}

void bed_add(struct bed *b, uint32_t kind, const char *id, uint64_t version,
		const ProtobufCMessage *m)
{
	struct resource *x = &b->store[b->update.n_resources];

	sluice__stream__v1__resource__init(&x->r);
	x->r.kind = kind;
	x->r.id = (char *)(uintptr_t)id;
	x->r.version = version;
	x->r.spec.data = x->spec;
	assert_true(protobuf_c_message_get_packed_size(m) <= sizeof(x->spec));
	x->r.spec.len = protobuf_c_message_pack(m, x->spec);
	SHA256(x->spec, x->r.spec.len, x->sha256);
	x->r.spec_sha256 = (ProtobufCBinaryData){.len = 32, .data = x->sha256};
	b->resources[b->update.n_resources++] = &x->r;
}

void bed_add_service(struct bed *b, const char *id, uint64_t version)
{
	Sluice__Record__Service s;

	sluice__record__service__init(&s);
	s.id = (char *)(uintptr_t)id;
	s.name = s.id;
	s.host = (char[]){"h"};
	bed_add(b, KIND(SERVICE), id, version, &s.base);
}

void bed_add_route(struct bed *b, const char *id, const char *service)
{
	Sluice__Record__Route r;

	sluice__record__route__init(&r);
	r.id = (char *)(uintptr_t)id;
	r.name = r.id;
	r.service_id = (char *)(uintptr_t)service;
	bed_add(b, KIND(ROUTE), id, 1, &r.base);
}

void bed_add_instance(struct bed *b, const char *id, uint64_t version, const char *config)
{
	Sluice__Record__PluginInstance i;

	sluice__record__plugin_instance__init(&i);
	i.id = (char *)(uintptr_t)id;
	i.name = (char[]){"greet"};
	i.enabled = true;
	i.config = (ProtobufCBinaryData){
			.len = strlen(config), .data = (uint8_t *)(uintptr_t)config};
	bed_add(b, KIND(PLUGIN_INSTANCE), id, version, &i.base);
}

void bed_add_code(struct bed *b, uint64_t version, const char *handler)
{
	Sluice__Record__PluginCode c;
	uint8_t both[64], sha256[32];

	sluice__record__plugin_code__init(&c);
	SHA256((const uint8_t *)handler, strlen(handler), both);
	SHA256((const uint8_t *)"schema", 6, both + 32);
	SHA256(both, sizeof(both), sha256);
	c.id = (char[]){"code"};
	c.name = (char[]){"greet"};
	c.handler_sha256 = (ProtobufCBinaryData){.len = 32, .data = both};
	c.schema_sha256 = (ProtobufCBinaryData){.len = 32, .data = both + 32};
	c.version_sha256 = (ProtobufCBinaryData){.len = 32, .data = sha256};
	c.handler_bytes = (uint32_t)strlen(handler);
	c.schema_bytes = 6;
	c.priority = 999999; /* control's word, to be overwritten */
	bed_add(b, KIND(PLUGIN_CODE), "code", version, &c.base);
	assert_int_equal(snapshot_put_blob(b->writer, both, str_of(handler), &b->why), 0);
	assert_int_equal(snapshot_put_blob(b->writer, both + 32, STR("schema"), &b->why), 0);
}

void bed_remove_one(struct bed *b, uint32_t kind, const char *id)
{
	size_t n = b->update.n_removed++;

	sluice__stream__v1__resource_id__init(&b->removed_store[n]);
	b->removed_store[n].kind = kind;
	b->removed_store[n].id = (char *)(uintptr_t)id;
	b->removed[n] = &b->removed_store[n];
}

/* What control would announce. */
void bed_seal(struct bed *b)
{
	struct snap_view *v = NULL;
	struct stream_digest d = {{0}};
	uint8_t old[32];

	if (b->update.base_generation != 0 && snapshot_writer_view(b->writer, &v, &b->why) == 0)
		memcpy(d.sum, snap_view_digest(v).p, sizeof(d.sum));
	for (size_t i = 0; i < b->update.n_resources; i++) {
		const Sluice__Stream__V1__Resource *r = &b->store[i].r;

		if (v != NULL && wanted_in_view(v, r->kind, r->id, old))
			stream_digest_remove(&d, r->kind, r->id, old);
		stream_digest_add(&d, r->kind, r->id, b->store[i].sha256);
	}
	for (size_t i = 0; i < b->update.n_removed; i++) {
		const Sluice__Stream__V1__ResourceId *r = b->removed[i];

		if (v != NULL && wanted_in_view(v, r->kind, r->id, old))
			stream_digest_remove(&d, r->kind, r->id, old);
	}
	snap_view_unref(v);
	memcpy(b->digest, d.sum, sizeof(b->digest));
	b->update.digest_after = (ProtobufCBinaryData){.len = 32, .data = b->digest};
}

int bed_plan_it(struct bed *b)
{
	struct snap_view *v = NULL;
	struct plan_base base = {.source_bytes_max = 1000};
	int r;

	plan_free(b->plan);
	b->plan = NULL;
	if (snapshot_writer_view(b->writer, &v, &b->why) == 0)
		base.held = v;
	b->refused_for = "";
	r = plan_new(&b->plan, &b->update, &base, &b->refused_for, &b->why);
	snap_view_unref(v);
	return r;
}

void bed_judge_code(struct bed *b, bool is_ok)
{
	struct plan_item *item = plan_find_plugin(b->plan, "greet");
	struct vet_verdict verdict = {.is_ok = is_ok,
			.code = "syntax",
			.priority = 7,
			.phases = 8,
			.version = (char[]){"1.2"},
			.schema_json = (char *)(uintptr_t)schema_v1,
			.bytecode = (uint8_t[]){"bytecode"},
			.n_bytecode = 8};

	SHA256(verdict.bytecode, 8, verdict.bytecode_sha256);
	why_set(&verdict.why, "handler.lua", 3, "unexpected symbol");
	if (item != NULL && item->state == PLAN_PENDING)
		assert_int_equal(apply_verdict(item, &verdict, b->writer, &b->why), 0);
}

void bed_commit(struct bed *b)
{
	bed_seal(b);
	assert_int_equal(bed_plan_it(b), 0);
	bed_judge_code(b, true);
	assert_int_equal(apply_commit(b->plan, b->writer, &b->why), 0);
}

struct snap_view *bed_view(struct bed *b)
{
	struct snap_view *v = NULL;

	assert_int_equal(snapshot_writer_view(b->writer, &v, &b->why), 0);
	return v;
}

enum plan_state bed_outcome(struct bed *b, uint32_t kind, const char *id)
{
	return plan_find(b->plan, kind, id)->state;
}

const char *bed_reason(struct bed *b, uint32_t kind, const char *id)
{
	return plan_find(b->plan, kind, id)->code;
}

void bed_first_generation(struct bed *b)
{
	bed_begin(b, 0, 5);
	bed_add_service(b, "s1", 1);
	bed_add_route(b, "r1", "s1");
	bed_add_code(b, 1, "return 1");
	bed_add_instance(b, "i1", 1, "{\"word\":\"hi\"}");
	bed_commit(b);
}
