/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plugin/jail_sanitizer.h"
#include "plugin/jail_seccomp.h"

/* linux/landlock.h of the build machine may be older than the kernel: the ABI is stable. */
#define LANDLOCK_VERSION_FLAG 1U
#define LANDLOCK_NET_BOTH 3U   /* bind and connect of TCP, ABI 4 */
#define LANDLOCK_SCOPE_BOTH 3U /* abstract unix sockets and signals, ABI 6 */

#define LANDLOCK_READ_BOTH (1U << 2 | 1U << 3) /* of files and folders */
#define LANDLOCK_PATH_BENEATH_RULE 1

struct landlock_path_beneath {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

struct landlock_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

static int drop_bounding_set(struct why *why)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		/* Without CAP_SETPCAP it stays; no-new-privs then keeps it from being used. */
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
			return why_errno(why, errno, "cannot drop capability %lu", cap);
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return why_errno(why, errno, "cannot clear ambient capabilities");
	return 0;
}

static int drop_capabilities(struct jail_state *state, struct why *why)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
	struct __user_cap_data_struct none[2];

	memset(none, 0, sizeof(none));
	if (syscall(SYS_capset, &head, none) < 0)
		return why_errno(why, errno, "cannot drop capabilities");
	state->layers |= JAIL_CAPS;
	return 0;
}

static int change_user(const char *user, struct why *why)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL && errno != 0)
		return why_errno(why, errno, "cannot look up user '%s'", user);
	if (pw == NULL) {
		why_set(why, NULL, 0, "there is no user '%s' on this machine", user);
		return -ENOENT;
	}
	if (setgroups(0, NULL) < 0)
		return why_errno(why, errno, "cannot drop supplementary groups");
	if (setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0)
		return why_errno(why, errno, "cannot become group %u", pw->pw_gid);
	if (setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return why_errno(why, errno, "cannot become user '%s'", user);
	return 0;
}

static int drop_user(const struct jail_conf *conf, struct jail_state *state, struct why *why)
{
	int death_signal = 0;
	int r;

	r = drop_bounding_set(why);
	if (r < 0)
		return r;
	/* The kernel forgets it when the uid changes. */
	(void)prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
	if (geteuid() == 0 && conf->user != NULL) {
		r = change_user(conf->user, why);
		if (r < 0)
			return r;
	}
	if (death_signal != 0)
		(void)prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0);
	if (geteuid() != 0)
		state->layers |= JAIL_USER;
	return drop_capabilities(state, why);
}

struct limit {
	int which;
	const char *name;
	rlim_t value;
};

static int set_limit(const struct limit *limit, struct why *why)
{
	struct rlimit now;

	if (getrlimit((__rlimit_resource_t)limit->which, &now) < 0)
		return why_errno(why, errno, "cannot read %s", limit->name);
	if (now.rlim_max < limit->value)
		return 0;
	now.rlim_cur = now.rlim_max = limit->value;
	if (setrlimit((__rlimit_resource_t)limit->which, &now) < 0)
		return why_errno(why, errno, "cannot set %s", limit->name);
	return 0;
}

static int set_limits(const struct jail_conf *conf, struct jail_state *state, struct why *why)
{
	const struct jail_limits *want = &conf->limits;
	const rlim_t none = conf->is_short_lived ? 0 : RLIM_INFINITY;
	const struct limit limits[] = {
			{RLIMIT_CPU, "RLIMIT_CPU", want->cpu_s != 0 ? want->cpu_s : RLIM_INFINITY},
			/* A sanitizer's shadow memory alone is terabytes of addresses. */
			{RLIMIT_AS, "RLIMIT_AS",
					want->memory_mb != 0 && !JAIL_HAS_SANITIZER
							? (rlim_t)want->memory_mb << 20
							: RLIM_INFINITY},
			{RLIMIT_NOFILE, "RLIMIT_NOFILE",
					want->n_files != 0 ? want->n_files : RLIM_INFINITY},
			{RLIMIT_FSIZE, "RLIMIT_FSIZE", none},
			{RLIMIT_NPROC, "RLIMIT_NPROC", none},
			{RLIMIT_CORE, "RLIMIT_CORE", conf->may_be_traced ? RLIM_INFINITY : 0},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		int r = limits[i].value == RLIM_INFINITY ? 0 : set_limit(&limits[i], why);

		if (r < 0)
			return r;
	}
	state->layers |= JAIL_LIMITS;
	return 0;
}

