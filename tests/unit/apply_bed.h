/* SPDX-License-Identifier: Apache-2.0
 *
 * A snapshot in a folder of its own, and Updates made by hand, for test_apply.
 */
#pragma once

#include "master/apply.h"
#include "master/plan.h"

#define KIND(name) SLUICE__RECORD__KIND__##name
#define RESOURCES_MAX 16

struct resource {
	Sluice__Stream__V1__Resource r;
	uint8_t spec[1024], sha256[32];
};

struct bed {
	char dir[64];
	struct snapshot_writer *writer;
	Sluice__Stream__V1__Update update;
	struct resource store[RESOURCES_MAX];
	Sluice__Stream__V1__Resource *resources[RESOURCES_MAX];
	Sluice__Stream__V1__ResourceId removed_store[RESOURCES_MAX], *removed[RESOURCES_MAX];
	uint8_t digest[32];
	struct plan *plan;
	const char *refused_for;
	struct why why;
};

int bed_set_up(void **state);
int bed_tear_down(void **state);
void bed_begin(struct bed *b, uint64_t base, uint64_t generation);
void bed_add(struct bed *b, uint32_t kind, const char *id, uint64_t version,
		const ProtobufCMessage *m);
void bed_add_service(struct bed *b, const char *id, uint64_t version);
void bed_add_route(struct bed *b, const char *id, const char *service);
void bed_add_instance(struct bed *b, const char *id, uint64_t version, const char *config);
void bed_add_code(struct bed *b, uint64_t version, const char *handler);
void bed_remove_one(struct bed *b, uint32_t kind, const char *id);
void bed_seal(struct bed *b);
int bed_plan_it(struct bed *b);
void bed_judge_code(struct bed *b, bool is_ok);
void bed_commit(struct bed *b);
struct snap_view *bed_view(struct bed *b);
enum plan_state bed_outcome(struct bed *b, uint32_t kind, const char *id);
const char *bed_reason(struct bed *b, uint32_t kind, const char *id);
void bed_first_generation(struct bed *b);
