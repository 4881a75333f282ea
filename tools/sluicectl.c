/* SPDX-License-Identifier: Apache-2.0
 *
 * sluicectl: what operators ask of a node, one verb at a time.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "tools/verbs.h"

#define DEFAULT_PREFIX "/var/lib/sluice"
#define USAGE_WIDTH 26 /* of a verb with its arguments */

static void print_usage(FILE *out)
{
	fputs("usage: sluicectl [-c FILE | --prefix DIR] [--json] VERB …\n\n", out);
	for (const struct ctl_verb *v = ctl_verbs; v->name != NULL; v++)
		fprintf(out, "  %s %-*s %s\n", v->name, USAGE_WIDTH - (int)strlen(v->name),
				v->usage, v->summary);
	fputs("\n"
	      "  -c, --config FILE   the node's configuration: its prefix is asked\n"
	      "  -p, --prefix DIR    the node's state directory (default: $SLUICE_PREFIX, then\n"
	      "                      " DEFAULT_PREFIX ")\n"
	      "  -j, --json          print JSON\n"
	      "  -h, --help          print this; behind a verb: more about it\n"
	      "      --version       print the version\n"
	      "\n"
	      "exit code: 0 ok, 1 the answer is no (not ready, refused, findings), 2 bad usage,\n"
	      "3 no node answers\n",
			out);
}

static void print_verb_help(const struct ctl_verb *v)
{
	printf("usage: sluicectl [-c FILE | --prefix DIR] [--json] %s%s%s\n\n%s.\n\n%s", v->name,
			v->usage[0] != '\0' ? " " : "", v->usage, v->summary, v->help);
}

/* The verb of one or two words; *ret_words is how many. */
static const struct ctl_verb *find_verb(char **args, int n, int *ret_words)
{
	char two[64] = "";

	if (n == 0)
		return NULL;
	if (n > 1)
		snprintf(two, sizeof(two), "%.30s %.30s", args[0], args[1]);
	for (const struct ctl_verb *v = ctl_verbs; v->name != NULL; v++) {
		*ret_words = strchr(v->name, ' ') != NULL ? 2 : 1;
		if (strcmp(v->name, *ret_words == 2 ? two : args[0]) == 0)
			return v;
	}
	return NULL;
}

/* Verbs that begin alike are what was meant: "plugin", "work". */
static void refuse_verb(const char *word)
{
	const char *before = "; did you mean ";

	fprintf(stderr, "sluicectl: \"%s\": no such verb", word);
	for (const struct ctl_verb *v = ctl_verbs; v->name != NULL; v++) {
		if (strncmp(v->name, word, strlen(word) < 4 ? strlen(word) : 4) != 0)
			continue;
		fprintf(stderr, "%s\"%s\"", before, v->name);
		before = " or ";
	}
	fputs(before[0] == ' ' ? "?\n" : " (try --help)\n", stderr);
}

struct options {
	const char *config, *prefix;
	struct ctl ctl; /* what the verb's own options say */
	bool is_help;
	int exit_code; /* ≥ 0: done already */
};

/* Of CTL_OPTIONS, counted from here: no option has such a letter. */
#define FIRST_OF_VERBS 1000

enum verb_option {
	BEFORE_VERB_OPTIONS = FIRST_OF_VERBS - 1,
#define X(field, name, type) OPTION_##field,
	CTL_OPTIONS(X)
#undef X
};

static void take_verb_option(struct ctl *ctl, int opt)
{
#define TAKE_TEXT(field) ctl->field = optarg
#define TAKE_FLAG(field) ctl->field = true
#define X(field, name, type) \
	if (opt == OPTION_##field) \
		TAKE_##type(field);
	CTL_OPTIONS(X)
#undef X
}

/* getopt permutes: options may stand before or behind the verb. */
static void parse_options(struct options *o, int argc, char **argv)
{
#define HAS_TEXT required_argument
#define HAS_FLAG no_argument
	static const struct option table[] = {{"config", required_argument, NULL, 'c'},
			{"prefix", required_argument, NULL, 'p'}, {"json", no_argument, NULL, 'j'},
			{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'v'},
#define X(field, name, type) {name, HAS_##type, NULL, OPTION_##field},
			CTL_OPTIONS(X)
#undef X
					{NULL, 0, NULL, 0}};
	int opt;

	*o = (struct options){.exit_code = -1};
	while (o->exit_code < 0 && (opt = getopt_long(argc, argv, "c:p:jh", table, NULL)) != -1) {
		if (opt == 'c') {
			o->config = optarg;
		} else if (opt == 'p') {
			o->prefix = optarg;
		} else if (opt == 'j') {
			o->ctl.is_json = true;
		} else if (opt == 'h') {
			o->is_help = true;
		} else if (opt == 'v') {
			puts("sluicectl " PACKAGE_VERSION);
			o->exit_code = CTL_OK;
		} else if (opt >= FIRST_OF_VERBS) {
			take_verb_option(&o->ctl, opt);
		} else {
			o->exit_code = CTL_USAGE;
		}
	}
}

/* --prefix, then the file, then the environment, then the default. */
static const char *choose_prefix(const struct options *o, const struct conf *conf)
{
	const char *env = getenv("SLUICE_PREFIX");

	if (o->prefix != NULL)
		return o->prefix;
	if (o->config != NULL)
		return conf->prefix;
	return env != NULL && env[0] != '\0' ? env : DEFAULT_PREFIX;
}

static int run_verb(const struct ctl_verb *v, const struct options *o, char **args, int n)
{
	sl_auto(conf) conf = NULL;
	struct why why = WHY_NONE;
	char text[1200];
	struct ctl ctl = o->ctl;

	if (n < v->args_min || (v->args_max >= 0 && n > v->args_max)) {
		fprintf(stderr, "usage: sluicectl %s%s%s\n", v->name,
				v->usage[0] != '\0' ? " " : "", v->usage);
		return CTL_USAGE;
	}
	if (conf_load(&conf, o->config, &why) < 0) {
		fprintf(stderr, "sluicectl: %s\n", why_text(&why, text, sizeof(text)));
		return CTL_USAGE;
	}
	ctl.n_args = n;
	ctl.args = args;
	ctl.conf = conf;
	ctl.prefix = choose_prefix(o, conf);
	return (int)v->run(&ctl);
}

int main(int argc, char **argv)
{
	const struct ctl_verb *v;
	struct options o;
	int words = 0;

	parse_options(&o, argc, argv);
	if (o.exit_code >= 0)
		return o.exit_code;
	v = find_verb(argv + optind, argc - optind, &words);
	if (optind < argc && strcmp(argv[optind], "help") == 0)
		o.is_help = true;
	if (o.is_help || optind == argc) {
		if (v != NULL)
			print_verb_help(v);
		else
			print_usage(o.is_help ? stdout : stderr);
		return o.is_help ? CTL_OK : CTL_USAGE;
	}
	if (v == NULL) {
		refuse_verb(argv[optind]);
		return CTL_USAGE;
	}
	return run_verb(v, &o, argv + optind + words, argc - optind - words);
}