static int set_process_flags(
		const struct jail_conf *conf, struct jail_state *state, struct why *why)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return why_errno(why, errno, "cannot set no-new-privs");
	state->layers |= JAIL_NO_NEW_PRIVS;
	if (prctl(PR_SET_DUMPABLE, conf->may_be_traced ? 1 : 0, 0, 0, 0) < 0)
		return why_errno(why, errno, "cannot change dumpable");
	if (!conf->may_be_traced)
		state->layers |= JAIL_NOT_DUMPABLE;
	return 0;
}

/* Every file access the ABI knows: 13 in the first, then one each in 2 (refer), 3 (truncate)
 * and 5 (ioctl on devices). */
static uint64_t landlock_fs_bits(int abi)
{
	uint64_t bits = (1U << 13) - 1;

	if (abi >= 2)
		bits |= 1U << 13;
	if (abi >= 3)
		bits |= 1U << 14;
	if (abi >= 5)
		bits |= 1U << 15;
	return bits;
}

static void landlock_missing(struct jail_state *state, const char *what, int err)
{
	snprintf(state->missing, sizeof(state->missing), "no landlock: %s: %s", what,
			strerror(err));
}

/* Read access below path.  A rule that cannot be made is one access less. */
static void allow_reading(int ruleset_fd, const char *path)
{
	struct landlock_path_beneath rule = {.allowed_access = LANDLOCK_READ_BOTH,
			.parent_fd = open(path, O_PATH | O_CLOEXEC)};

	if (rule.parent_fd < 0)
		return;
	(void)syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_PATH_BENEATH_RULE, &rule, 0U);
	close(rule.parent_fd);
}

/* A rule set without rules: everything it handles is refused. */
static void enter_landlock(const struct jail_conf *conf, struct jail_state *state)
{
	struct landlock_attr attr = {0, 0, 0};
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_FLAG);
	int fd;

	if (abi < 1) {
		landlock_missing(state, "the kernel does not offer it", errno);
		return;
	}
	attr.handled_access_fs = landlock_fs_bits(abi);
	if (abi >= 4 && !conf->may_use_network)
		attr.handled_access_net = LANDLOCK_NET_BOTH;
	if (abi >= 6)
		attr.scoped = LANDLOCK_SCOPE_BOTH;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0U);
	if (fd < 0) {
		landlock_missing(state, "cannot make a rule set", errno);
		return;
	}
	if (JAIL_HAS_SANITIZER && conf->may_use_network)
		allow_reading(fd, JAIL_SANITIZER_FOLDER);
	if (syscall(SYS_landlock_restrict_self, fd, 0U) < 0) {
		landlock_missing(state, "cannot apply the rule set", errno);
	} else {
		state->layers |= JAIL_LANDLOCK;
		state->landlock_abi = abi;
	}
	close(fd);
}

int jail_enter(const struct jail_conf *conf, struct jail_state *ret, struct why *why)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = drop_user(conf, ret, why);
	if (r == 0)
		r = set_process_flags(conf, ret, why);
	if (r < 0)
		return r;
	enter_landlock(conf, ret);
	r = set_limits(conf, ret, why);
	if (r == 0)
		r = jail_seccomp_load(conf, why);
	if (r == 0)
		ret->layers |= JAIL_SECCOMP;
	return r;
}

const char *jail_describe(const struct jail_state *state, char *buf, size_t size)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = {
			{JAIL_USER, "user"},
			{JAIL_CAPS, "caps"},
			{JAIL_NO_NEW_PRIVS, "no-new-privs"},
			{JAIL_NOT_DUMPABLE, "not-dumpable"},
			{JAIL_LIMITS, "limits"},
			{JAIL_LANDLOCK, "landlock"},
			{JAIL_SECCOMP, "seccomp"},
	};
	size_t n = 0;

	if (size > 0)
		buf[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((state->layers & names[i].bit) != 0 && n < size)
			n += (size_t)snprintf(buf + n, size - n, "%s%s", n != 0 ? "," : "",
					names[i].name);
	}
	if (state->missing[0] != '\0' && n < size)
		snprintf(buf + n, size - n, " (%s)", state->missing);
	return buf;
}
