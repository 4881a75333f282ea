/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/jail_seccomp.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plugin/jail_sanitizer.h"
#include "plugin/jail_table.h"

struct call_name {
	const char *name;
};

#define X(call) {#call},
static const struct call_name allowed[] = {JAIL_ALLOW_TABLE(X)};
static const struct call_name allowed_network[] = {JAIL_ALLOW_NETWORK_TABLE(X)};
static const struct call_name allowed_sanitizer[] = {JAIL_ALLOW_SANITIZER_TABLE(X)};
static const struct call_name killing[] = {JAIL_KILL_TABLE(X)};
#undef X

/* A condition on one argument: (arg & mask) == value. */
struct call_rule {
	const char *name;
	unsigned int arg;
	uint64_t mask, value;
};

static const uint64_t all_bits = UINT64_MAX;
static const uint64_t low_int = UINT32_MAX;
static const uint64_t thread_flags = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;

/* The names of calls that this kernel or architecture does not have resolve to an error:
 * then there is nothing to allow. */
static int add_calls(
		scmp_filter_ctx ctx, uint32_t action, const struct call_name *calls, size_t n_calls)
{
	for (size_t i = 0; i < n_calls; i++) {
		int nr = seccomp_syscall_resolve_name(calls[i].name);
		int r = nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(ctx, action, nr, 0);

		if (r < 0 && r != -EDOM)
			return r;
	}
	return 0;
}

static int add_rules(scmp_filter_ctx ctx, const struct call_rule *rules, size_t n_rules)
{
	for (size_t i = 0; i < n_rules; i++) {
		const struct call_rule *rule = &rules[i];
		struct scmp_arg_cmp cmp = {.arg = rule->arg,
				.op = SCMP_CMP_MASKED_EQ,
				.datum_a = rule->mask,
				.datum_b = rule->value};
		int nr = seccomp_syscall_resolve_name(rule->name);
		int r = nr == __NR_SCMP_ERROR
					? 0
					: seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, 1, &cmp);

		if (r < 0 && r != -EDOM)
			return r;
	}
	return 0;
}

static int add_own_rules(scmp_filter_ctx ctx)
{
	const uint64_t self = (uint64_t)getpid();
	const struct call_rule rules[] = {
			{"kill", 0, low_int, self},
			{"tgkill", 0, low_int, self},
			{"rt_tgsigqueueinfo", 0, low_int, self},
			{"rt_sigqueueinfo", 0, low_int, self},
			/* Its own limits may be read, nobody's changed. */
			{"prlimit64", 2, all_bits, 0},
			{"prctl", 0, low_int, PR_SET_NAME},
			{"prctl", 0, low_int, PR_GET_NAME},
			{"prctl", 0, low_int, PR_GET_DUMPABLE},
			/* fstat() of current C libraries: of an open file, not of a path. */
			{"newfstatat", 3, AT_EMPTY_PATH, AT_EMPTY_PATH},
			{"ioctl", 1, low_int, TCGETS},
			{"ioctl", 1, low_int, FIONREAD},
			{"ioctl", 1, low_int, FIONBIO},
			{"ioctl", 1, low_int, SIOCOUTQ},
	};

	return add_rules(ctx, rules, sizeof(rules) / sizeof(rules[0]));
}

static int add_network(scmp_filter_ctx ctx)
{
	static const struct call_rule rules[] = {
			{"socket", 0, low_int, AF_INET},
			{"socket", 0, low_int, AF_INET6},
			/* An event loop wakes itself through a pair. */
			{"socketpair", 0, low_int, AF_UNIX},
			{"clone", 0, thread_flags, thread_flags},
	};
	int r = add_calls(ctx, SCMP_ACT_ALLOW, allowed_network,
			sizeof(allowed_network) / sizeof(allowed_network[0]));

	if (r == 0)
		r = add_rules(ctx, rules, sizeof(rules) / sizeof(rules[0]));
	return r;
}

static int add_sanitizer(scmp_filter_ctx ctx)
{
#define X(call, arg, mask, value) {#call, arg, mask, value},
	static const struct call_rule rules[] = {JAIL_ALLOW_SANITIZER_RULES(X)};
#undef X
	int r = add_calls(ctx, SCMP_ACT_ALLOW, allowed_sanitizer,
			sizeof(allowed_sanitizer) / sizeof(allowed_sanitizer[0]));

	return r == 0 ? add_rules(ctx, rules, sizeof(rules) / sizeof(rules[0])) : r;
}

static int fill_filter(scmp_filter_ctx ctx, const struct jail_conf *conf)
{
	int r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);

	if (r == 0)
		r = add_calls(ctx, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(allowed[0]));
	if (r == 0)
		r = add_calls(ctx, SCMP_ACT_KILL_PROCESS, killing,
				sizeof(killing) / sizeof(killing[0]));
	if (r == 0)
		r = add_own_rules(ctx);
	if (r == 0 && conf->may_use_network)
		r = add_network(ctx);
	if (r == 0 && conf->may_use_network && JAIL_HAS_SANITIZER)
		r = add_sanitizer(ctx);
	/* Its flags are in memory, out of a filter's sight: "no such call" makes the C library
	 * use clone, whose flags are not. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS),
				seccomp_syscall_resolve_name("clone3"), 0);
	if (r == 0)
		r = seccomp_load(ctx);
	return r;
}

int jail_seccomp_load(const struct jail_conf *conf, struct why *why)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (ctx == NULL)
		return why_errno(why, ENOMEM, "cannot build the system call filter");
	r = fill_filter(ctx, conf);
	seccomp_release(ctx);
	if (r < 0)
		return why_errno(why, -r, "cannot load the system call filter");
	return 0;
}
