/* SPDX-License-Identifier: Apache-2.0
 *
 * sluice-control: entities, Admin API, store, declarative files, and the stream that feeds
 * nodes.  Started by sluiced with --conf-fd, or alone with -c.
 *
 * SIGTERM, SIGINT: ends after closing its listeners.  SIGHUP: reads the declarative file again.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "control/admin.h"
#include "control/feed.h"
#include "control/loader.h"
#include "control/model.h"
#include "control/op.h"
#include "shm/programs.h"

#define SIGNALS 3

struct control {
	struct conf *conf;
	struct model *model;
	struct event_base *base;
	struct op_runner *runner;
	struct feed *feed;
	struct loader *loader;
	struct admin *admin;
	struct event *signals[SIGNALS];
	char *check_program;
	char node_id[UUID_TEXT_BYTES];
};

struct options {
	const char *file;
	int conf_fd;
};

static void usage(FILE *out)
{
	fprintf(out, "usage: sluice-control -c FILE\n"
		     "       sluice-control --conf-fd N   (started by sluiced)\n");
}

static int parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {{"conf-fd", required_argument, NULL, 'f'},
			{"conf", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'},
			{"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
	uint64_t fd;
	int c;

	*ret = (struct options){.conf_fd = -1};
	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		if (c == 'c') {
			ret->file = optarg;
		} else if (c == 'f' && str_to_u64(str_of(optarg), &fd) && fd < 65536) {
			ret->conf_fd = (int)fd;
		} else if (c == 'h') {
			usage(stdout);
			exit(0);
		} else if (c == 'V') {
			printf("sluice-control %s\n", PACKAGE_VERSION);
			exit(0);
		} else {
			return -EINVAL;
		}
	}
	return optind == argc && (ret->file != NULL) != (ret->conf_fd >= 0) ? 0 : -EINVAL;
}

/* ---- who we are ---- */

static int make_prefix(const struct conf *c, struct why *why)
{
	if (mkdir(c->prefix, 0755) != 0 && errno != EEXIST)
		return why_errno(why, errno, "cannot make the prefix %s", c->prefix);
	return 0;
}

/* The node's id when the master wrote one, else one of the store's own. */
static int find_node_id(struct control *c, struct why *why)
{
	sl_auto_mem char *path = conf_path(c->conf, "node.id");
	sl_auto_file FILE *f = path != NULL ? fopen(path, "re") : NULL;
	struct store_txn *t;
	struct str note;
	int r;

	if (f != NULL && fread(c->node_id, 1, UUID_TEXT_BYTES - 1, f) == UUID_TEXT_BYTES - 1 &&
			uuid_is_valid(str_of(c->node_id)))
		return 0;
	r = store_begin(c->model->store, true, &t, why);
	if (r != 0)
		return r;
	if (store_note_get(t, "control_id", &note) == 0 && note.n == UUID_TEXT_BYTES - 1) {
		memcpy(c->node_id, note.p, note.n);
		c->node_id[note.n] = '\0';
		store_txn_free(t);
		return 0;
	}
	uuid_make(c->node_id);
	r = store_note_put(t, "control_id", str_of(c->node_id));
	if (r == 0)
		return store_commit(t, why);
	store_txn_free(t);
	return why_errno(why, -r, "cannot write the store");
}

/* ---- the parts ---- */

static void on_changed(void *arg)
{
	struct control *c = arg;

	feed_changed(c->feed);
}

/* Without it everything but plugin code can be changed. */
static int find_check(struct control *c)
{
	struct why why = WHY_NONE;

	if (program_find("sluice-check", &c->check_program, &why) == 0)
		return 0;
	log_err("plugins cannot be checked, so none will be accepted", "reason=\"%s\"", why.text);
	c->check_program = strdup("sluice-check");
	return c->check_program != NULL ? 0 : -ENOMEM;
}

static int open_model(struct control *c, struct why *why)
{
	/* a file's entities and those of the Admin API never mix */
	bool is_file = strcmp(c->conf->database, "off") == 0;
	sl_auto_mem char *dir = conf_path(c->conf, is_file ? "control-file" : "control");
	int r = make_prefix(c->conf, why);

	if (r == 0)
		r = model_new(&c->model, c->conf, dir, why);
	if (r == 0)
		r = find_node_id(c, why);
	return r == 0 ? find_check(c) : r;
}

