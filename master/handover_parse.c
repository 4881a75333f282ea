/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a record: a line at a time, nothing done but kept.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/hex.h"
#include "master/handover.h"

#define FIRST_WORD STR("sluice-handover")
#define FD_MAX (1 << 20)

/* The next word of a line; "" at its end. */
static struct str take_word(struct str *line)
{
	ptrdiff_t space = str_find_char(*line, ' ');
	struct str word = space < 0 ? *line : str_head(*line, (size_t)space);

	*line = space < 0 ? str_from(*line, line->n) : str_from(*line, (size_t)space + 1);
	return word;
}

static bool take_number(struct str *line, uint64_t max, uint64_t *ret)
{
	return str_to_u64(take_word(line), ret) && *ret <= max;
}

/* "-1" for none where that may be. */
static bool take_fd(struct str *line, bool may_miss, int *ret)
{
	struct str word = take_word(line);
	uint64_t n;

	*ret = -1;
	if (may_miss && str_eq(word, STR("-1")))
		return true;
	if (!str_to_u64(word, &n) || n < 3 || n > FD_MAX)
		return false;
	*ret = (int)n;
	return true;
}

static bool read_text(struct handover *h, struct str line)
{
	struct str name = take_word(&line);

#define X(field) \
	if (str_eq(name, STR(#field))) { \
		free(h->field); \
		h->field = strndup(line.p != NULL ? line.p : "", line.n); \
		return h->field != NULL; \
	}
	HANDOVER_TEXTS(X)
#undef X
	return false;
}

static bool read_number(struct handover *h, struct str line)
{
	struct str name = take_word(&line);

#define X(field) \
	if (str_eq(name, STR(#field))) \
		return take_number(&line, UINT64_MAX, &h->field) && line.n == 0;
	HANDOVER_NUMBERS(X)
#undef X
	return false;
}

static bool read_fd(struct handover *h, struct str line)
{
	struct str name = take_word(&line);

#define X(field) \
	if (str_eq(name, STR(#field))) \
		return take_fd(&line, false, &h->field##_fd) && line.n == 0;
	HANDOVER_FDS(X)
#undef X
	return false;
}

static bool read_same(struct handover *h, struct str line)
{
	struct str name = take_word(&line);

	return name.n != 0 && handover_put_same(h, name, line);
}

static bool read_listener(struct handover *h, struct str line)
{
	struct handover_listener *l = &h->listeners[h->n_listeners];
	uint64_t worker, address;

	if (h->n_listeners == HANDOVER_LISTENERS_MAX ||
			!take_number(&line, CONF_WORKERS_MAX - 1, &worker) ||
			!take_number(&line, 31, &address) || !take_fd(&line, false, &l->fd))
		return false;
	l->worker = (uint32_t)worker;
	l->address = (uint32_t)address;
	h->n_listeners++;
	return line.n == 0;
}

static bool read_status(struct handover *h, struct str line)
{
	return h->n_status < HANDOVER_STATUS_MAX &&
	       take_fd(&line, false, &h->status[h->n_status++]) && line.n == 0;
}

static bool read_seat(struct handover *h, struct str line)
{
	struct handover_seat *s = &h->seats[h->n_seats];
	uint64_t slot, pid, is_ready, is_draining, has_served, starts, drain_ms;

	if (!take_number(&line, BOARD_SLOTS_MAX - 1, &slot) ||
			handover_seat(h, (uint32_t)slot) != NULL || h->n_seats == BOARD_SLOTS_MAX ||
			!take_number(&line, INT_MAX, &pid) || !take_fd(&line, true, &s->channel) ||
			!take_fd(&line, true, &s->wake) || !take_number(&line, 1, &is_ready) ||
			!take_number(&line, 1, &is_draining) ||
			!take_number(&line, 1, &has_served) ||
			!take_number(&line, UINT32_MAX, &starts) ||
			!take_number(&line, UINT64_MAX, &s->generation) ||
			!take_number(&line, UINT64_MAX, &s->started_ms) ||
			!take_number(&line, UINT32_MAX, &drain_ms))
		return false;
	s->slot = (uint32_t)slot;
	s->pid = (pid_t)pid;
	s->is_ready = is_ready != 0;
	s->is_draining = is_draining != 0;
	s->has_served = has_served != 0;
	s->starts = (uint32_t)starts;
	s->drain_ms = (uint32_t)drain_ms;
	h->n_seats++;
	return line.n == 0;
}

static bool read_worker(struct handover *h, struct str line)
{
	uint64_t number, current, is_added, held_until_ms;

	if (!take_number(&line, CONF_WORKERS_MAX - 1, &number) ||
			!take_number(&line, BOARD_SEATS - 1, &current) ||
			!take_number(&line, 1, &is_added) ||
			!take_number(&line, UINT64_MAX, &held_until_ms))
		return false;
	h->workers[number] =
			(struct handover_worker){(uint8_t)current, is_added != 0, held_until_ms};
	return line.n == 0;
}

static bool read_drain(struct handover *h, struct str line)
{
	struct str whom = take_word(&line);
	uint64_t worker = HANDOVER_NODE, since_ms, timeout_ms;

	if (h->n_drains == sizeof(h->drains) / sizeof(h->drains[0]) ||
			(!str_eq(whom, STR("-")) && (!str_to_u64(whom, &worker) ||
								    worker >= CONF_WORKERS_MAX)) ||
			!take_number(&line, UINT64_MAX, &since_ms) ||
			!take_number(&line, UINT32_MAX, &timeout_ms))
		return false;
	h->drains[h->n_drains++] =
			(struct handover_drain){(uint32_t)worker, since_ms, (uint32_t)timeout_ms};
	return line.n == 0;
}

/* "runs=10"; one of another version is left out. */
static bool read_one_count(struct plugin_total *ret, struct str word)
{
	ptrdiff_t eq = str_find_char(word, '=');
	struct str name = str_head(word, eq > 0 ? (size_t)eq : 0);
	uint64_t n;

	if (eq <= 0 || !str_to_u64(str_from(word, (size_t)eq + 1), &n))
		return false;
#define X(field, type, help) \
	if (str_eq(name, STR(#field))) \
		ret->field = n;
	COUNTS_TABLE(X)
#undef X
	return true;
}

static bool read_count(struct handover *h, struct str line)
{
	struct handover_count *c = handover_add_count(h);
	struct str name = take_word(&line), slot = take_word(&line), version = take_word(&line);
	uint64_t n = HANDOVER_PAST;
	bool is_good;

	if (c == NULL || name.n == 0 || name.n >= sizeof(c->total.plugin))
		return false;
	is_good = str_eq(slot, STR("-")) || (str_to_u64(slot, &n) && n < BOARD_SLOTS_MAX);
	memcpy(c->total.plugin, name.p, name.n);
	c->slot = (uint32_t)n;
	is_good = is_good && hex_decode(version, c->version, sizeof(c->version));
	while (is_good && line.n != 0)
		is_good = read_one_count(&c->total, take_word(&line));
	return is_good;
}

static const struct {
	struct str word;
	bool (*read)(struct handover *h, struct str line);
} words[] = {
		{{"text", 4}, read_text},
		{{"number", 6}, read_number},
		{{"fd", 2}, read_fd},
		{{"same", 4}, read_same},
		{{"listener", 8}, read_listener},
		{{"status", 6}, read_status},
		{{"seat", 4}, read_seat},
		{{"worker", 6}, read_worker},
		{{"drain", 5}, read_drain},
		{{"count", 5}, read_count},
};

static bool read_line(struct handover *h, struct str line)
{
	struct str word = take_word(&line);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (str_eq(word, words[i].word))
			return words[i].read(h, line);
	}
	return false;
}

static bool take_line(struct str *text, struct str *ret)
{
	ptrdiff_t end = str_find_char(*text, '\n');

	if (end < 0)
		return false;
	*ret = str_head(*text, (size_t)end);
	*text = str_from(*text, (size_t)end + 1);
	return true;
}

static int refuse_format(struct str line, struct why *why)
{
	struct str word = take_word(&line);

	if (str_eq(word, FIRST_WORD))
		why_set(why, NULL, 0,
				"what the running sluiced hands over has format %.*s, this one "
				"knows %d",
				STR_ARG(str_head(line, 16)), HANDOVER_FORMAT);
	else
		why_set(why, NULL, 0, "this is not what a running sluiced hands over");
	return -EPROTO;
}

int handover_parse(struct handover **ret, struct str text, struct why *why)
{
	sl_auto(handover) h = NULL;
	struct str line = STR_NONE, rest;
	uint64_t format = 0;
	int number = 1;

	if (handover_new(&h) < 0)
		return why_errno(why, ENOMEM, "handover");
	if (str_find_char(text, '\0') >= 0 || !take_line(&text, &line))
		return refuse_format(line, why);
	rest = line;
	if (!str_eq(take_word(&rest), FIRST_WORD) || !str_to_u64(rest, &format) ||
			format != HANDOVER_FORMAT)
		return refuse_format(line, why);
	while (take_line(&text, &line)) {
		number++;
		if (str_eq(line, STR("end")) && text.n == 0) {
			*ret = sl_steal(h);
			return 0;
		}
		if (!read_line(h, line)) {
			why_set(why, "handover", number, "\"%.*s\" is not understood",
					STR_ARG(str_head(line, 100)));
			return -EPROTO;
		}
	}
	why_set(why, "handover", number, "the end is missing");
	return -EPROTO;
}
