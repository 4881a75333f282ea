/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/chain_breaker.h"

#include "base/clock.h"
#include "base/log.h"
#include "shm/breaker.h"

static bool ask(const struct chain *c, struct chain_slot *s)
{
	struct engine_version *v = s->version;
	enum breaker_answer answer =
			breaker_ask(v->conf->breaker, v->breaker, clock_mono_ms(), &s->ticket);

	if (answer == BREAKER_TRY)
		log_notice("suspended plugin is tried", "plugin=%s breaker=half_open request_id=%s",
				v->name, c->x->request.id);
	return answer != BREAKER_HOLD;
}

bool chain_breaker_admits(const struct chain *c, struct chain_slot *s)
{
	if (s->admission != CHAIN_NOT_ASKED)
		return s->admission == CHAIN_ADMITTED;
	if (breaker_is_closed(s->version->breaker) || ask(c, s)) {
		s->admission = CHAIN_ADMITTED;
		return true;
	}
	s->admission = CHAIN_HELD;
	s->version->totals.held++;
	return false;
}

void chain_breaker_trip(const struct chain *c, struct chain_slot *s)
{
	struct engine_version *v = s->version;
	uint64_t ticket = s->ticket, wait_ms;
	const struct breaker_conf *conf;

	s->ticket = 0;
	if (v->breaker == NULL || !breaker_trip(v->conf->breaker, v->breaker, v->content, ticket,
						  clock_mono_ms(), &wait_ms))
		return;
	conf = breaker_conf_of(v->conf->breaker);
	if (ticket != 0)
		log_warn("suspended plugin tripped again",
				"plugin=%s breaker=open retry_in_ms=%llu request_id=%s", v->name,
				(unsigned long long)wait_ms, c->x->request.id);
	else
		log_err("plugin suspended: too many trips",
				"plugin=%s breaker=open trips=%u window_ms=%u retry_in_ms=%llu "
				"request_id=%s",
				v->name, conf->trips, conf->window_ms, (unsigned long long)wait_ms,
				c->x->request.id);
}

void chain_breaker_done(struct chain_slot *s)
{
	struct engine_version *v = s->version;

	if (s->ticket == 0)
		return;
	if (breaker_settle(v->conf->breaker, v->breaker, s->ticket, s->has_run, clock_mono_ms()))
		log_notice("plugin works again", "plugin=%s breaker=closed", v->name);
	s->ticket = 0;
}
