/* SPDX-License-Identifier: Apache-2.0
 *
 * sluiced: reads the node configuration and runs the node.
 */
#include <getopt.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"
#include "master/default_certificates.h"
#include "master/handover_check.h"
#include "master/image.h"
#include "master/master.h"
#include "master/metric.h"
#include "shm/conf.h"

enum { EXIT_BAD_USAGE = 2 };

/* Then an image that was to take over gives the process back. */
#define TAKE_OVER_S 60

static const char usage[] =
		"usage: sluiced [-c FILE] [--check]\n"
		"\n"
		"Runs a Sluice node: listeners, workers and, unless it is a data plane, the\n"
		"control plane.\n"
		"\n"
		"  -c, --config FILE   node configuration (YAML); without it: defaults\n"
		"      --check         validate the configuration and exit\n"
		"      --help-config   print every configuration key with default and meaning\n"
		"      --help-metrics  print every metric of /metrics with type and meaning\n"
		"      --version       print the version\n"
		"  -h, --help          print this\n"
		"\n"
		"Every key can be overridden in the environment: SLUICE_<KEY>.\n"
		"Signals: TERM, QUIT finish requests first; INT stops at once; HUP reloads; USR2\n"
		"replaces the program by what is at its path now (sluicectl upgrade).\n";

struct options {
	const char *file;
	const char *handover_check; /* number of a descriptor */
	bool is_check_only;
	int exit_code; /* ≥ 0: done already */
};

static void parse_options(struct options *o, int argc, char **argv)
{
	static const struct option table[] = {{"config", required_argument, NULL, 'c'},
			{"check", no_argument, NULL, 'k'}, {"help-config", no_argument, NULL, 'K'},
			{"help-metrics", no_argument, NULL, 'M'},
			{"handover-check", required_argument, NULL, 'H'},
			{"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'},
			{NULL, 0, NULL, 0}};
	int opt;

	*o = (struct options){.exit_code = -1};
	while (o->exit_code < 0 && (opt = getopt_long(argc, argv, "c:h", table, NULL)) != -1) {
		if (opt == 'c') {
			o->file = optarg;
		} else if (opt == 'k') {
			o->is_check_only = true;
		} else if (opt == 'H') {
			o->handover_check = optarg;
		} else if (opt == 'K') {
			conf_print_help(stdout);
			o->exit_code = EXIT_SUCCESS;
		} else if (opt == 'M') {
			metric_print_help(stdout);
			o->exit_code = EXIT_SUCCESS;
		} else if (opt == 'v') {
			printf("sluiced " PACKAGE_VERSION " (build %s)\n", image_self()->build);
			o->exit_code = EXIT_SUCCESS;
		} else {
			fputs(usage, opt == 'h' ? stdout : stderr);
			o->exit_code = opt == 'h' ? EXIT_SUCCESS : EXIT_BAD_USAGE;
		}
	}
	if (o->exit_code < 0 && optind < argc) {
		fprintf(stderr, "sluiced: \"%s\": no such argument\n\n%s", argv[optind], usage);
		o->exit_code = EXIT_BAD_USAGE;
	}
}

/* Workers inherit it. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int fail(const struct why *why)
{
	char text[1200];

	fprintf(stderr, "sluiced: %s\n", why_text(why, text, sizeof(text)));
	return EXIT_FAILURE;
}

/* Of another image: its binary, or what it left, is back in force. */
static int go_back(const struct handover *before, const char *file, const struct why *reason)
{
	struct why why = WHY_NONE;
	char text[1200];

	image_go_back(before, before->program, before->binary_fd, file,
			why_text(reason, text, sizeof(text)), &why);
	return fail(&why);
}

static int serve(const struct conf *conf, const char *file, const struct handover *before,
		const char *failure)
{
	sl_auto(master) m = NULL;
	struct why why = WHY_NONE;
	enum log_level level = LOG_NOTICE;

	log_level_parse(str_of(conf->log_level), &level);
	log_init("sluiced", level);
	umask(027);
	raise_file_limit();
	if (master_new(&m, conf, file, before, failure, &why) < 0)
		return fail(&why);
	if (before != NULL) {
		image_unguard();
		handover_close(before);
	}
	return master_run(m) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const char *file)
{
	sl_auto(handover) before = NULL;
	sl_auto(conf) conf = NULL;
	const char *failure = NULL;
	struct why why = WHY_NONE;
	int r = image_inherited(&before, &failure, &why);

	if (r < 0)
		return fail(&why);
	if (before != NULL && failure == NULL)
		image_guard(before, file, TAKE_OVER_S);
	/* what it had, not what may have been the reason */
	r = failure != NULL ? conf_from_fd(&conf, before->conf_fd, &why)
			    : conf_load(&conf, file, &why);
	if (r == 0)
		r = default_certificates_check(conf, &why);
	if (r != 0)
		return before != NULL && failure == NULL ? go_back(before, file, &why) : fail(&why);
	return serve(conf, file, before, failure);
}

int main(int argc, char **argv)
{
	sl_auto(conf) conf = NULL;
	struct why why = WHY_NONE;
	struct options o;

	parse_options(&o, argc, argv);
	if (o.exit_code >= 0)
		return o.exit_code;
	if (o.handover_check != NULL)
		return handover_check_run(o.file, o.handover_check);
	if (!o.is_check_only)
		return run(o.file);
	if (conf_load(&conf, o.file, &why) < 0)
		return fail(&why);
	if (default_certificates_check(conf, &why) < 0)
		return fail(&why);
	printf("sluiced: the configuration%s%s is valid\n", o.file != NULL ? " " : "",
			o.file != NULL ? o.file : "");
	return EXIT_SUCCESS;
}
