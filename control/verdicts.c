/* SPDX-License-Identifier: Apache-2.0 */
#include "control/verdicts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <openssl/sha.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"

#define VERDICTS_AT_ONCE 4
/* sluice-check that does not start, or is killed under load, says nothing about the plugin. */
#define TRIES_MAX 3
#define RETRY_MS 200

struct wanted {
	struct wanted *next;
	struct verdicts *owner;
	uint8_t sha[SHA256_DIGEST_LENGTH];
	json_t *request, *verdict;
	struct check_call *call;
	unsigned tries;
	uint64_t not_before_ms;
};

struct verdicts {
	struct event_base *base;
	struct check_client_conf conf;
	struct wanted *first;
	unsigned running;
	struct event *again;
	void (*done)(void *arg);
	void *arg;
};

static void verdicts_go_on(evutil_socket_t fd, short what, void *arg);

int verdicts_new(struct verdicts **ret, struct event_base *base,
		const struct check_client_conf *conf)
{
	sl_auto(verdicts) v = calloc(1, sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	v->base = base;
	v->conf = *conf;
	v->again = event_new(base, -1, 0, verdicts_go_on, v);
	if (v->again == NULL)
		return -ENOMEM;
	*ret = sl_steal(v);
	return 0;
}

void verdicts_free(struct verdicts *v)
{
	struct wanted *w, *next;

	if (v == NULL)
		return;
	for (w = v->first; w != NULL; w = next) {
		next = w->next;
		check_cancel(w->call);
		json_decref(w->request);
		json_decref(w->verdict);
		free(w);
	}
	if (v->again != NULL)
		event_free(v->again);
	free(v);
}

static void request_sha(const json_t *request, uint8_t ret[SHA256_DIGEST_LENGTH])
{
	sl_auto_mem char *text = json_dumps(request, JSON_COMPACT | JSON_SORT_KEYS);

	memset(ret, 0, SHA256_DIGEST_LENGTH);
	if (text != NULL)
		SHA256((const unsigned char *)text, strlen(text), ret);
}

const json_t *verdicts_get(struct verdicts *v, const json_t *request)
{
	uint8_t sha[SHA256_DIGEST_LENGTH];
	struct wanted *w;

	request_sha(request, sha);
	for (w = v->first; w != NULL; w = w->next) {
		if (memcmp(w->sha, sha, sizeof(sha)) == 0)
			return w->verdict;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return NULL;
	memcpy(w->sha, sha, sizeof(sha));
	w->owner = v;
	w->request = json_deep_copy(request);
	w->next = v->first;
	v->first = w;
	return NULL;
}

bool verdicts_is_waiting(const struct verdicts *v)
{
	for (const struct wanted *w = v->first; w != NULL; w = w->next) {
		if (w->verdict == NULL)
			return true;
	}
	return false;
}

static void without_verdict(struct wanted *w, const struct why *why)
{
	if (++w->tries == TRIES_MAX) {
		w->verdict = json_pack("{s:s}", "unavailable", why->text);
		return;
	}
	w->not_before_ms = clock_mono_ms() + ((uint64_t)RETRY_MS << w->tries);
	log_warn("a plugin could not be checked; trying again", "try=%u error=\"%s\"", w->tries,
			why->text);
}

static void verdict_come(void *arg, json_t *verdict, const struct why *why)
{
	struct wanted *w = arg;

	w->call = NULL;
	if (verdict != NULL)
		w->verdict = json_incref(verdict);
	else
		without_verdict(w, why);
	w->owner->running--;
	event_active(w->owner->again, EV_TIMEOUT, 0);
}

static void start_one(struct verdicts *v, struct wanted *w)
{
	struct why why = WHY_NONE;

	if (check_start(&w->call, v->base, &v->conf, w->request, verdict_come, w, &why) == 0)
		v->running++;
	else
		without_verdict(w, &why);
}

static void wait_until(struct verdicts *v, uint64_t at_ms)
{
	uint64_t now = clock_mono_ms(), ms = at_ms > now ? at_ms - now : 1;
	const struct timeval delay = {
			.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	event_add(v->again, &delay);
}

static void verdicts_go_on(evutil_socket_t fd, short what, void *arg)
{
	struct verdicts *v = arg;
	struct wanted *w;

	(void)fd;
	(void)what;
	for (w = v->first; w != NULL && v->running < VERDICTS_AT_ONCE; w = w->next) {
		if (w->verdict != NULL || w->call != NULL)
			continue;
		if (w->not_before_ms <= clock_mono_ms())
			start_one(v, w);
		if (w->verdict == NULL && w->call == NULL)
			wait_until(v, w->not_before_ms);
	}
	if (!verdicts_is_waiting(v) && v->done != NULL) {
		void (*done)(void *) = v->done;

		v->done = NULL;
		done(v->arg);
	}
}

void verdicts_run(struct verdicts *v, void (*done)(void *arg), void *arg)
{
	v->done = done;
	v->arg = arg;
	event_active(v->again, EV_TIMEOUT, 0);
}