static int open_parts(struct control *c, struct why *why)
{
	int r = open_model(c, why);

	if (r != 0)
		return r;
	c->base = event_base_new();
	if (c->base == NULL)
		return why_errno(why, ENOMEM, "cannot start the event loop");
	r = op_runner_new(&c->runner, c->model, c->base, c->check_program, on_changed, c);
	if (r == 0)
		r = feed_new(&c->feed, c->model, c->base, c->node_id, why);
	if (r == 0 && model_is_read_only(c->model))
		r = loader_new(&c->loader, c->model, c->runner);
	if (r == 0)
		r = admin_new(&c->admin,
				&(struct admin_parts){.base = c->base,
						.model = c->model,
						.runner = c->runner,
						.feed = c->feed,
						.loader = c->loader,
						.node_id = c->node_id},
				c->conf->admin_listen, why);
	return r;
}

static void close_parts(struct control *c)
{
	for (unsigned i = 0; i < SIGNALS; i++) {
		if (c->signals[i] != NULL)
			event_free(c->signals[i]);
	}
	op_runner_free(c->runner); /* what waits for verdicts is not answered any more */
	admin_free(c->admin);
	loader_free(c->loader);
	feed_free(c->feed);
	if (c->base != NULL)
		event_base_free(c->base);
	model_free(c->model);
	free(c->check_program);
	conf_free(c->conf);
}

/* ---- signals ---- */

static void load_file(struct control *c)
{
	if (c->loader == NULL)
		log_notice("SIGHUP: nothing to read again", "database=%s", c->conf->database);
	else if (c->conf->declarative_config[0] != '\0')
		loader_load_file(c->loader, c->conf->declarative_config);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct control *c = arg;

	(void)what;
	if (number == SIGHUP) {
		load_file(c);
		return;
	}
	log_notice("stopping", "signal=%d", (int)number);
	event_base_loopexit(c->base, NULL);
}

static int watch_signals(struct control *c, struct why *why)
{
	static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

	signal(SIGPIPE, SIG_IGN);
	for (unsigned i = 0; i < SIGNALS; i++) {
		c->signals[i] = evsignal_new(c->base, numbers[i], on_signal, c);
		if (c->signals[i] == NULL || event_add(c->signals[i], NULL) != 0)
			return why_errno(why, ENOMEM, "cannot watch signals");
	}
	return 0;
}

static int run(struct control *c, const struct options *options, struct why *why)
{
	enum log_level level;
	int r = options->file != NULL ? conf_load(&c->conf, options->file, why)
				      : conf_from_fd(&c->conf, options->conf_fd, why);

	if (r != 0)
		return r;
	if (log_level_parse(str_of(c->conf->log_level), &level))
		log_set_level(level);
	r = open_parts(c, why);
	if (r == 0)
		r = watch_signals(c, why);
	if (r != 0)
		return r;
	log_notice("started", "version=%s role=%s database=%s generation=%llu", PACKAGE_VERSION,
			c->conf->role, c->conf->database,
			(unsigned long long)store_generation(c->model->store));
	if (c->loader != NULL)
		load_file(c);
	return event_base_dispatch(c->base) < 0 ? -EIO : 0;
}

int main(int argc, char **argv)
{
	struct control c = {.conf = NULL};
	struct options options;
	struct why why = WHY_NONE;
	char text[1200];
	int r;

	log_init("sluice-control", LOG_NOTICE);
	if (parse_options(argc, argv, &options) != 0) {
		usage(stderr);
		return 2;
	}
	if (options.conf_fd >= 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == 1)
			return 1; /* the master died before the line above */
	}
	r = run(&c, &options, &why);
	if (r != 0)
		log_err("cannot go on", "reason=%s",
				log_quote(text, sizeof(text),
						str_of(why_text(&why, (char[1100]){""}, 1100))));
	close_parts(&c);
	return r != 0 ? 1 : 0;
}
