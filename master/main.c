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
#include "master/master.h"
#include "master/metric.h"
#include "shm/conf.h"

enum { EXIT_BAD_USAGE = 2 };

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
		"Signals: TERM, QUIT finish requests first; INT stops at once; HUP reloads.\n";

struct options {
	const char *file;
	bool is_check_only;
	int exit_code; /* ≥ 0: done already */
};

static void parse_options(struct options *o, int argc, char **argv)
{
	static const struct option table[] = {{"config", required_argument, NULL, 'c'},
			{"check", no_argument, NULL, 'k'}, {"help-config", no_argument, NULL, 'K'},
			{"help-metrics", no_argument, NULL, 'M'},
			{"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'},
			{NULL, 0, NULL, 0}};
	int opt;

	*o = (struct options){.exit_code = -1};
	while (o->exit_code < 0 && (opt = getopt_long(argc, argv, "c:h", table, NULL)) != -1) {
		if (opt == 'c') {
			o->file = optarg;
		} else if (opt == 'k') {
			o->is_check_only = true;
		} else if (opt == 'K') {
			conf_print_help(stdout);
			o->exit_code = EXIT_SUCCESS;
		} else if (opt == 'M') {
			metric_print_help(stdout);
			o->exit_code = EXIT_SUCCESS;
		} else if (opt == 'v') {
			puts("sluiced " PACKAGE_VERSION);
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

static int run(const struct conf *conf, const char *file)
{
	sl_auto(master) m = NULL;
	struct why why = WHY_NONE;
	enum log_level level = LOG_NOTICE;

	log_level_parse(str_of(conf->log_level), &level);
	log_init("sluiced", level);
	umask(027);
	raise_file_limit();
	if (master_new(&m, conf, file, &why) < 0)
		return fail(&why);
	return master_run(m) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	sl_auto(conf) conf = NULL;
	struct why why = WHY_NONE;
	struct options o;

	parse_options(&o, argc, argv);
	if (o.exit_code >= 0)
		return o.exit_code;
	if (conf_load(&conf, o.file, &why) < 0)
		return fail(&why);
	if (default_certificates_check(conf, &why) < 0)
		return fail(&why);
	if (o.is_check_only) {
		printf("sluiced: the configuration%s%s is valid\n", o.file != NULL ? " " : "",
				o.file != NULL ? o.file : "");
		return EXIT_SUCCESS;
	}
	return run(conf, o.file);
}
