/* SPDX-License-Identifier: Apache-2.0 */
#include "master/status_docs.h"
#include "master/steering.h"

static json_t *worker_json(const struct status_sources *s, uint32_t worker)
{
	const struct board_slot *b = &steering_board(s->steering)->slots[worker * BOARD_SEATS];
	json_int_t active = 0, waiting = 0, assigned = 0, migrated = 0;
	bool is_open = false;

	for (uint32_t i = 0; i < BOARD_SEATS; i++, b++) {
		uint64_t came = atomic_load(&b->assigned), seen = atomic_load(&b->seen);

		is_open = is_open ||
			  (atomic_load(&b->state) == SLOT_READY &&
					  (atomic_load(&b->master_flags) & SLOT_IS_OPEN) != 0);
		active += (json_int_t)atomic_load(&b->active);
		waiting += (json_int_t)(came > seen ? came - seen : 0);
		assigned += (json_int_t)came;
		migrated += (json_int_t)atomic_load(&b->migrated);
	}
	return json_pack("{s:i, s:b, s:I, s:I, s:I, s:I}", "slot", (int)worker, "open", is_open,
			"connections", active, "waiting", waiting, "assigned", assigned, "migrated",
			migrated);
}

json_t *status_doc_steering(const struct status_sources *s)
{
	json_t *doc, *counts = json_object(), *workers = json_array();
	struct steering_report r;

	if (s->steering == NULL) {
		json_decref(counts);
		json_decref(workers);
		return json_null();
	}
	steering_report(s->steering, &r);
	doc = json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:i, s:s, s:s}", "mode",
			steer_mode_name(r.mode), "mode_wanted", steer_mode_name(r.wanted), "bpf",
			r.is_bpf, "migration", r.migration, "reason", r.reason, "failed_step",
			r.fault.step != NULL ? r.fault.step : "", "errno", r.fault.err, "pin_dir",
			r.pin_dir, "pin_error", r.pin_error);
#define X(field, help) \
	json_object_set_new(counts, #field, json_integer((json_int_t)r.counts.field));
	STEER_COUNTS(X)
#undef X
	for (uint32_t i = 0; i < atomic_load(&steering_board(s->steering)->n_workers); i++)
		json_array_append_new(workers, worker_json(s, i));
	json_object_set_new(doc, "counts", counts);
	json_object_set_new(doc, "workers", workers);
	return doc;
}
