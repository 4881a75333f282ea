/* SPDX-License-Identifier: Apache-2.0
 *
 * What master/master, master_make and master_handover share of its insides.
 */
#pragma once

#include "base/check.h"
#include "master/account.h"
#include "master/breakers.h"
#include "master/control_child.h"
#include "master/counts.h"
#include "master/expiry.h"
#include "master/fdstore.h"
#include "master/follow.h"
#include "master/history.h"
#include "master/latency.h"
#include "master/listen.h"
#include "master/master.h"
#include "master/node.h"
#include "master/status.h"
#include "master/steering.h"
#include "master/supervise.h"
#include "master/targets.h"
#include "master/upgrade.h"
#include "shm/dict.h"

#define MASTER_MAGIC SL_MAGIC('M', 'S', 'T', 'R')

enum { MASTER_SIGNALS = 5 };

struct master {
	uint32_t magic;
	const struct conf *conf;
	const char *conf_file;
	const struct handover *before; /* until master_start(); NULL: an ordinary start */
	struct event_base *base;
	struct node *node;
	struct fdstore *kept;
	uint32_t n_workers; /* at the start */
	struct listeners *listeners;
	struct steering *steering;
	struct snapshot_writer *writer;
	struct dict *dict;
	int dict_fd;
	struct latency *latency;
	struct account *account;
	struct breakers *breakers;
	struct targets *targets;
	struct supervise *workers;
	struct follow *follow;
	struct history *history;
	struct counts *counts;
	struct expiry *expiry;
	struct control_child *control;
	struct upgrade *upgrade;
	struct status *status;
	struct status_sources sources;
	char *worker_program, *check_program;
	struct event *signals[MASTER_SIGNALS];
	struct event *watchdog, *reader_check;
	bool is_taken_over; /* from another image */
	bool is_announced;  /* READY=1 was sent */
	bool are_workers_gone, is_control_gone;
};

/* master.c: what the parts report */
extern const struct supervise_events master_worker_events;
void master_on_committed(void *arg, uint64_t generation);
void master_on_breaker(void *arg);
void master_on_control_stopped(void *arg);
char *master_reload(void *arg, struct why *why);
void master_on_signal(int sig, short what, void *arg);

/* master_handover.c */
extern const struct upgrade_events master_upgrade_events;

/* master_make.c: every part; nothing runs yet. */
int master_make(struct master *m, const char *failure, struct why *why);
